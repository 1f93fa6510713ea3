// Functions of a model's that bring a derivative of their own.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace ascribe::attributing {

/// Those that `output` depends on, by autograd's names for them, each once: an `autograd.Function` of Python's, or one
/// of C++'s. No operator can be seen in them, so that relevance goes through their derivative.
std::vector<std::string> own_derivatives(const at::Tensor& output);

}  // namespace ascribe::attributing
