#include "interpreter/layers/table.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::layering {
namespace {

using Form = Pattern::Form;
using Parameters = std::vector<std::pair<std::size_t, std::string_view>>;
using Table = std::vector<Pattern>;
using libtorch::base_name;

// The functions below are called while static objects are still being made: they rely on none.

struct Names {
  std::string_view name, in_place;
};

void add_activations(Table& table) {
  constexpr Names plain[] = {{"relu", "relu_"},
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
                             {"hardsigmoid", "hardsigmoid_"}};
  for (auto [name, in_place] : plain)
    for (auto each : {name, in_place}) table.push_back({each, "", name});
  for (std::string_view each : {"hardtanh", "hardtanh_", "clamp", "clamp_", "clip", "clip_"})
    table.push_back({each, "", "hardtanh", Form::clamp});
  for (std::string_view overload : {"", "Tensor"})
    for (std::string_view each : {"clamp_min", "clamp_min_"})
      table.push_back({each, overload, "relu", Form::beside_zero});
  table.push_back({"maximum", "", "relu", Form::beside_zero, {0}, {}, -1, -1, 1});
  table.push_back({"maximum", "", "relu", Form::beside_zero, {1}, {}, -1, -1, 0});
  table.push_back({"logaddexp", "", "softplus", Form::beside_zero, {0}, {}, -1, -1, 1});
  table.push_back({"logaddexp", "", "softplus", Form::beside_zero, {1}, {}, -1, -1, 0});
  for (std::string_view each : {"rrelu", "rrelu_"}) table.push_back({each, "", "rrelu", Form::plain, {0}, {}, 3});
  for (std::string_view each : {"rrelu_with_noise", "rrelu_with_noise_", "rrelu_with_noise_functional"})
    table.push_back({each, "", "rrelu", Form::plain, {0}, {}, 4});
  for (std::string_view each : {"prelu", "_prelu_kernel"})
    table.push_back({each, "", "prelu", Form::plain, {0}, {{1, "weight"}}});
  constexpr Names others[] = {{"log_sigmoid", "log_sigmoid"},
                              {"log_sigmoid", "log_sigmoid_forward"},
                              {"softplus", "softplus"},
                              {"hardshrink", "hardshrink"},
                              {"softshrink", "softshrink"}};
  for (auto [kind, name] : others) table.push_back({name, "", kind});
}

// With weights, and what has the weight computed from the input.
void add_weighted(Table& table) {
  const Parameters weight_bias{{1, "weight"}, {2, "bias"}};
  table.push_back({"linear", "", "linear", Form::plain, {0}, weight_bias});
  table.push_back({"linear", "", "linear", Form::weight_left, {1}, {{0, "weight"}, {2, "bias"}}});
  table.push_back({"linear", "", "matmul", Form::plain, {0, 1}, {{2, "bias"}}});
  for (std::string_view each : {"mm", "bmm", "matmul", "mv", "dot", "vdot"}) {
    table.push_back({each, "", "linear", Form::weight_right, {0}, {{1, "weight"}}});
    table.push_back({each, "", "linear", Form::weight_left, {1}, {{0, "weight"}}});
    table.push_back({each, "", "matmul", Form::plain, {0, 1}});
  }
  for (std::string_view each : {"addmm", "baddbmm", "addbmm", "addmv"}) {
    table.push_back({each, "", "linear", Form::weight_right, {1}, {{2, "weight"}, {0, "bias"}}});
    table.push_back({each, "", "linear", Form::weight_left, {2}, {{1, "weight"}, {0, "bias"}}});
    table.push_back({each, "", "matmul", Form::plain, {1, 2}, {{0, "bias"}}});
  }
  // Experts side by side, each with rows of its own.
  table.push_back({"_grouped_mm", "", "linear", Form::weight_right, {0}, {{1, "weight"}, {3, "bias"}}});
  table.push_back({"_grouped_mm", "", "matmul", Form::plain, {0, 1}, {{3, "bias"}}});
  for (std::string_view conv : {"conv1d", "conv2d", "conv3d"})
    for (std::string_view overload : {"", "padding"})
      table.push_back({conv, overload, conv, Form::plain, {0}, weight_bias});
  table.push_back({"conv_transpose1d", "", "conv_transpose1d", Form::plain, {0}, weight_bias});
  table.push_back({"conv_transpose2d", "input", "conv_transpose2d", Form::plain, {0}, weight_bias});
  table.push_back({"conv_transpose3d", "input", "conv_transpose3d", Form::plain, {0}, weight_bias});
  table.push_back({"convolution", "", "", Form::convolution, {0}, weight_bias, -1, 6});
  table.push_back({"_convolution", "", "", Form::convolution, {0}, weight_bias, -1, 6});
  table.push_back({"_convolution", "deprecated", "", Form::convolution, {0}, weight_bias, -1, 6});
  table.push_back({"_convolution_mode", "", "", Form::convolution, {0}, weight_bias});
  table.push_back({"bilinear", "", "bilinear", Form::plain, {0}, {{2, "weight"}, {3, "bias"}}, -1, -1, 1});
  table.push_back({"bilinear", "", "bilinear", Form::plain, {1}, {{2, "weight"}, {3, "bias"}}, -1, -1, 0});
  table.push_back({"embedding", "", "embedding", Form::lookup, {1}, {{0, "weight"}}});
  table.push_back({"embedding_bag", "padding_idx", "embedding", Form::lookup, {1}, {{0, "weight"}}});
  for (std::string_view bag : {"embedding_bag", "_embedding_bag", "_embedding_bag_forward_only"})
    table.push_back({bag, "", "embedding", Form::lookup, {1}, {{0, "weight"}}});
}

void add_norms(Table& table) {
  const Parameters weight_bias{{1, "weight"}, {2, "bias"}}, behind_shape{{2, "weight"}, {3, "bias"}};
  for (std::string_view each :
       {"batch_norm", "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_functional"})
    table.push_back({each, "", "batch_norm", Form::plain, {0}, weight_bias, 5});
  table.push_back({"_native_batch_norm_legit", "no_stats", "batch_norm", Form::plain, {0}, weight_bias, 3});
  table.push_back({"_native_batch_norm_legit_no_training", "", "batch_norm", Form::plain, {0}, weight_bias});
  for (std::string_view each : {"layer_norm", "native_layer_norm"})
    table.push_back({each, "", "layer_norm", Form::plain, {0}, behind_shape});
  table.push_back({"native_group_norm", "", "group_norm", Form::plain, {0}, weight_bias});
  table.push_back({"group_norm", "", "group_norm", Form::plain, {0}, behind_shape});
  table.push_back({"instance_norm", "", "instance_norm", Form::plain, {0}, weight_bias, 5});
  for (std::string_view each : {"rms_norm", "_fused_rms_norm"})
    table.push_back({each, "", "rms_norm", Form::plain, {0}, {{2, "weight"}}});
  for (std::string_view each : {"softmax", "log_softmax"}) {
    table.push_back({each, "int", each});
    table.push_back({each == "softmax" ? "_softmax" : "_log_softmax", "", each});
  }
  table.push_back({"_safe_softmax", "", "softmax"});
}

// Whose coefficients are fixed.
void add_fixed(Table& table) {
  for (std::string_view pool :
       {"avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
        "max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"})
    table.push_back({pool, "", pool});
  table.push_back({"_adaptive_avg_pool2d", "", "adaptive_avg_pool2d"});
  table.push_back({"_adaptive_avg_pool3d", "", "adaptive_avg_pool3d"});
  table.push_back({"max_pool2d_with_indices", "", "max_pool2d"});
  table.push_back({"max_pool3d_with_indices", "", "max_pool3d"});
  for (std::string_view each : {"mean", "sum"}) table.push_back({each, "", each, Form::spread});
  table.push_back({"mean", "dim", "mean", Form::spread});
  table.push_back({"sum", "dim_IntList", "sum", Form::spread});
  for (std::string_view each : {"upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d",
                                "upsample_bicubic2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"})
    for (std::string_view overload : {"", "vec"}) table.push_back({each, overload, "interpolate"});
  for (std::string_view each : {"add", "add_", "sub", "sub_", "rsub"})
    for (std::string_view overload : {"Tensor", "Scalar"}) table.push_back({each, overload, "add", Form::sum, {0, 1}});
  for (std::string_view each : {"index_add", "index_add_", "scatter_add", "scatter_add_"}) {
    table.push_back({each, "", "add", Form::plain, {0, 3}});
    table.push_back({each, "", "add", Form::plain, {0}, {}, -1, -1, 3});
    table.push_back({each, "", "add", Form::plain, {3}, {}, -1, -1, 0});
  }
  for (std::string_view each : {"neg", "neg_"}) table.push_back({each, "", "scale", Form::factor});
  for (std::string_view each : {"mul", "mul_"}) {
    table.push_back({each, "Scalar", "scale", Form::factor});
    table.push_back({each, "Tensor", "scale", Form::factor, {0}, {}, -1, -1, 1});
    table.push_back({each, "Tensor", "scale", Form::factor, {1}, {}, -1, -1, 0});
    table.push_back({each, "Tensor", "product", Form::plain, {0, 1}});
  }
  for (std::string_view each : {"div", "div_"}) {
    table.push_back({each, "Scalar", "scale", Form::factor});
    table.push_back({each, "Tensor", "scale", Form::factor, {0}, {}, -1, -1, 1});
    table.push_back({each, "Tensor", "statistic", Form::plain, {1}, {}, -1, -1, 0});
    table.push_back({each, "Tensor", "quotient", Form::plain, {0, 1}});
  }
  for (std::string_view each : {"rsqrt", "rsqrt_", "reciprocal", "reciprocal_"})
    table.push_back({each, "", "statistic"});
  for (std::string_view each : {"pow", "pow_"}) {
    auto overload = each == "pow" ? "Tensor_Scalar" : "Scalar";
    table.push_back({each, overload, "statistic", Form::inverse});
  }
}

void add_dropout(Table& table) {
  constexpr Names names[] = {{"dropout", "dropout_"},
                             {"feature_dropout", "feature_dropout_"},
                             {"alpha_dropout", "alpha_dropout_"},
                             {"feature_alpha_dropout", "feature_alpha_dropout_"}};
  for (auto [name, in_place] : names)
    for (auto each : {name, in_place}) table.push_back({each, "", name, Form::dropout, {0}, {}, 2});
  table.push_back({"native_dropout", "", "dropout", Form::dropout, {0}, {}, 2});
}

Table make_table() {
  Table table;
  add_activations(table);
  add_weighted(table);
  add_norms(table);
  add_fixed(table);
  add_dropout(table);
  std::stable_sort(table.begin(), table.end(),
                   [](auto& a, auto& b) { return std::pair(a.name, a.overload) < std::pair(b.name, b.overload); });
  return table;
}

}  // namespace

