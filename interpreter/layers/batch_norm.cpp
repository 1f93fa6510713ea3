#include "interpreter/layers/batch_norm.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace ascribe::layering {
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

// A linear layer without bias, with one: numbers for the channels, dimension 1.
decltype(evaluate::Layer::apply) with_bias(decltype(evaluate::Layer::apply) multiply) {
  return [multiply = std::move(multiply)](const std::vector<at::Tensor>& x, const std::vector<at::Tensor>& theta) {
    auto product = multiply(x, {theta[0]});
    return product + along(theta[1], 1, product.dim());
  };
}

}  // namespace

bool is_linear(const language::Kind& kind) {
  return language::covers("linear", kind) || language::covers("convolution", kind);
}

BatchNorm batch_norm_of(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments) {
  at::NoGradGuard no_grad;
  auto tensor = [&](std::size_t i) { return arguments[i].isTensor() ? arguments[i].toTensor() : at::Tensor(); };
  auto gamma = tensor(1), beta = tensor(2), mean = tensor(3), variance = tensor(4);
  auto epsilon = static_cast<std::size_t>(*op.schema().argumentIndexWithName("eps"));
  auto scale = (variance + arguments[epsilon].toDouble()).sqrt().reciprocal();
  if (gamma.defined()) scale = gamma * scale;
  auto shift = -mean * scale;
  return {scale, beta.defined() ? beta + shift : shift};
}

std::optional<attaching::LayerCall> merged(const attaching::LayerCall& linear, const at::Tensor& y, const BatchNorm& batch_norm) {
  auto* kind = language::find_kind(linear.report->kind);
  if (!kind || !is_linear(*kind) || !linear.merges || !linear.apply) return {};
  if (linear.output_version != static_cast<std::int64_t>(y._version())) return {};
  // A linear layer's channels are its last dimension, batch norm's are dimension 1.
  if (language::covers("linear", *kind) && y.dim() != 2) return {};
  at::NoGradGuard no_grad;
  at::Tensor weight, bias;
  for (auto& [name, kept] : linear.parameters) (name == "weight" ? weight : bias) = kept.get("the " + name);
  // What does not fit is for batch norm itself to refuse.
  if (!weight.defined() || y.dim() < 2 || y.size(1) != batch_norm.scale.size(0)) return {};
  auto scale = batch_norm.scale.to(weight.options()), shift = batch_norm.shift.to(weight.options());
  bool transposed = kind->name.starts_with("conv_transpose");
  auto groups = transposed ? groups_of(weight, scale.size(0)) : 1;
  if (groups == 0) return {};
  auto scaled = [&] {
    if (!transposed) return weight * along(scale, 0, weight.dim());
    auto in_groups = grouped(weight, groups);
    return (in_groups * along_groups(scale, in_groups)).reshape(weight.sizes());
  };
  auto out = linear;
  out.parameters = {
      {"weight", libtorch::KeptTensor::result(scaled())},
      {"bias", libtorch::KeptTensor::result(bias.defined() ? bias * scale + shift : shift.clone())},
  };
  if (!bias.defined()) out.apply = with_bias(linear.apply);
  return out;
}

std::optional<FoldedLayer> folded(const language::Kind& kind,
                                  const std::vector<std::pair<std::string, at::Tensor>>& parameters,
                                  const decltype(evaluate::Layer::apply)& apply, const at::Tensor& x,
                                  const BatchNorm& batch_norm) {
  if (!is_linear(kind) || kind.name.starts_with("conv_transpose") || parameters.empty()) return {};
  if (language::covers("linear", kind) && x.dim() != 2) return {};
  at::NoGradGuard no_grad;
  auto& weight = parameters[0].second;
  auto scale = batch_norm.scale.to(weight.options()), shift = batch_norm.shift.to(weight.options());
  if (x.dim() < 2 || x.size(1) != scale.size(0)) return {};
  auto groups = groups_of(weight, scale.size(0));
  if (groups == 0) return {};
  auto in_groups = grouped(weight, groups);
  auto bias = (in_groups * along_groups(shift, in_groups)).flatten(2).sum(2).flatten();
  FoldedLayer layer{{{"weight", (in_groups * along_groups(scale, in_groups)).reshape(weight.sizes())}}, apply};
  bool has_bias = parameters.size() > 1;
  layer.parameters.emplace_back("bias", has_bias ? parameters[1].second + bias : bias);
  if (!has_bias) layer.apply = with_bias(apply);
  return layer;
}

}  // namespace ascribe::layering
