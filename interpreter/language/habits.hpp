// What people write out of habit from Python, PyTorch and Zennit where the grammar takes it for a name: functions,
// methods and values of other languages, and what Ascribe writes instead.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grammar/diagnostic.hpp"
#include "grammar/syntax.hpp"
#include "interpreter/language/builtins.hpp"

namespace ascribe::language {

/// What a call of an unknown function or method is here: `x.clamp(min = 0)` is `max(x, 0)`.
struct ForeignHelp {
  std::string help{};     ///< empty if nobody's habit
  std::string written{};  ///< what can stand in the place of the call as it is; may be empty
};
ForeignHelp help_for_foreign_call(const syntax::Call& call, const Source& source);

/// A call of a built-in function without names: dimensions one by one and not that of the batch, and nothing that only
/// other languages have, such as `keepdim`; `max(y, dim = 1)` is a quantile. `receiver` is what a method stands behind.
std::string by_position(const syntax::Call& call, const BuiltinInfo& info, std::string_view receiver, bool of_parameter,
                        const Source& source);

/// A text that takes the place of a call, in parentheses where its neighbours might take it apart.
Edit in_place_of(const syntax::Call& call, const std::string& text, const Source& source);

/// Help for an unknown rule or composite: `none`, `lrp0`, `ig`. Empty if nobody's habit.
std::string_view help_for_foreign_rule(std::string_view name);

/// Help for an unknown name: `True`, `None`, `self`, `grad_output`. Empty if nobody's habit.
std::string_view help_for_foreign_name(std::string_view name);

/// Help for an unknown kind of layer: `BatchNorm2d` is `batch_norm`, `default` is `any`. Empty if no known word is
/// near.
std::string help_for_kind(std::string_view written, const std::vector<std::string>& known);

/// The type of a parameter that a word of other languages means: `float` is `scalar`. Empty if nobody's habit.
std::string_view type_elsewhere(std::string_view written);

/// Whether an argument of that name says dimensions elsewhere: `dim`, `axis`.
bool is_dimension_word(std::string_view name);

/// Whether it says what does not exist here: `keepdim`, `dtype`.
bool is_word_elsewhere(std::string_view name);

/// Whether a name is that of a module or an object that other languages reach functions through: `torch`, `np`, `self`.
bool is_foreign_qualifier(std::string_view name);

}  // namespace ascribe::language
