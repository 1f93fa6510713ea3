#include "interpreter/layers/batch_norm.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::layering {

using libtorch::ParameterCache, libtorch::Written;

namespace {

// A number for each channel, laid along one dimension of many.
at::Tensor along(const at::Tensor& numbers, std::int64_t dimension, std::int64_t rank) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(rank), 1);
  shape[static_cast<std::size_t>(dimension)] = numbers.size(0);
  return numbers.view(shape);
}

// A weight [a, b, …] as [groups, a / groups, b, …]. Of a convolution, each group of output channels reads its own b
// input channels; of a transposed one, each group of input channels makes its own b output channels.
at::Tensor grouped(const at::Tensor& weight, std::int64_t groups) {
  auto shape = weight.sizes().vec();
  shape[0] /= groups;
  shape.insert(shape.begin(), groups);
  return weight.reshape(shape);
}

// A number for each of groups · b channels, laid along a grouped weight.
at::Tensor along_groups(const at::Tensor& numbers, const at::Tensor& weight) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()), 1);
  shape[0] = weight.size(0);
  shape[2] = weight.size(2);
  return numbers.view(shape);
}

// How many groups a weight [a, b, …] has where there are so many channels; 0 where they do not fit.
std::int64_t groups_of(const at::Tensor& weight, std::int64_t channels) {
  auto each = weight.size(1);
  if (each == 0 || channels == 0 || channels % each != 0) return 0;
  return weight.size(0) % (channels / each) == 0 ? channels / each : 0;
}

// Where the channels of a layer's output are: of a linear layer, its last dimension.
std::int64_t channel_dimension(const language::Kind& kind, const at::Tensor& output) {
  return language::covers("linear", kind) ? output.dim() - 1 : 1;
}

// Whether `read` is a view of all of a contiguous `output` whose dimension 1 is the output's channels.
bool shows_channels(const at::Tensor& output, std::int64_t channels, const at::Tensor& read) {
  if (!output.is_contiguous() || read.numel() != output.numel() || read.storage_offset() != output.storage_offset())
    return false;
  auto size = output.size(channels), stride = output.stride(channels);
  if (read.dim() < 2 || read.size(1) != size || (size > 1 && read.stride(1) != stride)) return false;
  std::int64_t inside = 0;  // how far the dimensions lead that stay within one channel of one sample
  for (std::int64_t d = 0; d < read.dim(); ++d) {
    if (d == 1 || read.size(d) == 1 || read.stride(d) % (stride * size) == 0) continue;
    inside += read.stride(d) * (read.size(d) - 1);
  }
  return inside < stride;
}

// `made`: the weight and the bias that the layer has from now on.
FoldedLayer with_parameters(const Operation& linear, Tensors made, bool has_bias, std::int64_t channels) {
  auto operation = std::make_shared<Operation>(linear);
  if (!has_bias) {
    auto& step = operation->steps.front();
    auto place = step.op.schema().argumentIndexWithName("bias");
    if (operation->steps.size() == 1 && place && libtorch::base_name(step.op.operator_name().name) != "addmm")
      step.slots.push_back({static_cast<std::size_t>(*place), Slot::From::parameter, 1});
    else
      operation->adds_bias_along = channels;
  }
  return {std::move(operation), {{"weight", std::move(made[0])}, {"bias", std::move(made[1])}}};
}

}  // namespace

bool is_linear(const language::Kind& kind) {
  return language::covers("linear", kind) || language::covers("convolution", kind);
}

