// The fixed coefficients of sums, means, pools, scalings and interpolations: what rules call the parameter
// "coefficient".
#pragma once

#include <vector>

#include "interpreter/layers/operation.hpp"

namespace ascribe::layering {

/// Those of an operator's call; of kinds without any, none. `x`: an input, whose type and device they get.
Coefficient coefficient_of(const language::Kind& kind, const c10::OperatorHandle& op,
                           const std::vector<c10::IValue>& arguments, const at::Tensor& x);

/// Of an interpolation of which no more is known: any weights of linear and bicubic ones.
Coefficient coefficient_of_interpolation(const at::Tensor& x);

}  // namespace ascribe::layering