std::span<const Pattern> find_patterns(std::string_view name, std::string_view overload) {
  static const auto table = make_table();
  std::pair wanted(base_name(name), overload);
  auto before = [](auto& row, auto& each) { return std::pair(row.name, row.overload) < each; };
  auto behind = [](auto& each, auto& row) { return each < std::pair(row.name, row.overload); };
  auto first = std::lower_bound(table.begin(), table.end(), wanted, before);
  auto last = std::upper_bound(first, table.end(), wanted, behind);
  return {first, last};
}

bool follows_indices(std::string_view name) {
  static const std::set<std::string_view> names{
      // the same numbers under another shape
      "view", "view_as", "_unsafe_view", "reshape", "reshape_as", "_reshape_alias", "flatten", "unflatten", "ravel",
      "squeeze", "squeeze_", "unsqueeze", "unsqueeze_", "expand", "expand_as", "broadcast_to", "atleast_1d",
      "atleast_2d", "atleast_3d",
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
      "replication_pad3d", "max_unpool2d", "max_unpool3d", "where", "masked_fill", "masked_fill_", "_unsafe_index",
      "_unsafe_masked_index",
      // side by side
      "cat", "concat", "concatenate", "stack", "_stack", "hstack", "vstack", "dstack", "column_stack", "block_diag",
      "split", "split_with_sizes", "tensor_split", "chunk", "unbind", "unsafe_chunk", "unsafe_split",
      "unsafe_split_with_sizes", "split_copy", "split_with_sizes_copy", "unbind_copy", "hsplit", "vsplit", "dsplit",
      "meshgrid",
      // copies, and writes into a part of a tensor
      "clone", "contiguous", "alias", "to", "type_as", "_to_copy", "copy", "copy_", "index_put_", "index_put",
      "_unsafe_index_put", "cpu", "cuda", "positive", "requires_grad_", "retain_grad", "_lazy_clone", "lift",
      "lift_fresh", "lift_fresh_copy", "identity", "detach", "detach_", "resolve_conj", "resolve_neg", "conj", "real",
      "double", "float", "half", "bfloat16", "select_scatter", "slice_scatter", "diagonal_scatter",
      "as_strided_scatter", "zero_", "fill_", "view_copy", "slice_copy", "select_copy", "expand_copy", "permute_copy",
      "transpose_copy", "squeeze_copy", "unsqueeze_copy", "alias_copy"};
  return names.contains(base_name(name));
}

