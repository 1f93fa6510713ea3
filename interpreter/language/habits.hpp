// What people write out of habit from Python, PyTorch and Zennit where the grammar takes it for a name: functions,
// methods and values of other languages, and what Ascribe writes instead.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grammar/syntax.hpp"

namespace ascribe::language {

/// Help for a call of an unknown function or method: `x.clamp(min = 0)` is `max(x, 0)`. Empty if nobody's habit.
std::string help_for_foreign_call(const syntax::Call& call, const Source& source);

/// Help for an unknown name: `True`, `None`, `self`, `grad_output`. Empty if nobody's habit.
std::string_view help_for_foreign_name(std::string_view name);

/// Help for an unknown kind of layer: `BatchNorm2d` is `batch_norm`, `default` is `any`. Empty if no known word is
/// near.
std::string help_for_kind(std::string_view written, const std::vector<std::string>& known);

/// Whether a name is that of a module or an object that other languages reach functions through: `torch`, `np`, `self`.
bool is_foreign_qualifier(std::string_view name);

}  // namespace ascribe::language
