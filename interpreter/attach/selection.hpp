// Which entry of a composite a layer gets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "interpreter/language/binding.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/libtorch/module_calls.hpp"

namespace ascribe::attaching {

/// The fitting calls that each counted condition (`first n`, `last n`) of a composite has seen in one forward pass: the
/// places of the calls in the order of execution.
using Counts = std::vector<std::vector<std::uint64_t>>;

/// Adds the counts of a pass that turned out to be part of another one.
void add_counts(Counts& counts, const Counts& others);

/// An entry that is for a layer if each of its `last n` conditions counts this call among the last.
struct Choice {
  const language::BoundEntry* entry;
  struct Last {
    std::size_t counter;  ///< an index of Counts
    std::uint64_t number;
  };
  std::vector<Last> conditions;
};

/// The entries that are for a layer of this kind and name, best first. One without conditions ends the list; an empty
/// list is a layer that no entry is for. Counts the call (which comes at `place` in the order of execution) for every
/// counted condition that it fits, whatever the entry. `counts` belongs to one forward pass and starts empty.
std::vector<Choice> select(const language::BoundComposite& composite, const language::Kind& kind,
                           const std::string& module_name, std::uint64_t place, Counts& counts);

/// The same for a module of a saved model as one layer: entries `module "…"`, `class "…"`, or its whole name alone.
std::vector<Choice> select_module(const language::BoundComposite& composite, const libtorch::Callee& callee,
                                  std::uint64_t place, Counts& counts);

/// Whether some entry may be for that module.
bool selects_module(const language::BoundComposite& composite, const libtorch::Callee& callee);

/// Whether some entry names the kind, or is within one that does.
bool names_kind(const language::BoundComposite& composite, std::string_view kind);

/// The entry that a layer gets once the forward pass is over, or null.
const language::BoundEntry* settle(const std::vector<Choice>& choices, std::uint64_t place, const Counts& counts);

}  // namespace ascribe::attaching