bool stays_whole(std::string_view name) {
  static const std::set<std::string_view> names{// recurrent layers
                                                "lstm", "gru", "rnn_tanh", "rnn_relu",
                                                // others that are known by their names
                                                "scaled_dot_product_attention", "_scaled_dot_product_attention_math",
                                                "bilinear", "cdist"};
  return names.contains(base_name(name));
}

bool lacks_derivative(std::string_view name) {
  name = base_name(name);
  return name == "_triton_multi_head_attention" || name == "_triton_scaled_dot_attention" ||
         name.starts_with("_nested") || name.find("nested_tensor") != name.npos;
}

bool gives_no_values(std::string_view name) {
  static const std::set<std::string_view> names{
      // truth
      "eq", "ne", "lt", "le", "gt", "ge", "equal", "isnan", "isinf", "isfinite", "logical_and", "logical_or",
      "logical_not", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_not", "bitwise_xor", "__and__", "__or__",
      "__xor__", "any", "all", "is_nonzero", "isin", "allclose", "is_same_size", "_assert_async",
      "_assert_tensor_metadata",
      // places
      "argmax", "argmin", "argsort", "nonzero", "bucketize", "searchsorted",
      // sizes
      "size", "sym_size", "numel", "sym_numel", "dim", "stride", "sym_stride", "storage_offset", "is_floating_point",
      "is_contiguous", "_shape_as_tensor",
      // numbers of another's shape or type, and integers
      "zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "new_zeros", "new_ones",
      "new_full", "new_empty", "new_tensor", "scalar_tensor", "item", "_local_scalar_dense", "detach", "int", "long",
      "bool", "byte"};
  return names.contains(libtorch::functional_name(name));
}

