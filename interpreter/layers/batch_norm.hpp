// Batch norm behind or before a linear layer: as one layer with other parameters, where a composite says
// `batch_norm => merge`.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <vector>

#include "interpreter/attach/rule_node.hpp"
#include "interpreter/language/kinds.hpp"

namespace ascribe::layering {

/// Linear layers and convolutions, transposed ones too: what batch norm can be merged into.
bool is_linear(const language::Kind& kind);

/// From the arguments of `aten::batch_norm` or one of its like; missing γ: 1, missing β: 0.
using attaching::BatchNorm;
BatchNorm batch_norm_of(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments);

/// The linear layer and the batch norm that takes its output `y` as one layer: weight · scale along the output
/// channels, bias · scale + shift. It has the linear layer's input, entry, name and report; its output is not filled
/// in. Nothing where `linear` is another kind of layer, y was written into, or its channels are not those of batch norm
/// (dimension 1).
std::optional<attaching::LayerCall> merged(const attaching::LayerCall& linear, const at::Tensor& y, const BatchNorm& batch_norm);

/// The linear layer's parameters and function with the batch norm before it folded in: weight · scale along the input
/// channels, bias + Σ weight · shift. They are for batch norm's input.
struct FoldedLayer {
  std::vector<std::pair<std::string, at::Tensor>> parameters;
  decltype(evaluate::Layer::apply) apply;
};

/// Nothing where they do not fit: a transposed convolution, other channels, a linear layer on more than [batch,
/// features]. That the layer does not pad is for the caller to know: batch norm's shift is not zero beyond the border.
std::optional<FoldedLayer> folded(const language::Kind& kind,
                                  const std::vector<std::pair<std::string, at::Tensor>>& parameters,
                                  const decltype(evaluate::Layer::apply)& apply, const at::Tensor& x,
                                  const BatchNorm& batch_norm);

}  // namespace ascribe::layering
