#include "interpreter/layers/held.hpp"

#include <ATen/ATen.h>

#include <limits>
#include <numeric>
#include <utility>

#include "interpreter/layers/module_operation.hpp"

namespace ascribe::layering {
namespace {

// The operator of a norm, and what it is called with.
class Norm {
 public:
  Norm(const Operation& operation, const Tensors& parameters)
      : step_(operation.steps.front()), kind_(operation.kind->name), parameters_(parameters) {}

  at::Tensor run(const at::Tensor& x, const at::Tensor& own) const {
    auto centred = [&](const at::Tensor& t, const Sizes& dimensions) {
      return kind_ == "rms_norm" ? t : t - at::mean(t, dimensions, /*keepdim=*/true);
    };
    auto y = in_groups(x, own, [&](const at::Tensor& t, const at::Tensor& held, const Sizes& dimensions) {
      return centred(t, dimensions) / root(held, dimensions);
    });
    return shifted(scaled(y));
  }

  at::Tensor transposed(const at::Tensor& gamma, const at::Tensor& own) const {
    return in_groups(scaled(gamma), own, [&](const at::Tensor& t, const at::Tensor& held, const Sizes& dimensions) {
      auto g = t / root(held, dimensions);
      return kind_ == "rms_norm" ? g : g - at::mean(g, dimensions, /*keepdim=*/true);
    });
  }

  // Of batch norm, which has learnt its σ.
  at::Tensor transposed_by_statistics(const at::Tensor& gamma) const {
    auto deviation = at::sqrt(tensor("running_var") + argument("eps")->toDouble());
    return scaled(gamma / deviation.reshape(along_channels(gamma)));
  }

 private:
  using Sizes = std::vector<std::int64_t>;

  static Sizes dimensions_from(std::int64_t first, const at::Tensor& x) {
    Sizes out(static_cast<std::size_t>(x.dim() - first));
    std::iota(out.begin(), out.end(), first);
    return out;
  }
  static Sizes along_channels(const at::Tensor& x) {
    Sizes out(static_cast<std::size_t>(x.dim()), 1);
    out.at(1) = -1;
    return out;
  }

  // What is normalised together lies along the dimensions that `each` is given.
  template <typename Each>
  at::Tensor in_groups(const at::Tensor& x, const at::Tensor& own, const Each& each) const {
    if (kind_ == "group_norm") {
      auto* count = argument("num_groups");
      if (!count) count = argument("group");
      auto grouped = [&](const at::Tensor& t) { return t.reshape({t.size(0), count->toInt(), -1}); };
      return each(grouped(x), grouped(own), Sizes{2}).reshape(x.sizes());
    }
    auto* shape = argument("normalized_shape");
    auto first = shape ? x.dim() - static_cast<std::int64_t>(shape->toDimVector().size()) : 2;
    return each(x, own, dimensions_from(first, x));
  }

  at::Tensor root(const at::Tensor& own, const Sizes& dimensions) const {
    auto mean_square = kind_ == "rms_norm" ? at::mean(own * own, dimensions, /*keepdim=*/true)
                                           : at::var(own, dimensions, /*unbiased=*/false, /*keepdim=*/true);
    return at::sqrt(mean_square + epsilon(own));
  }

  // A parameter as it lies along y.
  at::Tensor laid(const at::Tensor& parameter, const at::Tensor& y) const {
    auto* shape = argument("normalized_shape");
    return parameter.reshape(shape ? shape->toIntVector() : along_channels(y));
  }
  at::Tensor scaled(const at::Tensor& y) const {
    auto weight = tensor("weight");
    return weight.defined() ? y * laid(weight, y) : y;
  }
  at::Tensor shifted(const at::Tensor& y) const {
    auto bias = tensor("bias");
    return bias.defined() ? y + laid(bias, y) : y;
  }

  const c10::IValue* argument(const char* name) const {
    auto place = step_.op.schema().argumentIndexWithName(name);
    return place ? &step_.arguments[static_cast<std::size_t>(*place)] : nullptr;
  }

