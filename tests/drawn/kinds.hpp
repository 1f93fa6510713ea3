// The kinds of layers that are drawn: all that the language knows, but for embedding, whose input gets no
// relevance, and statistic, which magnifies rounding wherever its input is near zero.
#pragma once

#include <map>

#include "tests/drawn/layers_with_weights.hpp"
#include "tests/drawn/layers_without_weights.hpp"

namespace ascribe::drawn {

inline std::vector<Kind> kinds() {
  std::vector<Kind> out{
      {"linear", 4, linear},
      {"conv1d", 3, convolution<1, nn::Conv1d, false>},
      {"conv2d", 4, convolution<2, nn::Conv2d, false>},
      {"conv3d", 2, convolution<3, nn::Conv3d, false>},
      {"conv_transpose1d", 2, convolution<1, nn::ConvTranspose1d, true>},
      {"conv_transpose2d", 2, convolution<2, nn::ConvTranspose2d, true>},
      {"conv_transpose3d", 2, convolution<3, nn::ConvTranspose3d, true>},
      {"bilinear", 1, bilinear},
      {"batch_norm", 1, batch_norm},
      {"instance_norm", 1, instance_norm},
      {"layer_norm", 1, layer_norm},
      {"group_norm", 1, group_norm},
      {"avg_pool1d", 1, avg_pool<1>},
      {"avg_pool2d", 1, avg_pool<2>},
      {"avg_pool3d", 1, avg_pool<3>},
      {"adaptive_avg_pool1d", 1, adaptive_pool<1, true>},
      {"adaptive_avg_pool2d", 1, adaptive_pool<2, true>},
      {"adaptive_avg_pool3d", 1, adaptive_pool<3, true>},
      {"mean", 1, reduction<true>},
      {"max_pool1d", 1, max_pool<1>},
      {"max_pool2d", 1, max_pool<2>},
      {"max_pool3d", 1, max_pool<3>},
      {"adaptive_max_pool1d", 1, adaptive_pool<1, false>},
      {"adaptive_max_pool2d", 1, adaptive_pool<2, false>},
      {"adaptive_max_pool3d", 1, adaptive_pool<3, false>},
      {"sum", 1, reduction<false>},
      {"scale", 1, scale},
      {"interpolate", 1, interpolation},
      {"product", 1, product},
      {"matmul", 1, matmul},
      {"quotient", 1, quotient},
      {"rms_norm", 1, rms_norm},
      {"operator", 1, any_operator},
      {"add", 2, add},
      {"prelu", 1, prelu},
      {"softmax", 1, softmax<false>},
      {"log_softmax", 1, softmax<true>},
  };
  std::map<std::string, std::vector<const ActivationRow*>> rows;
  for (auto& row : activations) rows[row.kind].push_back(&row);
  for (auto& [kind, ways] : rows)
    out.push_back(
        {kind, 1, [chosen = ways](Source& source) { return activation(source, *source.draw.one_of(chosen)); }});
  return out;
}

}  // namespace ascribe::drawn
