// A drawn layer: as a model that a user would write, and as the function that the reference evaluator is given.
#pragma once

#include <fmt/ranges.h>
#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "tests/drawn/draw.hpp"

namespace ascribe::drawn {

namespace nn = torch::nn;
using Tensors = std::vector<at::Tensor>;
using Function = std::function<at::Tensor(const Tensors& x, const Tensors& theta)>;

/// A model of one layer.
struct Model : nn::Module {
  std::function<at::Tensor(const Tensors& x)> run;
  at::Tensor forward(const Tensors& x) { return run(x); }
};

struct Layer {
  std::string shown;
  std::vector<Shape> shapes;     ///< of the inputs that get relevance
  std::shared_ptr<Model> model;  ///< computes in `type`
  bool in_place = false;         ///< the model writes into its input
  // The same in double precision, with the numbers that the model has.
  Function apply;
  Tensors constants{};  ///< inputs behind the others, which get no relevance
  std::vector<std::pair<std::string, at::Tensor>> parameters{};
  /// f as rules see it, where that is something else: linear, with what divides as it is for the layer's own input.
  std::function<at::Tensor(const at::Tensor& x, const Tensors& theta, const at::Tensor& own)> held{};
};

/// What a layer is drawn with.
struct Source {
  Draw& draw;
  at::ScalarType type;

  std::int64_t integer(std::int64_t low, std::int64_t high) { return draw.integer(low, high); }
  bool chance(double probability) { return draw.chance(probability); }
  Shape batch_and(std::initializer_list<Shape> rest) {
    Shape out{integer(1, 3)};
    for (auto& part : rest) out.insert(out.end(), part.begin(), part.end());
    return out;
  }
  /// Numbers that `type` holds.
  at::Tensor constant(at::IntArrayRef shape) { return draw.normal(shape).to(type); }
};

struct Kind {
  std::string name;  ///< in the language's table of kinds
  int share;         ///< how often it is drawn, compared with the others
  std::function<Layer(Source&)> draw;
};

inline std::optional<at::Tensor> optional(const Tensors& theta, std::size_t i) {
  return i < theta.size() ? std::optional(theta[i]) : std::nullopt;
}

inline std::optional<at::Tensor> in_type_of(const at::Tensor& x, const std::optional<at::Tensor>& constant) {
  return constant ? std::optional(constant->to(x.scalar_type())) : std::nullopt;
}

/// A layer with parameters, which are drawn; `forward` runs the module.
template <typename Holder>
Layer module_layer(Source& source, std::string shown, std::vector<Shape> shapes, Holder holder,
                   std::function<at::Tensor(Holder&, const Tensors&)> forward, Function apply) {
  auto model = std::make_shared<Model>();
  model->register_module("layer", holder);
  Layer out{std::move(shown), std::move(shapes), model, false, std::move(apply)};
  bool zeros = source.chance(0.2);
  auto parameters = holder->named_parameters(false);
  for (auto& parameter : parameters) {
    auto value = source.draw.normal(parameter.value().sizes());
    if (zeros) value = source.draw.with_zeros(value, 0.2);
    value = value.to(source.type);
    if (value.dim() == 4 && source.chance(0.1)) value = value.contiguous(at::MemoryFormat::ChannelsLast);
    parameter.value().set_data(value);
  }
  holder->eval();
  for (auto name : {"weight", "bias"})
    if (auto* found = parameters.find(name); found && found->defined())
      out.parameters.emplace_back(name, found->detach().to(at::kDouble).contiguous());
  model->run = [holder, forward = std::move(forward)](const Tensors& x) mutable { return forward(holder, x); };
  return out;
}

template <typename Holder>
Layer module_layer(Source& source, std::string shown, const Shape& shape, Holder holder, Function apply) {
  std::function<at::Tensor(Holder&, const Tensors&)> forward = [](Holder& own, const Tensors& x) {
    return own->forward(x[0]);
  };
  return module_layer<Holder>(source, std::move(shown), {shape}, std::move(holder), forward, std::move(apply));
}

/// A layer without parameters. `run` and `apply` may differ in the type of their constants.
inline Layer function_layer(std::string shown, std::vector<Shape> shapes, std::function<at::Tensor(const Tensors&)> run,
                            Function apply) {
  auto model = std::make_shared<Model>();
  model->run = std::move(run);
  return {std::move(shown), std::move(shapes), model, false, std::move(apply)};
}

inline Layer function_layer(std::string shown, const Shape& shape, std::function<at::Tensor(const at::Tensor&)> f) {
  return function_layer(
      std::move(shown), {shape}, [f](const Tensors& x) { return f(x[0]); },
      [f](const Tensors& x, const Tensors&) { return f(x[0]); });
}

/// Sizes of a window that moves, one for each dimension, and of an input that it fits into.
struct Window {
  Shape size, kernel, stride, padding, dilation, output_padding;
  std::string shown() const {
    return fmt::format("kernel {}, stride {}, padding {}, dilation {}", kernel, stride, padding, dilation);
  }
};

inline Window window(Source& source, std::size_t dimensions, bool transposed, bool pools) {
  Window out;
  for (std::size_t d = 0; d < dimensions; ++d) {
    auto kernel = source.integer(1, 3), stride = source.integer(1, 3),
         padding = source.integer(0, pools ? kernel / 2 : 2), dilation = source.integer(1, 2),
         output_padding = source.integer(0, std::max(stride, dilation) - 1);
    auto extent = dilation * (kernel - 1) + 1;
    // Every window has a tap inside of the input. LibTorch 2.13 reads or writes outside of its memory where one has
    // none: float32 convolutions in their forward pass, max pooling in its backward pass.
    if (!transposed) padding = std::min(padding, extent - 1);
    auto least = std::max(dilation, extent - 2 * padding);
    if (transposed) {  // (size - 1)·stride - 2·padding + extent + output padding > 0
      least = 1;
      while ((least - 1) * stride - 2 * padding + extent + output_padding <= 0) ++least;
    }
    out.size.push_back(least + source.integer(0, dimensions == 3 ? 1 : 3));
    out.kernel.push_back(kernel);
    out.stride.push_back(stride);
    out.padding.push_back(padding);
    out.dilation.push_back(dilation);
    out.output_padding.push_back(output_padding);
  }
  return out;
}

}  // namespace ascribe::drawn
