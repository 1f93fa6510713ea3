// What divides is held: to a rule, norms are linear in what they normalise.
#pragma once

#include "interpreter/layers/operation.hpp"

namespace ascribe::layering {

/// f(x; θ) as rules see it. Of layer norm, group norm, instance norm and RMS norm, y = (x − mean(x)) / σ · w + b (RMS
/// norm: without the mean), where σ is that of `own`, the inputs that the layer was called with, whatever x is; so it
/// is linear in x, as batch norm is. Gradients of the relevance go through σ, too. A row of −∞ is none to softmax.
/// Every other layer is as it runs.
at::Tensor run_held(const Operation& operation, const Tensors& inputs, const Tensors& parameters, const Tensors& own);

/// (∂y/∂x)ᵀ γ of a norm or batch norm at `own`, with σ held: v = g − mean(g) of g = γ · w / σ (RMS norm, batch norm:
/// v = g). Nothing for every other layer, and in 16-bit types.
std::optional<at::Tensor> transposed_held(const Operation& operation, const Tensors& parameters, const at::Tensor& own,
                                          const at::Tensor& gamma);

}  // namespace ascribe::layering
