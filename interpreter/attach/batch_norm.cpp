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

}  // namespace

bool is_linear(const language::Kind& kind) {
  return language::covers("linear", kind) || language::covers("convolution", kind);
}

BatchNorm BatchNorm::of(const std::vector<c10::IValue>& arguments) {
  at::NoGradGuard no_grad;
  auto tensor = [&](std::size_t i) { return arguments[i].isTensor() ? arguments[i].toTensor() : at::Tensor(); };
  auto gamma = tensor(1), beta = tensor(2), mean = tensor(3), variance = tensor(4);
  auto scale = (variance + arguments[7].toDouble()).sqrt().reciprocal();
  if (gamma.defined()) scale = gamma * scale;
  auto shift = -mean * scale;
  return {scale, beta.defined() ? beta + shift : shift};
}

std::optional<LayerCall> merged(const LayerCall& linear, const at::Tensor& y, const BatchNorm& batch_norm) {
  auto* kind = language::find_kind(linear.report->kind);
  if (!kind || !is_linear(*kind) || !linear.apply) return {};
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
  if (!bias.defined())
    out.apply = [multiply = linear.apply](const std::vector<at::Tensor>& x, const std::vector<at::Tensor>& theta) {
      auto product = multiply(x, {theta[0]});
      return product + along(theta[1], 1, product.dim());
    };
  return out;
}

}  // namespace ascribe::attaching
