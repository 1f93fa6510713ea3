// Recurrent operators as the layers that they are made of: for each step, linear, add, sigmoid, tanh and products.
#pragma once

#include <ATen/core/ivalue.h>

#include <string_view>
#include <vector>

#include "interpreter/layers/operation.hpp"

namespace ascribe::layering {

/// Computes what the operator computes, all of its results. Expects what libtorch::check_recurrent has checked.
using StepByStep = Tensors (*)(const std::vector<c10::IValue>& arguments);

/// Null for other operators, and for packed sequences.
StepByStep find_recurrent(std::string_view name, std::string_view overload);

}  // namespace ascribe::layering
