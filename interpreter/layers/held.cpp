#include "interpreter/layers/held.hpp"

#include <ATen/ATen.h>

#include <limits>
#include <numeric>

namespace ascribe::layering {
namespace {

const c10::IValue* argument(const Step& step, const char* name) {
  auto place = step.op.schema().argumentIndexWithName(name);
  return place ? &step.arguments[static_cast<std::size_t>(*place)] : nullptr;
}

double epsilon_of(const Step& step, const at::Tensor& x) {
  auto* eps = argument(step, "eps");
  if (eps && !eps->isNone()) return eps->toDouble();
  return x.scalar_type() == at::kDouble ? std::numeric_limits<double>::epsilon()
                                        : std::numeric_limits<float>::epsilon();
}

std::vector<std::int64_t> dimensions_from(std::int64_t first, const at::Tensor& x) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(x.dim() - first));
  std::iota(out.begin(), out.end(), first);
  return out;
}

// σ for each element of x that it divides.
at::Tensor deviation(const Operation& operation, const at::Tensor& x) {
  auto& step = operation.steps.front();
  auto& kind = operation.kind->name;
  auto eps = epsilon_of(step, x);
  if (kind == "group_norm") {
    auto* count = argument(step, "num_groups");
    if (!count) count = argument(step, "group");
    auto groups = x.reshape({x.size(0), count->toInt(), -1});
    auto sigma = at::sqrt(at::var(groups, at::IntArrayRef{2}, /*unbiased=*/false, /*keepdim=*/true) + eps);
    return sigma.expand_as(groups).reshape(x.sizes());
  }
  auto dimensions = dimensions_from(2, x);
  if (kind != "instance_norm") {
    auto normalised = argument(step, "normalized_shape")->toDimVector().size();
    dimensions = dimensions_from(x.dim() - static_cast<std::int64_t>(normalised), x);
  }
  auto square = kind == "rms_norm" ? at::mean(x * x, dimensions, /*keepdim=*/true)
                                   : at::var(x, dimensions, /*unbiased=*/false, /*keepdim=*/true);
  return at::sqrt(square + eps);
}

bool divides(const Operation& operation) {
  if (!operation.kind || operation.steps.size() != 1) return false;
  auto& name = operation.kind->name;
  return name == "layer_norm" || name == "group_norm" || name == "instance_norm" || name == "rms_norm";
}

}  // namespace

at::Tensor run_held(const Operation& operation, const Tensors& inputs, const Tensors& parameters, const Tensors& own) {
  auto y = operation.run(inputs, parameters);
  if (!divides(operation)) return y;
  // (y − b) · σ(x) is (x − mean(x)) · w, which σ as it was divides; b is the middle between what x and −x give.
  auto b = (operation.run({own[0]}, parameters) + operation.run({-own[0]}, parameters)) / 2;
  return b + (y - b) * (deviation(operation, inputs[0]) / deviation(operation, own[0]).detach());
}

}  // namespace ascribe::layering
