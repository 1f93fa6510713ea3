#include "interpreter/attach/layer_operators.hpp"

#include <map>

namespace ascribe::attaching {
namespace {

using Form = LayerOperator::Form;
using Parameters = std::vector<std::pair<std::size_t, std::string_view>>;

// Called while static objects are still being made: it relies on none.
std::vector<LayerOperator> make_table() {
  const Parameters weight_bias{{1, "weight"}, {2, "bias"}};
  std::vector<LayerOperator> table{
      {"linear", "", "linear", Form::plain, {0}, weight_bias},
      {"addmm", "", "linear", Form::matrix, {1}, {{2, "weight"}, {0, "bias"}}},
      {"mm", "", "linear", Form::matrix, {0}, {{1, "weight"}}},
      {"matmul", "", "linear", Form::matrix, {0}, {{1, "weight"}}},
      {"conv_transpose1d", "", "conv_transpose1d", Form::plain, {0}, weight_bias},
      {"conv_transpose2d", "input", "conv_transpose2d", Form::plain, {0}, weight_bias},
      {"conv_transpose3d", "input", "conv_transpose3d", Form::plain, {0}, weight_bias},
      {"convolution", "", "", Form::convolution, {0}, weight_bias, -1, 6},
      {"_convolution", "", "", Form::convolution, {0}, weight_bias, -1, 6},
      {"_convolution", "deprecated", "", Form::convolution, {0}, weight_bias, -1, 6},
      {"_convolution_mode", "", "", Form::convolution, {0}, weight_bias},
      {"batch_norm", "", "batch_norm", Form::plain, {0}, weight_bias, 5},
      {"layer_norm", "", "layer_norm", Form::plain, {0}, {{2, "weight"}, {3, "bias"}}},
      {"group_norm", "", "group_norm", Form::plain, {0}, {{2, "weight"}, {3, "bias"}}},
      {"instance_norm", "", "instance_norm", Form::plain, {0}, weight_bias},
      {"mean", "", "", Form::opaque},  // of everything, samples included: no layer
      {"sum", "", "", Form::opaque},
      {"cosine_similarity", "", "", Form::opaque},  // made of sums and products, which are no layers of the model
      {"logsumexp", "", "", Form::opaque},
      {"mean", "dim", "mean"},
      {"sum", "dim_IntList", "sum"},
      {"max_pool2d_with_indices", "", "max_pool2d"},
      {"max_pool3d_with_indices", "", "max_pool3d"},
      {"prelu", "", "prelu", Form::plain, {0}, {{1, "weight"}}},
      {"rrelu", "", "rrelu", Form::plain, {0}, {}, 3},
      {"rrelu_", "", "rrelu", Form::plain, {0}, {}, 3},
      {"hardtanh", "", "hardtanh", Form::hardtanh},
      {"hardtanh_", "", "hardtanh", Form::hardtanh},
      {"log_sigmoid", "", "log_sigmoid"},
      {"softplus", "", "softplus"},
      {"hardshrink", "", "hardshrink"},
      {"softshrink", "", "softshrink"},
      {"softmax", "int", "softmax"},
      {"log_softmax", "int", "log_softmax"},
  };
  for (std::string_view recurrent : {"lstm", "gru", "rnn_tanh", "rnn_relu"})
    for (std::string_view overload : {"input", "data"}) table.push_back({recurrent, overload, recurrent, Form::opaque});
  for (std::string_view cell : {"lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"})
    table.push_back({cell, "", cell, Form::opaque});
  for (std::string_view dropout : {"dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"})
    table.push_back({dropout, "", dropout, Form::opaque, {0}, {}, 2});
  for (std::string_view dropout : {"dropout_", "feature_dropout_", "alpha_dropout_", "feature_alpha_dropout_"})
    table.push_back({dropout, "", dropout.substr(0, dropout.size() - 1), Form::opaque, {0}, {}, 2});
  for (std::string_view conv : {"conv1d", "conv2d", "conv3d"})
    for (std::string_view overload : {"", "padding"})
      table.push_back({conv, overload, conv, Form::plain, {0}, weight_bias});
  for (std::string_view pool :
       {"avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
        "max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"})
    table.push_back({pool, "", pool});
  struct Pair {
    std::string_view name, in_place;
  };
  for (auto [name, in_place] : std::initializer_list<Pair>{{"relu", "relu_"},
                                                           {"relu6", "relu6_"},
                                                           {"leaky_relu", "leaky_relu_"},
                                                           {"elu", "elu_"},
                                                           {"selu", "selu_"},
                                                           {"celu", "celu_"},
                                                           {"gelu", "gelu_"},
                                                           {"silu", "silu_"},
                                                           {"mish", "mish_"},
                                                           {"sigmoid", "sigmoid_"},
                                                           {"tanh", "tanh_"},
                                                           {"threshold", "threshold_"},
                                                           {"hardswish", "hardswish_"},
                                                           {"hardsigmoid", "hardsigmoid_"}})
    for (auto each : {name, in_place}) table.push_back({each, "", name});
  for (std::string_view sum : {"add", "add_", "sub", "sub_", "rsub"}) {
    table.push_back({sum, "Tensor", "add", Form::addition, {0, 1}});
    table.push_back({sum, "Scalar", "add", Form::addition, {0}});
  }
  for (std::string_view product : {"mul", "mul_", "div", "div_"}) {
    table.push_back({product, "Tensor", "scale", Form::product, {0, 1}});
    table.push_back({product, "Scalar", "scale", Form::product, {0}});
  }
  return table;
}

}  // namespace

const std::vector<LayerOperator>& layer_operators() {
  static const auto table = make_table();
  return table;
}

const LayerOperator* find_layer_operator(std::string_view name, std::string_view overload) {
  static const auto index = [] {
    std::map<std::pair<std::string_view, std::string_view>, const LayerOperator*> out;
    for (auto& row : layer_operators()) out.emplace(std::pair(row.name, row.overload), &row);
    return out;
  }();
  constexpr std::string_view prefix = "aten::";
  if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  auto found = index.find({name, overload});
  return found == index.end() ? nullptr : found->second;
}

}  // namespace ascribe::attaching
