#include "interpreter/attach/batch_norm.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace ascribe::attaching {
namespace {

// A number for each channel, laid along one dimension of many.
at::Tensor along(const at::Tensor& numbers, std::int64_t dimension, std::int64_t rank) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(rank), 1);
  shape[static_cast<std::size_t>(dimension)] = numbers.size(0);
  return numbers.view(shape);
}

// The weight of a transposed convolution is [in, out / groups, …]; its output channels are group by group.
at::Tensor scaled_transposed(const at::Tensor& weight, const at::Tensor& scale) {
  auto in = weight.size(0), each = weight.size(1), groups = scale.size(0) / each;
  auto shape = weight.sizes().vec();
  shape[0] = in / groups;
  shape.insert(shape.begin(), groups);
  std::vector<std::int64_t> factors(shape.size(), 1);
  factors[0] = groups;
  factors[2] = each;
  return (weight.reshape(shape) * scale.view(factors)).reshape(weight.sizes());
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

std::optional<LayerCall> merged(const LayerCall& linear, const at::Tensor& y, const BatchNorm& batch_norm) {
  auto* kind = language::find_kind(linear.report->kind);
  if (!kind || !is_linear(*kind) || !linear.merges || !linear.apply) return {};
  if (linear.output_version != static_cast<std::int64_t>(y._version())) return {};
  // A linear layer's channels are its last dimension, batch norm's are dimension 1.
  if (language::covers("linear", *kind) && y.dim() != 2) return {};
  at::NoGradGuard no_grad;
  at::Tensor weight, bias;
  for (auto& [name, kept] : linear.parameters) (name == "weight" ? weight : bias) = kept.get("the " + name);
  if (!weight.defined()) return {};
  auto scale = batch_norm.scale.to(weight.options()), shift = batch_norm.shift.to(weight.options());
  bool transposed = kind->name.starts_with("conv_transpose");
  auto out = linear;
  out.parameters = {
      {"weight",
       KeptTensor::result(transposed ? scaled_transposed(weight, scale) : weight * along(scale, 0, weight.dim()))},
      {"bias", KeptTensor::result(bias.defined() ? bias * scale + shift : shift.clone())},
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
  auto out = weight.size(0), each = weight.size(1), groups = scale.size(0) / each;
  if (x.size(1) != scale.size(0) || groups * each != scale.size(0) || out % groups != 0) return {};
  // [groups, out / groups, in / groups, …]: each group of output channels reads its own input channels.
  auto shape = weight.sizes().vec();
  shape[0] = out / groups;
  shape.insert(shape.begin(), groups);
  std::vector<std::int64_t> channels(shape.size(), 1);
  channels[0] = groups;
  channels[2] = each;
  auto grouped = weight.reshape(shape);
  auto bias = (grouped * shift.view(channels)).flatten(2).sum(2).flatten();
  FoldedLayer layer{{{"weight", (grouped * scale.view(channels)).reshape(weight.sizes())}}, apply};
  bool has_bias = parameters.size() > 1;
  layer.parameters.emplace_back("bias", has_bias ? parameters[1].second + bias : bias);
  if (!has_bias) layer.apply = with_bias(apply);
  return layer;
}

}  // namespace ascribe::attaching