  at::Tensor tensor(const char* name) const {
    auto place = step_.op.schema().argumentIndexWithName(name);
    if (!place) return {};
    for (auto& slot : step_.slots)
      if (slot.argument == static_cast<std::size_t>(*place) && slot.from == Slot::From::parameter)
        return parameters_.at(slot.index);
    for (auto& [each, constant] : step_.constants)
      if (each == static_cast<std::size_t>(*place)) return constant.get([] { return "a constant of the layer"; });
    return {};
  }

  // Where RMS norm is given none, it is the type's precision.
  double epsilon(const at::Tensor& x) const {
    auto* eps = argument("eps");
    if (eps && !eps->isNone()) return eps->toDouble();
    return x.scalar_type() == at::kDouble ? std::numeric_limits<double>::epsilon()
                                          : std::numeric_limits<float>::epsilon();
  }

  const Step& step_;
  std::string_view kind_;
  const Tensors& parameters_;
};

at::Tensor run_with_kept_roots(const Operation& operation, const Tensors& inputs, const Tensors& parameters,
                               const Tensors& own) {
  KeptRoots roots;
  struct Keeping {
    explicit Keeping(KeptRoots& roots) : before(std::exchange(kept_roots, &roots)) {}
    Keeping(const Keeping&) = delete;
    Keeping& operator=(const Keeping&) = delete;
    ~Keeping() { kept_roots = before; }
    KeptRoots* before;
  } keeping(roots);
  (void)operation.run(own, parameters);
  roots.recording = false;
  return operation.run(inputs, parameters);
}

bool is_norm(const Operation& operation) {
  if (!operation.kind) return false;
  auto& name = operation.kind->name;
  return name == "layer_norm" || name == "group_norm" || name == "instance_norm" || name == "rms_norm";
}

// Whether it is an operator that divides by what it finds in its input.
bool divides(const Operation& operation) {
  if (!is_norm(operation) || operation.steps.size() != 1) return false;
  auto& step = operation.steps.front();
  auto own = step.op.schema().argumentIndexWithName("use_input_stats");
  return !own || step.arguments[static_cast<std::size_t>(*own)].toBool();  // otherwise it has learnt its statistics
}

// Of a row in which everything is masked, softmax makes no numbers, and whoever looks at it puts zeros in their place:
// no relevance comes from there, and none may become NaN. Any other row serves for it.
at::Tensor run_softmax(const Operation& operation, const at::Tensor& x, const Tensors& parameters) {
  auto& step = operation.steps.front();
  auto dim = step.op.schema().argumentIndexWithName("dim");
  if (!dim || x.dim() == 0) return operation.run({x}, parameters);
  auto empty = x.detach()
                   .eq(-std::numeric_limits<double>::infinity())
                   .all(step.arguments[static_cast<std::size_t>(*dim)].toInt(), /*keepdim=*/true);
  return operation.run({empty.any().item<bool>() ? x.masked_fill(empty, 0) : x}, parameters);
}

}  // namespace

at::Tensor run_held(const Operation& operation, const Tensors& inputs, const Tensors& parameters, const Tensors& own) {
  if (operation.function && is_norm(operation)) return run_with_kept_roots(operation, inputs, parameters, own);
  if (operation.kind && operation.kind->group == "softmax" && operation.steps.size() == 1)
    return run_softmax(operation, inputs[0], parameters);
  if (!divides(operation)) return operation.run(inputs, parameters);
  // In 16-bit types as LibTorch's own norms: in float32, and only the result is rounded.
  auto type = inputs[0].scalar_type();
  bool is_short = type == at::kHalf || type == at::kBFloat16;
  auto precise = [&](const at::Tensor& x) { return is_short ? x.to(at::kFloat) : x; };
  return Norm(operation, parameters).run(precise(inputs[0]), precise(own[0])).to(type);
}

std::optional<at::Tensor> transposed_held(const Operation& operation, const Tensors& parameters, const at::Tensor& own,
                                          const at::Tensor& gamma) {
  auto type = own.scalar_type();
  if (operation.steps.size() != 1 || operation.function || type == at::kHalf || type == at::kBFloat16) return {};
  Norm norm(operation, parameters);
  if (operation.kind->name == "batch_norm") return norm.transposed_by_statistics(gamma);
  if (!divides(operation)) return {};
  return norm.transposed(gamma, own);
}

}  // namespace ascribe::layering
