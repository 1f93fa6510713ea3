#include "interpreter/attach/selection.hpp"

#include <fnmatch.h>

#include <algorithm>

namespace ascribe::attaching {


bool matches_glob(const std::string& glob, const std::string& name) {
  return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
}

void add_counts(Counts& counts, const Counts& others) {
  if (counts.size() < others.size()) counts.resize(others.size());
  for (std::size_t i = 0; i < others.size(); ++i) {
    auto middle = counts[i].insert(counts[i].end(), others[i].begin(), others[i].end());
    std::inplace_merge(counts[i].begin(), middle, counts[i].end());
  }
}

std::vector<Choice> select(const language::BoundComposite& composite, const language::Kind& kind,
                           const std::string& module_name, std::uint64_t place, Counts& counts) {
  using Count = language::Entry::Count;
  std::vector<Choice> choices;
  bool settled = false;
  std::size_t counter = 0;
  for (auto& entry : composite.entries) {
    bool fits = true;
    Choice choice{&entry, {}};
    for (auto& condition : entry.conditions) {
      bool fits_here = std::any_of(condition.layers.begin(), condition.layers.end(), [&](auto& layers) {
        return (layers.kind.empty() || covers(layers.kind, kind)) &&
               (!layers.glob || (!module_name.empty() && matches_glob(*layers.glob, module_name)));
      });
      if (condition.count != Count::all) {
        if (counts.size() <= counter) counts.resize(counter + 1);
        auto& seen = counts[counter];
        if (fits_here) seen.push_back(place);
        if (condition.count == Count::first && seen.size() > condition.number) fits_here = false;
        if (condition.count == Count::last) choice.conditions.push_back({counter, condition.number});
        ++counter;
      }
      fits = fits && fits_here;
    }
    if (!fits || settled) continue;
    settled = choice.conditions.empty();
    choices.push_back(std::move(choice));
  }
  return choices;
}

const language::BoundEntry* settle(const std::vector<Choice>& choices, std::uint64_t place, const Counts& counts) {
  for (auto& choice : choices) {
    bool among_last = std::all_of(choice.conditions.begin(), choice.conditions.end(), [&](auto& last) {
      auto& seen = counts[last.counter];
      auto after = seen.end() - std::upper_bound(seen.begin(), seen.end(), place);
      return static_cast<std::uint64_t>(after) < last.number;
    });
    if (among_last) return choice.entry;
  }
  return nullptr;
}

}  // namespace ascribe::attaching
