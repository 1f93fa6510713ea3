// What a failing expectation says: both sides, how far apart they are, and where.
#pragma once

#include <string>

#include "interpreter/evaluate/reference/expression.hpp"

namespace ascribe::testing {

/// "left [[1, 2]], right [[1, 3]]; they differ most at [0, 1]: 2 and 3, by 1".
std::string describe_difference(const language::Comparison& comparison, const evaluate::Operand& left,
                                const evaluate::Operand& right);

/// As it would be written, `[[1, 2]]`; of many numbers the shape, the smallest and the largest.
std::string shown(const at::Tensor& tensor);

}  // namespace ascribe::testing
