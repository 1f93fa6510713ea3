#include "interpreter/layers/table.hpp"

#include <map>
#include <set>

#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::layering {

using libtorch::base_name;
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
      {"_native_batch_norm_legit", "", "batch_norm", Form::plain, {0}, weight_bias, 5},
      {"_native_batch_norm_legit_no_training", "", "batch_norm", Form::plain, {0}, weight_bias},
      {"layer_norm", "", "layer_norm", Form::plain, {0}, {{2, "weight"}, {3, "bias"}}},
      {"native_layer_norm", "", "layer_norm", Form::plain, {0}, {{2, "weight"}, {3, "bias"}}},
      {"native_group_norm", "", "group_norm", Form::plain, {0}, weight_bias},
      {"group_norm", "", "group_norm", Form::plain, {0}, {{2, "weight"}, {3, "bias"}}},
      {"instance_norm", "", "instance_norm", Form::plain, {0}, weight_bias, 5},
      {"embedding", "", "embedding", Form::lookup, {1}, {{0, "weight"}}},
      {"embedding_bag", "", "embedding", Form::lookup, {1}, {{0, "weight"}}},
      {"embedding_bag", "padding_idx", "embedding", Form::lookup, {1}, {{0, "weight"}}},
      {"bilinear", "", "bilinear", Form::product, {0, 1}, {{2, "weight"}, {3, "bias"}}},
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
      {"neg", "", "scale"},
      {"neg_", "", "scale"},
      {"softmax", "int", "softmax"},
      {"_softmax", "", "softmax"},
      {"log_softmax", "int", "log_softmax"},
      {"_log_softmax", "", "log_softmax"},
      {"log_sigmoid_forward", "", "log_sigmoid"},
      {"_prelu_kernel", "", "prelu", Form::plain, {0}, {{1, "weight"}}},
      {"_adaptive_avg_pool2d", "", "adaptive_avg_pool2d"},
      {"_adaptive_avg_pool3d", "", "adaptive_avg_pool3d"},
  };
  for (std::string_view dropout : {"dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"})
    table.push_back({dropout, "", dropout, Form::dropout, {0}, {}, 2});
  for (std::string_view dropout : {"dropout_", "feature_dropout_", "alpha_dropout_", "feature_alpha_dropout_"})
    table.push_back({dropout, "", dropout.substr(0, dropout.size() - 1), Form::dropout, {0}, {}, 2});
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
    table.push_back({sum, "Scalar", "add", Form::addition, {0, 1}});
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

bool follows_indices(std::string_view name) {
  static const std::set<std::string_view> names{
      // the same numbers under another shape
      "view", "view_as", "_unsafe_view", "reshape", "reshape_as", "flatten", "unflatten", "ravel", "squeeze",
      "squeeze_", "unsqueeze", "unsqueeze_", "expand", "expand_as", "broadcast_to", "atleast_1d", "atleast_2d",
      "atleast_3d",
      // in another order
      "transpose", "transpose_", "t", "t_", "permute", "movedim", "moveaxis", "swapaxes", "swapdims", "numpy_T",
      "matrix_H", "mT", "mH", "adjoint", "flip", "fliplr", "flipud", "roll", "rot90", "pixel_shuffle",
      "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle",
      // some of them, or some of them several times
      "slice", "select", "narrow", "index", "index_select", "gather", "take", "take_along_dim", "masked_select",
      "diagonal", "diag", "tril", "triu", "unfold", "im2col", "as_strided", "repeat", "repeat_interleave", "tile",
      "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d",
      "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "pad", "_pad_enum", "_pad_circular", "constant_pad_nd",
      "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d", "replication_pad2d",
      "replication_pad3d", "max_unpool2d", "max_unpool3d", "where", "masked_fill", "masked_fill_",
      // side by side
      "cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "column_stack", "block_diag", "split",
      "split_with_sizes", "tensor_split", "chunk", "unbind", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes",
      "hsplit", "vsplit", "dsplit", "meshgrid",
      // copies
      "clone", "contiguous", "alias", "to", "type_as", "_to_copy", "copy_", "index_put_", "index_put", "cpu", "cuda",
      "positive", "requires_grad_", "retain_grad", "_lazy_clone", "lift_fresh", "identity", "detach", "resolve_conj",
      "resolve_neg", "conj", "real", "double", "float", "half", "select_scatter", "slice_scatter",
      // what users write behind the model, to start from: a sum of everything, samples included, is no layer
      "sum", "mean"};
  return names.contains(base_name(name));
}

const LayerOperator* find_layer_operator(std::string_view name, std::string_view overload) {
  static const auto index = [] {
    std::map<std::pair<std::string_view, std::string_view>, const LayerOperator*> out;
    for (auto& row : layer_operators()) out.emplace(std::pair(row.name, row.overload), &row);
    return out;
  }();
  auto found = index.find({base_name(name), overload});
  return found == index.end() ? nullptr : found->second;
}

}  // namespace ascribe::layering
