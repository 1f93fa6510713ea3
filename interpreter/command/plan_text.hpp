// What rules come to on a kind of layer, as text: `ascribe plan`, and `:plan` of sessions.
#pragma once

#include <string>
#include <vector>

#include "ascribe/pack.hpp"
#include "interpreter/language/kinds.hpp"

namespace ascribe::command {

/// The kinds that a word is for: itself, those of a group, or all.
std::vector<const language::Kind*> kinds_of(std::string_view word);
/// That there is no such word.
Diagnostic unknown_kind(std::string_view word);

struct PlanQuestion {
  std::vector<const language::Kind*> kinds;
  bool not_negative = false;                ///< what is given to the layers, as behind a ReLU
  bool channels_last = false;               ///< says what becomes of that layout
  std::string how_to_ask_for_not_negative;  ///< "--nonnegative"
};

/// A block for each rule that the composite has for these kinds, with the kinds that it means the same for.
std::string plans_as_text(const Composite& rules, const PlanQuestion& question);

}  // namespace ascribe::command
