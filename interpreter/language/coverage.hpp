// Entries of composites that do nothing, of which section 9 of the language warns: they never apply, because earlier
// entries take every layer that they name, or their layers lack what their rule modifies.
#pragma once

#include <bitset>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "interpreter/language/kinds.hpp"
#include "interpreter/language/reporter.hpp"
#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// A set of layers that is certainly taken. Layers are told apart by their kind and their module's name. Modules that
/// are layers are none of any kind, and which ones two globs mean is known by the model alone: the same selector covers
/// them, and nothing else does.
class Coverage {
 public:
  void add(const LayerSelector& selector);
  /// The layers of `other` that the selector is for, as far as one glob can say which.
  void add(const LayerSelector& selector, const Coverage& other);
  bool covers(const LayerSelector& selector) const;

 private:
  using Kinds = std::bitset<most_kinds>;
  struct Affixes {
    std::map<std::string, Kinds, std::less<>> kinds;
    std::set<std::size_t> lengths;
  };

  static Kinds kinds_of(const LayerSelector& selector);
  void add(Kinds kinds, const std::string& glob);
  Kinds covered(const std::string& glob) const;

  Kinds any_name_;                                   // with every name, and with none
  std::map<std::string, Kinds, std::less<>> globs_;  // as they are written
  Affixes prefixes_, suffixes_;                      // of globs with one `*` at their end, at their beginning
  std::set<std::pair<LayerSelector::Selects, std::string>> modules_;
};

class CoverageChecker {
 public:
  /// Warns of the composite's entries that earlier ones cover.
  void check(const Composite& composite, const Reporter& reporter);

 private:
  /// The layers that a target surely has something for. Null: all of them.
  const Coverage* of(const Target& target);
  static void add(const Entry& entry, const Coverage* target, Coverage& out);

  std::map<std::shared_ptr<const Composite>, Coverage> known_;
};

/// Warns of an entry whose rule is the default but for `param` clauses, none of which is for a parameter of the entry's
/// layers. What `any`, a name without a kind, or a module may be has whatever parameters there are.
void warn_without_effect(const Entry& entry, const Reporter& reporter);

}  // namespace ascribe::language
