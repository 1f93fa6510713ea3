// Attention as the layers that it is made of: products of matrices, softmax, and in PyTorch's fast paths the linear
// layers and norms around it.
#pragma once

#include <ATen/core/ivalue.h>

#include <vector>

#include "interpreter/layers/operation.hpp"

namespace ascribe::layering {

/// Of scaled_dot_product_attention.
Tensors attention(const std::vector<c10::IValue>& arguments);
/// Of _native_multi_head_attention, which nn.MultiheadAttention calls where no gradient is wanted.
Tensors multi_head_attention(const std::vector<c10::IValue>& arguments);
/// Of _transformer_encoder_layer_fwd, the same for nn.TransformerEncoderLayer.
Tensors encoder_layer(const std::vector<c10::IValue>& arguments);

}  // namespace ascribe::layering