std::string_view kind_of_class(std::string_view name) {
  static const std::map<std::string_view, std::string_view> kinds{{"ReLU", "relu"},
                                                                  {"ReLU6", "relu6"},
                                                                  {"LeakyReLU", "leaky_relu"},
                                                                  {"PReLU", "prelu"},
                                                                  {"RReLU", "rrelu"},
                                                                  {"ELU", "elu"},
                                                                  {"SELU", "selu"},
                                                                  {"CELU", "celu"},
                                                                  {"GELU", "gelu"},
                                                                  {"SiLU", "silu"},
                                                                  {"Mish", "mish"},
                                                                  {"Sigmoid", "sigmoid"},
                                                                  {"LogSigmoid", "log_sigmoid"},
                                                                  {"Tanh", "tanh"},
                                                                  {"Softplus", "softplus"},
                                                                  {"Softsign", "softsign"},
                                                                  {"Threshold", "threshold"},
                                                                  {"Hardtanh", "hardtanh"},
                                                                  {"Hardswish", "hardswish"},
                                                                  {"Hardsigmoid", "hardsigmoid"},
                                                                  {"Hardshrink", "hardshrink"},
                                                                  {"Softshrink", "softshrink"},
                                                                  {"Tanhshrink", "tanhshrink"},
                                                                  // transformers' names
                                                                  {"GELUActivation", "gelu"},
                                                                  {"NewGELUActivation", "gelu"},
                                                                  {"FastGELUActivation", "gelu"},
                                                                  {"QuickGELUActivation", "gelu"},
                                                                  {"PytorchGELUTanh", "gelu"},
                                                                  {"GELUTanh", "gelu"},
                                                                  {"SiLUActivation", "silu"},
                                                                  {"MishActivation", "mish"},
                                                                  // no activations, but of one piece all the same
                                                                  {"Softmax", "softmax"},
                                                                  {"LogSoftmax", "log_softmax"},
                                                                  {"LayerNorm", "layer_norm"},
                                                                  {"GroupNorm", "group_norm"},
                                                                  {"InstanceNorm1d", "instance_norm"},
                                                                  {"InstanceNorm2d", "instance_norm"},
                                                                  {"InstanceNorm3d", "instance_norm"},
                                                                  {"RMSNorm", "rms_norm"},
                                                                  {"AvgPool1d", "avg_pool1d"},
                                                                  {"AvgPool2d", "avg_pool2d"},
                                                                  {"AvgPool3d", "avg_pool3d"},
                                                                  {"AdaptiveAvgPool1d", "adaptive_avg_pool1d"},
                                                                  {"AdaptiveAvgPool2d", "adaptive_avg_pool2d"},
                                                                  {"AdaptiveAvgPool3d", "adaptive_avg_pool3d"},
                                                                  {"Upsample", "interpolate"},
                                                                  {"UpsamplingBilinear2d", "interpolate"}};
  auto found = kinds.find(name);
  return found == kinds.end() ? std::string_view() : found->second;
}

}  // namespace ascribe::layering
