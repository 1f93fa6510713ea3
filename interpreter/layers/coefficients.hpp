// The fixed coefficients of sums, means, pools, scalings and interpolations: what rules call the parameter
// "coefficient".
#pragma once

#include <vector>

#include "interpreter/layers/operation.hpp"

namespace ascribe::layering {

/// Those of an operator's call; of kinds without any, none. `x`: an input, whose type and device they get.
Coefficient coefficient_of(const language::Kind& kind, const c10::OperatorHandle& op,
                           const std::vector<c10::IValue>& arguments, const at::Tensor& x);

/// Those of an interpolation that an operator or a module of this name does: any weights that it can have.
Coefficient coefficient_of_interpolation(std::string_view name, const at::Tensor& x);

}  // namespace ascribe::layering
