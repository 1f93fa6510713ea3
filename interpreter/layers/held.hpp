// What divides is held: to a rule, norms are linear in what they normalise.
#pragma once

#include "interpreter/layers/operation.hpp"

namespace ascribe::layering {

/// f(x; θ) as rules see it. Of layer norm, group norm, instance norm and RMS norm, y = (x − mean(x)) / σ · w + b (RMS
/// norm: without the mean), where σ is that of `own`, the inputs that the layer was called with, whatever x is; so it
/// is linear in x, as batch norm is. Gradients of the relevance go through σ, too. A row of −∞ is none to softmax.
/// Every other layer is as it runs.
at::Tensor run_held(const Operation& operation, const Tensors& inputs, const Tensors& parameters, const Tensors& own);

}  // namespace ascribe::layering
