// What a target means for a model's output.
#pragma once

#include "ascribe/attribute.hpp"

namespace ascribe::attributing {

/// The relevance that the output starts with, in its shape: zero but for the target. Throws Error (bad_target).
at::Tensor start(const at::Tensor& output, const Target& target);

/// The output that the target is of. Throws Error (bad_target, wrong_model).
at::Tensor chosen_output(const std::vector<at::Tensor>& outputs, const Target& target);

}  // namespace ascribe::attributing
