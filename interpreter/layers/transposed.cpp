#include "interpreter/layers/transposed.hpp"

#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>

#include <algorithm>
#include <string_view>

#include "interpreter/language/kinds.hpp"
#include "interpreter/layers/held.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::layering {
namespace {

using Sizes = std::vector<std::int64_t>;
using Result = std::optional<Tensors>;

const c10::IValue& argument(const TransposedCall& call, std::size_t place) {
  return call.operation.steps.front().arguments.at(place);
}

Sizes spread(const c10::IValue& argument, std::size_t dimensions, std::int64_t otherwise = 0) {
  auto sizes = argument.isIntList() ? argument.toIntVector() : argument.isInt() ? Sizes{argument.toInt()} : Sizes{};
  if (sizes.empty()) sizes = {otherwise};
  if (sizes.size() == 1) sizes.resize(dimensions, sizes[0]);
  return sizes;
}

Result one(at::Tensor tensor) { return Tensors{std::move(tensor)}; }

// ------------------------------------------------------------------------------------------------------- with weights

Result of_linear(const TransposedCall& call) {
  auto& weight = call.parameters.at(0);
  auto& x = call.inputs[0];
  if (weight.dim() != 2 || call.gamma.dim() != x.dim()) return {};
  return one(at::matmul(call.gamma, weight));
}

struct Window {
  Sizes stride, padding, dilation, output_padding;
  bool transposed = false;
  std::int64_t groups = 1;
};

// Padding by name, as far as it is the same on both sides.
std::optional<Sizes> named_padding(std::string_view name, const at::Tensor& weight, const Sizes& dilation) {
  Sizes out(dilation.size(), 0);
  if (name == "valid") return out;
  for (std::size_t d = 0; d < out.size(); ++d) {
    auto reach = dilation[d] * (weight.size(static_cast<std::int64_t>(d) + 2) - 1);
    if (reach % 2 != 0) return {};
    out[d] = reach / 2;
  }
  return out;
}

std::optional<Window> window_of(const TransposedCall& call) {
  auto& weight = call.parameters.at(0);
  auto dimensions = static_cast<std::size_t>(weight.dim() - 2);
  auto name = libtorch::base_name(call.operation.steps.front().op.operator_name().name);
  auto at = [&](std::size_t place, std::int64_t otherwise) {
    return spread(argument(call, place), dimensions, otherwise);
  };
  Window out;
  out.stride = at(3, 1), out.output_padding = Sizes(dimensions, 0);
  if (name.starts_with("conv_transpose")) {  // input, weight, bias, stride, padding, output padding, groups, dilation
    out.padding = at(4, 0), out.output_padding = at(5, 0), out.dilation = at(7, 1);
    out.transposed = true, out.groups = argument(call, 6).toInt();
    return out;
  }
  out.dilation = at(5, 1);
  if (auto& padding = argument(call, 4); padding.isString()) {
    auto named = named_padding(padding.toStringRef(), weight, out.dilation);
    if (!named) return {};
    out.padding = *named;
  } else {
    out.padding = at(4, 0);
  }
  bool general = name == "convolution" || name == "_convolution";  // …, dilation, transposed, output padding, groups
  if (general) out.transposed = argument(call, 6).toBool(), out.output_padding = at(7, 0);
  out.groups = argument(call, general ? 8 : 6).toInt();
  return out;
}

Result of_convolution(const TransposedCall& call) {
  auto window = window_of(call);
  auto& weight = call.parameters.at(0);
  if (!window || call.gamma.dim() != weight.dim()) return {};
  return one(std::get<0>(at::convolution_backward(call.gamma, call.inputs[0], weight, std::nullopt, window->stride,
                                                  window->padding, window->dilation, window->transposed,
                                                  window->output_padding, window->groups, {true, false, false})));
}

// --------------------------------------------------------------------------------------------------- fixed
// coefficients

template <typename Each>
Result each_input(const TransposedCall& call, const Each& each) {
  Tensors out(call.inputs.size());
  for (std::size_t i = 0; i < out.size(); ++i)
    if (call.wanted[i]) out[i] = at::sum_to(each(i), call.inputs[i].sizes());
  return out;
}

Result of_sum(const TransposedCall& call) {
  auto factors = call.operation.coefficient.value.to(at::kDouble);
  return each_input(call, [&](std::size_t i) {
    auto factor = factors[static_cast<std::int64_t>(i)].item<double>();
    return factor == 1 ? call.gamma : call.gamma * factor;
  });
}

Result of_scale(const TransposedCall& call) {
  return each_input(call, [&](std::size_t) { return call.gamma * call.operation.coefficient.value; });
}

Result of_product(const TransposedCall& call) {
  return each_input(call, [&](std::size_t i) { return call.gamma * call.inputs[1 - i]; });
}

Result of_matrix_product(const TransposedCall& call) {
  auto &a = call.inputs[0], &b = call.inputs[1];
  if (a.dim() < 2 || b.dim() < 2) return {};
  return each_input(call, [&](std::size_t i) {
    return i == 0 ? at::matmul(call.gamma, b.transpose(-1, -2)) : at::matmul(a.transpose(-1, -2), call.gamma);
  });
}

Result of_avg_pool2d(const TransposedCall& call) {
  std::optional<std::int64_t> divisor;
  if (auto& given = argument(call, 6); given.isInt()) divisor = given.toInt();
  auto kernel = spread(argument(call, 1), 2), stride = spread(argument(call, 2), 2);
  if (stride[0] == 0) stride = kernel;
  return one(at::avg_pool2d_backward(call.gamma, call.inputs[0], kernel, stride, spread(argument(call, 3), 2),
                                     argument(call, 4).toBool(), argument(call, 5).toBool(), divisor));
}

Result of_adaptive_avg_pool2d(const TransposedCall& call) {
  auto& x = call.inputs[0];
  auto& y = call.gamma;
  if (y.size(-1) == 1 && y.size(-2) == 1) return one((y / static_cast<double>(x.size(-1) * x.size(-2))).expand_as(x));
  return one(at::_adaptive_avg_pool2d_backward(y, x));
}

// Along dimensions; a mean shares out what a sum gives to each.
Result of_reduction(const TransposedCall& call) {
  auto& x = call.inputs[0];
  if (!argument(call, 1).isIntList() || x.dim() == 0) return {};
  auto dimensions = argument(call, 1).toIntVector();
  auto gamma = call.gamma;
  if (dimensions.empty()) return {};
  for (auto& d : dimensions) d = d < 0 ? d + x.dim() : d;
  std::sort(dimensions.begin(), dimensions.end());
  if (gamma.dim() != x.dim())
    for (auto d : dimensions) gamma = gamma.unsqueeze(d);
  if (call.operation.kind->name == "mean") gamma = gamma * call.operation.coefficient.value;
  return one(gamma.expand_as(x));
}

Result of_norm(const TransposedCall& call) {
  auto v = transposed_held(call.operation, call.parameters, call.inputs[0], call.gamma);
  return v ? one(*v) : Result();
}

// -------------------------------------------------------------------------------------------------------- not linear

Result of_softmax(const TransposedCall& call) {
  auto& dimension = argument(call, 1);
  if (!dimension.isInt() || call.inputs[0].scalar_type() != call.output.scalar_type()) return {};
  return one(at::_softmax_backward_data(call.gamma, call.output, dimension.toInt(), call.output.scalar_type()));
}

// ------------------------------------------------------------------------------------------------------------ the
// table

struct TransposedRow {
  std::string_view kind;  ///< or the group of kinds
  std::string_view name;  ///< of the operator; empty: any that is of this kind
  Transposed transposed;
};
constexpr TransposedRow table_of_transposed[] = {
    {"linear", "linear", {.run = of_linear, .takes_weights = true}},
    {"linear", "mm", {.run = of_linear, .takes_weights = true}},
    {"linear", "matmul", {.run = of_linear, .takes_weights = true}},
    {"linear", "addmm", {.run = of_linear, .takes_weights = true}},
    {"convolution", "", {.run = of_convolution, .takes_weights = true}},
    {"add", "add", {.run = of_sum}},
    {"add", "add_", {.run = of_sum}},
    {"add", "sub", {.run = of_sum}},
    {"add", "sub_", {.run = of_sum}},
    {"add", "rsub", {.run = of_sum}},
    {"scale", "", {.run = of_scale}},
    {"product", "mul", {.run = of_product}},
    {"product", "mul_", {.run = of_product}},
    {"matmul", "matmul", {.run = of_matrix_product}},
    {"matmul", "mm", {.run = of_matrix_product}},
    {"matmul", "bmm", {.run = of_matrix_product}},
    {"avg_pool2d", "avg_pool2d", {.run = of_avg_pool2d}},
    {"adaptive_avg_pool2d", "", {.run = of_adaptive_avg_pool2d}},
    {"mean", "mean", {.run = of_reduction}},
    {"sum", "sum", {.run = of_reduction}},
    {"layer_norm", "", {.run = of_norm, .holds = true}},
    {"group_norm", "", {.run = of_norm, .holds = true}},
    {"instance_norm", "", {.run = of_norm, .holds = true}},
    {"rms_norm", "", {.run = of_norm, .holds = true}},
    {"batch_norm", "", {.run = of_norm}},
    {"softmax", "softmax", {.run = of_softmax, .needs_output = true}},
    {"softmax", "_softmax", {.run = of_softmax, .needs_output = true}},
};

// x · w with the weight [out, in], and a bias that is added as it is.
bool is_plain_product(const Step& step) {
  auto name = libtorch::base_name(step.op.operator_name().name);
  if (name == "addmm" && !(step.arguments[3].toScalar().equal(1) && step.arguments[4].toScalar().equal(1)))
    return false;
  std::size_t x = name == "addmm" ? 1 : 0;
  auto is_input = [&](const Slot& slot) { return slot.from == Slot::From::input && slot.argument == x; };
  auto stands = [&](const Slot& slot) {  // the operators of matrices take it the other way round
    return slot.from != Slot::From::parameter || slot.index != 0 || slot.transposed == (name != "linear");
  };
  return std::any_of(step.slots.begin(), step.slots.end(), is_input) &&
         std::all_of(step.slots.begin(), step.slots.end(), stands);
}

// Whether all that follows a product is the addition of a bias: so LibTorch computes it on more than two dimensions.
bool adds_its_bias(const Operation& operation) {
  if (operation.kind->name != "linear" || operation.steps.size() != 2) return false;
  auto& step = operation.steps.back();
  auto name = libtorch::base_name(step.op.operator_name().name);
  return (name == "add" || name == "add_") && step.slots.size() == 2 && step.slots[0].from == Slot::From::step &&
         step.slots[0].index == 0 && step.slots[1].from == Slot::From::parameter;
}

}  // namespace

