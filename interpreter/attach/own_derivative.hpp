// Functions of a model's that bring a derivative of their own.
#pragma once

#include <torch/csrc/autograd/function.h>

#include <optional>
#include <string>

namespace ascribe::attaching {

/// Autograd's name for the function that made a node: an `autograd.Function` of Python's, or one of C++'s. Empty where
/// it is LibTorch's, or ours. No operator can be seen in such a function, so that relevance goes through its
/// derivative.
std::optional<std::string> own_derivative(const torch::autograd::Node& node);

}  // namespace ascribe::attaching