BatchNorm batch_norm_of(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments, Written written) {
  at::NoGradGuard no_grad;
  auto tensor = [&](std::size_t i) { return arguments[i].isTensor() ? arguments[i].toTensor() : at::Tensor(); };
  auto gamma = tensor(1), beta = tensor(2), mean = tensor(3), variance = tensor(4);
  auto place = static_cast<std::size_t>(*op.schema().argumentIndexWithName("eps"));
  auto epsilon = arguments[place].toDouble();
  auto made = ParameterCache::instance().get(ParameterCache::nobody, filled("batch norm {}", epsilon),
                                             {gamma, beta, mean, variance}, written, [&]() -> Tensors {
                                               auto scale = (variance + epsilon).sqrt().reciprocal();
                                               if (gamma.defined()) scale = gamma * scale;
                                               auto shift = -mean * scale;
                                               return {scale, beta.defined() ? beta + shift : shift};
                                             });
  return {made[0], made[1], written};
}

std::optional<FoldedLayer> folded_behind(const Operation& linear, const NamedTensors& parameters,
                                         const at::Tensor& output, const at::Tensor& read,
                                         const BatchNorm& batch_norm) {
  auto& kind = *linear.kind;
  if (!is_linear(kind) || parameters.empty() || output.dim() < 2) return {};
  auto channels = channel_dimension(kind, output);
  bool same = output.sizes() == read.sizes() && output.strides() == read.strides();
  if (same ? channels != 1 : !shows_channels(output, channels, read)) return {};
  at::NoGradGuard no_grad;
  auto& weight = parameters[0].second;
  auto bias = parameters.size() > 1 ? parameters[1].second : at::Tensor();
  // What does not fit is for batch norm itself to refuse.
  if (output.size(channels) != batch_norm.scale.size(0)) return {};
  auto scale = batch_norm.scale.to(weight.options()), shift = batch_norm.shift.to(weight.options());
  bool transposed = kind.name.starts_with("conv_transpose");
  auto groups = transposed ? groups_of(weight, scale.size(0)) : 1;
  if (groups == 0) return {};
  auto scaled = [&] {
    if (!transposed) return weight * along(scale, 0, weight.dim());
    auto in_groups = grouped(weight, groups);
    return (in_groups * along_groups(scale, in_groups)).reshape(weight.sizes());
  };
  auto made = ParameterCache::instance().get(ParameterCache::nobody, filled("behind {}", transposed ? groups : 0),
                                             {weight, bias, scale, shift}, batch_norm.written, [&]() -> Tensors {
                                               return {scaled(), bias.defined() ? bias * scale + shift : shift.clone()};
                                             });
  auto out = with_parameters(linear, std::move(made), bias.defined(), language::covers("linear", kind) ? -1 : 1);
  if (same) return out;
  auto operation = std::make_shared<Operation>(*out.operation);
  operation->view = Operation::View{read.sizes().vec(), read.strides().vec()};
  out.operation = std::move(operation);
  return out;
}

std::optional<FoldedLayer> folded_before(const Operation& linear, const NamedTensors& parameters, const at::Tensor& x,
                                         const BatchNorm& batch_norm) {
  auto& kind = *linear.kind;
  if (!is_linear(kind) || kind.name.starts_with("conv_transpose") || parameters.empty()) return {};
  if (language::covers("linear", kind) && x.dim() != 2) return {};
  at::NoGradGuard no_grad;
  auto& weight = parameters[0].second;
  auto scale = batch_norm.scale.to(weight.options()), shift = batch_norm.shift.to(weight.options());
  if (x.dim() < 2 || x.size(1) != scale.size(0)) return {};
  auto groups = groups_of(weight, scale.size(0));
  if (groups == 0) return {};
  bool has_bias = parameters.size() > 1;
  auto own_bias = has_bias ? parameters[1].second : at::Tensor();
  auto made = ParameterCache::instance().get(
      ParameterCache::nobody, "before", {weight, own_bias, scale, shift}, batch_norm.written, [&]() -> Tensors {
        auto in_groups = grouped(weight, groups);
        auto bias = (in_groups * along_groups(shift, in_groups)).flatten(2).sum(2).flatten();
        return {(in_groups * along_groups(scale, in_groups)).reshape(weight.sizes()),
                has_bias ? own_bias + bias : bias};
      });
  return with_parameters(linear, std::move(made), has_bias, 1);
}

}  // namespace ascribe::layering
