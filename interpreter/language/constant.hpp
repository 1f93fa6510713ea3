// Values that are known before any layer is met: defaults, arguments, requirements. Numbers and arrays of numbers; no
// tensors, no LibTorch. Mistakes are thrown as Error; their place has a source only where it lies in a function, else
// it is in the source of the definition that holds the expression.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "grammar/limits.hpp"
#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// What several evaluations together may cost, in elements of all operations.
struct Budget {
  std::size_t elements = limits.constant_elements;
};

/// The number of an expression that has no quantities in it. `arguments` are those of the definition that it stands in.
double evaluate_number(const Expression& expression, std::span<const Value> arguments);

/// Whether it holds; a comparison of arrays holds where it does for every element, `!=` where `==` does not.
bool evaluate_truth(const Expression& expression, std::span<const Value> arguments, Budget* budget = nullptr);

/// The value of an argument: `type` is the parameter's, and says how a list or a number is to be read.
Value evaluate_argument(const Expression& expression, std::span<const Value> arguments, Type type,
                        Budget* budget = nullptr);

/// What is wrong with a number as a stabilizer: below zero, it would bring divisors to the zero that it is to keep them
/// from. Empty: nothing.
std::optional<std::string> problem_of_stabilizer(double epsilon);
inline constexpr const char* example_of_stabilizer = "write `1e-6`, or a function: `relative(0.1)`";

/// What `quantile` takes for a share: from 0 to 1.
bool is_share(double value);

/// Whether it can be computed from the parameters that are known, of those that it sees.
bool is_known(const Expression& expression, std::span<const std::optional<Value>> parameters);

/// Whether it needs none of the parameters that it could see.
bool is_constant(const Expression& expression);

}  // namespace ascribe::language
