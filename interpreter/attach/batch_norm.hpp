// Batch norm behind a linear layer: as one layer with other parameters, where a composite says `batch_norm => merge`.
#pragma once

#include <optional>
#include <vector>

#include "interpreter/attach/rule_node.hpp"
#include "interpreter/language/kinds.hpp"

namespace ascribe::attaching {

/// Linear layers and convolutions, transposed ones too: what batch norm can be merged into.
bool is_linear(const language::Kind& kind);

/// Batch norm in eval mode: scale · x + shift for each channel, with scale = γ / √(σ² + ε) and shift = β − μ · scale.
struct BatchNorm {
  at::Tensor scale, shift;

  /// From the arguments of `aten::batch_norm`; missing γ: 1, missing β: 0.
  static BatchNorm of(const std::vector<c10::IValue>& arguments);
};

/// The linear layer and the batch norm that takes its output `y` as one layer: weight · scale along the output
/// channels, bias · scale + shift. It has the linear layer's input, entry, name and report; its output is not filled
/// in. Nothing where `linear` is another kind of layer, y was written into, or its channels are not those of batch norm
/// (dimension 1).
std::optional<LayerCall> merged(const LayerCall& linear, const at::Tensor& y, const BatchNorm& batch_norm);

}  // namespace ascribe::attaching
