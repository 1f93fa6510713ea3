#include "interpreter/attach/selection.hpp"

#include <fnmatch.h>

#include <algorithm>

namespace ascribe::attaching {

bool matches_glob(const std::string& glob, const std::string& name) {
  return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
}

const language::BoundEntry* select(const language::BoundComposite& composite, const language::Kind& kind,
                                   const std::string& module_name, Counts& counts) {
  using Count = language::Entry::Count;
  const language::BoundEntry* chosen = nullptr;
  std::size_t counted = 0;
  for (auto& entry : composite.entries) {
    bool fits = true;
    for (auto& condition : entry.conditions) {
      bool fits_here = std::any_of(condition.layers.begin(), condition.layers.end(), [&](auto& layers) {
        return (layers.kind.empty() || covers(layers.kind, kind)) &&
               (!layers.glob || (!module_name.empty() && matches_glob(*layers.glob, module_name)));
      });
      if (condition.count == Count::first) {
        if (counts.size() <= counted) counts.resize(counted + 1);
        auto& seen = counts[counted++];
        if (fits_here && ++seen > condition.number) fits_here = false;
      }
      fits = fits && fits_here;
    }
    if (fits && !chosen) chosen = &entry;
  }
  return chosen;
}

}  // namespace ascribe::attaching