const Transposed* find_transposed(const Operation& operation) {
  if (!operation.kind || operation.function || operation.view || operation.steps.empty()) return nullptr;
  if (operation.steps.size() > 1 && !adds_its_bias(operation)) return nullptr;
  auto& step = operation.steps.front();
  auto name = libtorch::base_name(step.op.operator_name().name);
  auto found = std::find_if(std::begin(table_of_transposed), std::end(table_of_transposed), [&](auto& row) {
    return language::covers(row.kind, *operation.kind) && (row.name.empty() || row.name == name);
  });
  if (found == std::end(table_of_transposed)) return nullptr;
  if (operation.kind->name == "linear" && !is_plain_product(step)) return nullptr;
  return &found->transposed;
}

const Transposed* find_transposed(const language::Kind& kind) {
  auto found = std::find_if(std::begin(table_of_transposed), std::end(table_of_transposed),
                            [&](auto& row) { return language::covers(row.kind, kind); });
  return found == std::end(table_of_transposed) ? nullptr : &found->transposed;
}

bool can_be_stacked(const Transposed& transposed, const Operation& operation) {
  if (!transposed.takes_weights || operation.adds_bias_along) return false;
  if (operation.kind->name == "linear") return true;
  auto& step = operation.steps.front();
  auto name = libtorch::base_name(step.op.operator_name().name);
  if (name.starts_with("conv_transpose")) return false;
  bool general = name == "convolution" || name == "_convolution";
  return !(general && step.arguments[6].toBool()) && step.arguments[general ? 8 : 6].toInt() == 1;
}

bool can_be_stacked(const language::Kind& kind) {
  auto* transposed = find_transposed(kind);
  return transposed && transposed->takes_weights && !kind.name.starts_with("conv_transpose");
}

std::int64_t output_dimension(const Operation& operation, const at::Tensor& output) {
  return operation.kind->name == "linear" ? output.dim() - 1 : 1;
}

}  // namespace ascribe::layering
