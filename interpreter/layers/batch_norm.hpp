// Batch norm behind or before a linear layer: as one layer with other parameters, where a composite says
// `batch_norm => merge`.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "interpreter/layers/operation.hpp"
#include "interpreter/libtorch/parameter_cache.hpp"

namespace ascribe::layering {

/// Linear layers and convolutions, transposed ones too: what batch norm can be merged into.
bool is_linear(const language::Kind& kind);

/// Batch norm in eval mode: scale · x + shift for each channel, with scale = γ / √(σ² + ε) and shift = β − μ · scale.
struct BatchNorm {
  at::Tensor scale, shift;
  libtorch::Written written = libtorch::Written::anyhow;
};

/// From the arguments of `aten::batch_norm` or one of its like; missing γ: 1, missing β: 0. Computed once for the same
/// parameters, as what follows is.
BatchNorm batch_norm_of(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments,
                        libtorch::Written written = libtorch::Written::anyhow);

/// A linear layer and batch norm as one: its function and its parameters, weight and bias, which nobody writes into.
struct FoldedLayer {
  std::shared_ptr<const Operation> operation;
  NamedTensors parameters;
};

/// With the batch norm that takes the layer's `output`, or a view of all of it as `read`: weight · scale along the
/// output channels, bias · scale + shift; the output is laid out as `read` is. Nothing where `read`'s dimension 1 is
/// not the layer's channels (a linear layer's are its last dimension), or their number is not batch norm's.
std::optional<FoldedLayer> folded_behind(const Operation& linear, const NamedTensors& parameters,
                                         const at::Tensor& output, const at::Tensor& read, const BatchNorm& batch_norm);

/// With the batch norm that gives the layer its input x: weight · scale along the input channels, bias + Σ weight ·
/// shift; x is batch norm's input then. Nothing where they do not fit: a transposed convolution, other channels, a
/// linear layer on more than [batch, features]. That the layer does not pad is for the caller to know: batch norm's
/// shift is not zero beyond the border.
std::optional<FoldedLayer> folded_before(const Operation& linear, const NamedTensors& parameters, const at::Tensor& x,
                                         const BatchNorm& batch_norm);

}  // namespace ascribe::layering
