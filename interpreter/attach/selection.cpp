#include "interpreter/attach/selection.hpp"

#include <algorithm>

#include "grammar/glob.hpp"

namespace ascribe::attaching {

void add_counts(Counts& counts, const Counts& others) {
  if (counts.size() < others.size()) counts.resize(others.size());
  for (std::size_t i = 0; i < others.size(); ++i) {
    auto middle = counts[i].insert(counts[i].end(), others[i].begin(), others[i].end());
    std::inplace_merge(counts[i].begin(), middle, counts[i].end());
  }
}

namespace {

using language::LayerSelector;

// The entries whose conditions fit, best first. `fits`: whether a selector is for the call, and whether its condition
// is the entry's own (and not that of a composite around it).
template <typename Fits>
std::vector<Choice> choices_of(const language::BoundComposite& composite, std::uint64_t place, Counts& counts,
                               const Fits& fits_selector) {
  using Count = language::Entry::Count;
  std::vector<Choice> choices;
  bool settled = false;
  std::size_t counter = 0;
  for (auto& entry : composite.entries) {
    bool fits = true;
    Choice choice{&entry, {}};
    for (auto& condition : entry.conditions) {
      bool own = &condition == &entry.conditions.back();
      bool fits_here = std::any_of(condition.layers.begin(), condition.layers.end(),
                                   [&](auto& selector) { return fits_selector(selector, own); });
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

bool names_module(const LayerSelector& selector, const libtorch::Callee& callee) {
  if (callee.is_function) return false;
  switch (selector.selects) {
    case LayerSelector::Selects::module:
      return matches_glob(*selector.glob, callee.path);
    case LayerSelector::Selects::module_class:
      return matches_glob(*selector.glob, callee.class_name);
    case LayerSelector::Selects::layers:  // a whole name without kind; one operator is a layer as it is
      return selector.kind.empty() && selector.glob && *selector.glob == callee.path && callee.operators > 1;
  }
  return false;
}

}  // namespace

std::vector<Choice> select(const language::BoundComposite& composite, const language::Kind& kind,
                           const std::string& module_name, std::uint64_t place, Counts& counts) {
  return choices_of(composite, place, counts, [&](const LayerSelector& selector, bool) {
    return selector.selects == LayerSelector::Selects::layers &&
           (selector.kind.empty() || covers(selector.kind, kind)) &&
           (!selector.glob || (!module_name.empty() && matches_glob(*selector.glob, module_name)));
  });
}

std::vector<Choice> select_module(const language::BoundComposite& composite, const libtorch::Callee& callee,
                                  std::uint64_t place, Counts& counts) {
  return choices_of(composite, place, counts, [&](const LayerSelector& selector, bool own) {
    if (names_module(selector, callee)) return true;
    bool everything = selector.selects == LayerSelector::Selects::layers &&
                      (selector.kind.empty() || selector.kind == "any") &&
                      (!selector.glob || matches_glob(*selector.glob, callee.path));
    return everything && !own;
  });
}

bool selects_module(const language::BoundComposite& composite, const libtorch::Callee& callee) {
  return std::any_of(composite.entries.begin(), composite.entries.end(), [&](auto& entry) {
    auto& own = entry.conditions.back().layers;
    return std::any_of(own.begin(), own.end(), [&](auto& selector) { return names_module(selector, callee); });
  });
}

bool names_kind(const language::BoundComposite& composite, std::string_view kind) {
  for (auto& entry : composite.entries)
    for (auto& condition : entry.conditions)
      for (auto& selector : condition.layers)
        if (selector.kind == kind) return true;
  return false;
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
