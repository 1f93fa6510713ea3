// Layers of every kind that a rule can be for, in every shape that LibTorch takes: as a model that a user would write,
// and as the function that the reference evaluator is given.
#pragma once

#include <fmt/ranges.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/instancenorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <functional>
#include <map>
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
  /// Its own gradient is a difference of large numbers, which rounds whatever it is given.
  bool cancels = false;
};

// ---------------------------------------------------------------------------------------------------------------
// helpers

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
  for (auto& parameter : holder->named_parameters(false)) {
    auto value = source.draw.normal(parameter.value().sizes());
    if (zeros) value = source.draw.with_zeros(value, 0.2);
    value = value.to(source.type);
    if (value.dim() == 4 && source.chance(0.1)) value = value.contiguous(at::MemoryFormat::ChannelsLast);
    parameter.value().set_data(value);
  }
  holder->eval();
  for (auto name : {"weight", "bias"})
    if (auto* found = holder->named_parameters(false).find(name); found && found->defined())
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
    auto least = std::max<std::int64_t>(1, extent - 2 * padding);
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

// ------------------------------------------------------------------------------------------------- layers with weights

inline Layer linear(Source& source) {
  auto in = source.integer(1, 6), out = source.integer(1, 5);
  bool bias = source.chance(0.6);
  auto shape = source.batch_and({source.draw.integers(source.chance(0.6)   ? 0
                                                      : source.chance(0.7) ? 1
                                                                           : 2,
                                                      1, 3),
                                 {in}});
  return module_layer(source, fmt::format("linear {} -> {}, bias {}", in, out, bias), shape,
                      nn::Linear(nn::LinearOptions(in, out).bias(bias)), [](const Tensors& x, const Tensors& theta) {
                        return at::linear(x[0], theta[0], optional(theta, 1));
                      });
}

template <std::size_t D, typename Holder, bool transposed>
Layer convolution(Source& source) {
  auto groups = source.chance(0.6) ? 1 : source.integer(2, 3);
  auto in = groups * source.integer(1, 2), out = groups * source.integer(1, 2);
  bool bias = source.chance(0.6), same = !transposed && source.chance(0.1);
  auto w = window(source, D, transposed, false);
  if (same) w.stride.assign(D, 1);
  using Array = torch::ExpandingArray<D>;
  auto options = [&] {
    if constexpr (transposed) {
      nn::ConvTransposeOptions<D> chosen(in, out, Array(w.kernel));
      return chosen.padding(Array(w.padding)).output_padding(Array(w.output_padding));
    } else {
      nn::ConvOptions<D> chosen(in, out, Array(w.kernel));
      if (same) return chosen.padding(torch::kSame);
      return chosen.padding(Array(w.padding));
    }
  }();
  options.stride(Array(w.stride)).dilation(Array(w.dilation)).groups(groups).bias(bias);
  auto shown = fmt::format("{}convolution {}d {} -> {}, {}{}, groups {}, bias {}", transposed ? "transposed " : "", D,
                           in, out, w.shown(), same ? " (same)" : "", groups, bias);
  if (transposed) shown += fmt::format(", output padding {}", w.output_padding);
  return module_layer(
      source, shown, source.batch_and({{in}, w.size}), Holder(options), [=](const Tensors& x, const Tensors& theta) {
        if (same)
          return at::_convolution_mode(x[0], theta[0], optional(theta, 1), w.stride, "same", w.dilation, groups);
        return at::convolution(x[0], theta[0], optional(theta, 1), w.stride, w.padding, w.dilation, transposed,
                               transposed ? w.output_padding : Shape(D, 0), groups);
      });
}

// With a constant for the other of its two inputs: two that depend on the model's input are no layer.
inline Layer bilinear(Source& source) {
  auto in1 = source.integer(1, 4), in2 = source.integer(1, 4), out = source.integer(1, 3), batch = source.integer(1, 3);
  bool bias = source.chance(0.6), second = source.chance(0.5);
  auto constant = source.constant({batch, second ? in1 : in2});
  std::function<at::Tensor(nn::Bilinear&, const Tensors&)> forward = [=](nn::Bilinear& own, const Tensors& x) {
    return second ? own->forward(constant, x[0]) : own->forward(x[0], constant);
  };
  return module_layer<nn::Bilinear>(
      source, fmt::format("bilinear {}, {} -> {}, bias {}, constant {}", in1, in2, out, bias, second ? 1 : 2),
      {{batch, second ? in2 : in1}}, nn::Bilinear(nn::BilinearOptions(in1, in2, out).bias(bias)), forward,
      [=, exact = constant.to(at::kDouble)](const Tensors& x, const Tensors& theta) {
        return second ? at::bilinear(exact, x[0], theta[0], optional(theta, 1))
                      : at::bilinear(x[0], exact, theta[0], optional(theta, 1));
      });
}

// ------------------------------------------------------------------------------------------------------- normalisation

template <typename Holder, typename Options>
Layer batch_norm_of(Source& source, const Shape& shape) {
  bool affine = source.chance(0.7);
  Holder holder(Options(shape[1]).affine(affine));
  holder->running_mean.set_data(source.constant({shape[1]}));
  holder->running_var.set_data(source.constant({shape[1]}).abs() + 0.3);
  auto mean = holder->running_mean.to(at::kDouble), variance = holder->running_var.to(at::kDouble);
  auto e = holder->options.eps();
  return module_layer(source, fmt::format("batch norm of {} channels, affine {}", shape[1], affine), shape, holder,
                      [=](const Tensors& x, const Tensors& theta) {
                        return at::batch_norm(x[0], optional(theta, 0), optional(theta, 1), mean, variance, false, 0.1,
                                              e, false);
                      });
}

inline Layer batch_norm(Source& source) {
  auto dimensions = source.integer(0, 3);
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(dimensions) + 1, 1, 4)});
  if (dimensions < 2) return batch_norm_of<nn::BatchNorm1d, nn::BatchNorm1dOptions>(source, shape);
  if (dimensions == 2) return batch_norm_of<nn::BatchNorm2d, nn::BatchNorm2dOptions>(source, shape);
  return batch_norm_of<nn::BatchNorm3d, nn::BatchNorm3dOptions>(source, shape);
}

template <typename Holder, typename Options>
Layer instance_norm_of(Source& source, const Shape& shape) {
  bool affine = source.chance(0.7), learnt = source.chance(0.3);
  Holder holder(Options(shape[1]).affine(affine).track_running_stats(learnt));
  std::optional<at::Tensor> mean, variance;
  if (learnt) {
    holder->running_mean.set_data(source.constant({shape[1]}));
    holder->running_var.set_data(source.constant({shape[1]}).abs() + 0.3);
    mean = holder->running_mean.to(at::kDouble);
    variance = holder->running_var.to(at::kDouble);
  }
  auto e = holder->options.eps();
  return module_layer(
      source, fmt::format("instance norm of {} channels, affine {}, learnt statistics {}", shape[1], affine, learnt),
      shape, holder, [=](const Tensors& x, const Tensors& theta) {
        return at::instance_norm(x[0], optional(theta, 0), optional(theta, 1), in_type_of(x[0], mean),
                                 in_type_of(x[0], variance), !learnt, 0.1, e, false);
      });
}

inline Layer instance_norm(Source& source) {
  auto dimensions = source.integer(1, 3);
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(dimensions) + 1, 1, 4)});
  if (dimensions == 1) return instance_norm_of<nn::InstanceNorm1d, nn::InstanceNorm1dOptions>(source, shape);
  if (dimensions == 2) return instance_norm_of<nn::InstanceNorm2d, nn::InstanceNorm2dOptions>(source, shape);
  return instance_norm_of<nn::InstanceNorm3d, nn::InstanceNorm3dOptions>(source, shape);
}

inline Layer layer_norm(Source& source) {
  auto normalised = source.draw.integers(static_cast<std::size_t>(source.integer(1, 2)), 1, 4);
  bool affine = source.chance(0.7);
  auto shape =
      source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(0, 2)), 1, 3), normalised});
  return module_layer(source, fmt::format("layer norm over {}, affine {}", normalised, affine), shape,
                      nn::LayerNorm(nn::LayerNormOptions(normalised).elementwise_affine(affine)),
                      [=](const Tensors& x, const Tensors& theta) {
                        return at::layer_norm(x[0], normalised, optional(theta, 0), optional(theta, 1), 1e-5, false);
                      });
}

inline Layer group_norm(Source& source) {
  auto groups = source.integer(1, 3), channels = groups * source.integer(1, 3);
  bool affine = source.chance(0.7);
  auto shape =
      source.batch_and({{channels}, source.draw.integers(static_cast<std::size_t>(source.integer(0, 2)), 1, 4)});
  return module_layer(source, fmt::format("group norm, {} groups of {} channels, affine {}", groups, channels, affine),
                      shape, nn::GroupNorm(nn::GroupNormOptions(groups, channels).affine(affine)),
                      [=](const Tensors& x, const Tensors& theta) {
                        return at::group_norm(x[0], groups, optional(theta, 0), optional(theta, 1), 1e-5, false);
                      });
}

// ------------------------------------------------------------------------------------------------------------- pooling

template <std::size_t D>
Layer avg_pool(Source& source) {
  auto w = window(source, D, false, true);
  for (std::size_t d = 0; d < D; ++d) w.size[d] = std::max(w.size[d], w.kernel[d]);
  bool ceil = source.chance(0.3), padded = source.chance(0.5);
  std::optional<std::int64_t> divisor;
  if (D > 1 && source.chance(0.2)) divisor = source.integer(2, 5);
  return function_layer(fmt::format("average pooling {}d, {}, ceil {}, padding counts {}, divisor {}", D, w.shown(),
                                    ceil, padded, divisor.value_or(0)),
                        source.batch_and({{source.integer(1, 3)}, w.size}), [=](const at::Tensor& x) {
                          if constexpr (D == 1) return at::avg_pool1d(x, w.kernel, w.stride, w.padding, ceil, padded);
                          if constexpr (D == 2)
                            return at::avg_pool2d(x, w.kernel, w.stride, w.padding, ceil, padded, divisor);
                          if constexpr (D == 3)
                            return at::avg_pool3d(x, w.kernel, w.stride, w.padding, ceil, padded, divisor);
                        });
}

template <std::size_t D>
Layer max_pool(Source& source) {
  auto w = window(source, D, false, true);
  // A window all of whose taps lie in the padding has no largest element: LibTorch 2.13 then writes outside of its
  // memory in the backward pass. Where a step is no longer than the input, one tap lies inside.
  for (std::size_t d = 0; d < D; ++d) w.size[d] = std::max(w.size[d], w.dilation[d]);
  bool ceil = source.chance(0.3);
  return function_layer(fmt::format("max pooling {}d, {}, ceil {}", D, w.shown(), ceil),
                        source.batch_and({{source.integer(1, 3)}, w.size}), [=](const at::Tensor& x) {
                          if constexpr (D == 1)
                            return at::max_pool1d(x, w.kernel, w.stride, w.padding, w.dilation, ceil);
                          if constexpr (D == 2)
                            return at::max_pool2d(x, w.kernel, w.stride, w.padding, w.dilation, ceil);
                          if constexpr (D == 3)
                            return at::max_pool3d(x, w.kernel, w.stride, w.padding, w.dilation, ceil);
                        });
}

template <std::size_t D, bool average>
Layer adaptive_pool(Source& source) {
  auto out = source.draw.integers(D, 1, 3);
  return function_layer(fmt::format("adaptive {} pooling to {}", average ? "average" : "max", out),
                        source.batch_and({{source.integer(1, 3)}, source.draw.integers(D, 1, D == 3 ? 3 : 5)}),
                        [=](const at::Tensor& x) {
                          if constexpr (average) {
                            if constexpr (D == 1) return at::adaptive_avg_pool1d(x, out);
                            if constexpr (D == 2) return at::adaptive_avg_pool2d(x, out);
                            if constexpr (D == 3) return at::adaptive_avg_pool3d(x, out);
                          } else {
                            if constexpr (D == 1) return std::get<0>(at::adaptive_max_pool1d(x, out));
                            if constexpr (D == 2) return std::get<0>(at::adaptive_max_pool2d(x, out));
                            if constexpr (D == 3) return std::get<0>(at::adaptive_max_pool3d(x, out));
                          }
                        });
}

// Sums and means over dimensions; never over the batch.
template <bool mean>
Layer reduction(Source& source) {
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  auto rank = static_cast<std::int64_t>(shape.size());
  Shape over;
  for (std::int64_t d = 1; d < rank; ++d)
    if (source.chance(0.5)) over.push_back(source.chance(0.5) ? d : d - rank);
  if (over.empty()) over.push_back(-1);
  bool keep = source.chance(0.5);
  return function_layer(fmt::format("{} over {}, dimensions kept {}", mean ? "mean" : "sum", over, keep), shape,
                        [=](const at::Tensor& x) { return mean ? x.mean(over, keep) : x.sum(over, keep); });
}

// ---------------------------------------------------------------------------------------------------- sums and factors

/// A shape that broadcasts to this one, with the same batch.
inline Shape smaller(Source& source, Shape shape) {
  for (std::size_t d = 1; d < shape.size(); ++d)
    if (source.chance(0.3)) shape[d] = 1;
  return shape;
}

inline Layer scale(Source& source) {
  auto large = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  bool number = source.chance(0.4);
  Shape shape = number || source.chance(0.5) ? large : smaller(source, large);
  auto constant = source.constant(number ? Shape{} : smaller(source, large));
  if (!number && source.chance(0.3)) constant = constant[0];  // of a smaller rank
  constant = at::where(constant.abs() < 0.2, at::full_like(constant, 0.7), constant);
  auto exact = constant.to(at::kDouble);
  auto factor = constant.dim() == 0 ? constant.item<double>() : 0.0;
  struct Form {
    const char* shown;
    std::function<at::Tensor(const at::Tensor& x, const at::Tensor& c)> f;
  };
  std::vector<Form> forms{{"x * c", [](auto& x, auto& c) { return x * c; }},
                          {"c * x", [](auto& x, auto& c) { return c * x; }},
                          {"x / c", [](auto& x, auto& c) { return x / c; }}};
  if (number)
    forms = {{"x * number", [factor](auto& x, auto&) { return x * factor; }},
             {"number * x", [factor](auto& x, auto&) { return factor * x; }},
             {"x / number", [factor](auto& x, auto&) { return x / factor; }},
             {"-x", [](auto& x, auto&) { return -x; }}};
  auto form = source.draw.one_of(forms);
  return function_layer(
      fmt::format("{}, c {}", form.shown, constant.sizes().vec()), {shape},
      [=](const Tensors& x) { return form.f(x[0], constant); },
      [=](const Tensors& x, const Tensors&) { return form.f(x[0], exact); });
}

inline Layer add(Source& source) {
  auto large = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  struct Form {
    const char* shown;
    std::function<at::Tensor(const at::Tensor& a, const at::Tensor& b)> f;
  };
  auto form = source.draw.one_of(std::vector<Form>{{"a + b", [](auto& a, auto& b) { return a + b; }},
                                                   {"a - b", [](auto& a, auto& b) { return a - b; }},
                                                   {"a + 2b", [](auto& a, auto& b) { return at::add(a, b, 2); }},
                                                   {"b - 0.5a", [](auto& a, auto& b) { return at::rsub(a, b, 0.5); }}});
  auto a = source.chance(0.7) ? large : smaller(source, large), b = source.chance(0.5) ? large : smaller(source, large);
  if (source.chance(0.6)) {
    return function_layer(
        form.shown, {a, b}, [f = form.f](const Tensors& x) { return f(x[0], x[1]); },
        [f = form.f](const Tensors& x, const Tensors&) { return f(x[0], x[1]); });
  }
  bool first = source.chance(0.5);  // where the constant stands
  auto constant = source.constant(b);
  if (source.chance(0.3)) constant = constant[0];
  // To a rule the constant is an input in the sum's shape.
  auto exact = constant.to(at::kDouble).expand(at::infer_size(constant.sizes(), a));
  auto out = function_layer(
      fmt::format("{}, {} constant {}", form.shown, first ? "a" : "b", constant.sizes().vec()), {a},
      [=](const Tensors& x) { return first ? form.f(constant, x[0]) : form.f(x[0], constant); },
      [=](const Tensors& x, const Tensors&) { return first ? form.f(x[1], x[0]) : form.f(x[0], x[1]); });
  out.constants = {exact};
  return out;
}

// --------------------------------------------------------------------------------------------------------- activations

using Activation = at::Tensor (*)(const at::Tensor& x);
using InPlace = at::Tensor& (*)(at::Tensor& x);

/// One way to compute an activation; a kind may have several.
struct ActivationRow {
  const char* kind;
  Activation f;
  InPlace in_place = nullptr;
};

inline Layer activation(Source& source, const ActivationRow& row) {
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  auto out = function_layer(row.kind, shape, row.f);
  if (!row.in_place || !source.chance(0.4)) return out;
  out.shown += ", in place";
  out.in_place = true;
  out.model->run = [&row](const Tensors& x) {
    auto own = x[0];
    return row.in_place(own);
  };
  return out;
}

inline Layer prelu(Source& source) {
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  auto count = source.chance(0.5) ? 1 : shape[1];
  return module_layer(source, fmt::format("prelu with {} slopes", count), shape,
                      nn::PReLU(nn::PReLUOptions().num_parameters(count)),
                      [](const Tensors& x, const Tensors& theta) { return at::prelu(x[0], theta[0]); });
}

template <bool logarithm>
Layer softmax(Source& source) {
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  auto dimension = source.integer(1, static_cast<std::int64_t>(shape.size()) - 1);
  return function_layer(
      fmt::format("{}softmax over {}", logarithm ? "log " : "", dimension), shape,
      [=](const at::Tensor& x) { return logarithm ? at::log_softmax(x, dimension) : at::softmax(x, dimension); });
}

// -------------------------------------------------------------------------------------------------------------- tables

inline const ActivationRow activations[] = {
    {"relu", [](const at::Tensor& x) { return at::relu(x); }, [](at::Tensor& x) -> at::Tensor& { return x.relu_(); }},
    {"relu6", [](const at::Tensor& x) { return at::hardtanh(x, 0, 6); },
     [](at::Tensor& x) -> at::Tensor& { return at::hardtanh_(x, 0, 6); }},
    {"leaky_relu", [](const at::Tensor& x) { return at::leaky_relu(x, 0.3); },
     [](at::Tensor& x) -> at::Tensor& { return at::leaky_relu_(x, 0.3); }},
    {"rrelu", [](const at::Tensor& x) { return at::rrelu(x, 0.1, 0.3, false); },
     [](at::Tensor& x) -> at::Tensor& { return at::rrelu_(x, 0.1, 0.3, false); }},
    {"elu", [](const at::Tensor& x) { return at::elu(x, 0.8); },
     [](at::Tensor& x) -> at::Tensor& { return at::elu_(x, 0.8); }},
    {"selu", [](const at::Tensor& x) { return at::selu(x); },
     [](at::Tensor& x) -> at::Tensor& { return at::selu_(x); }},
    // Its gradient takes 1 / α in single precision in LibTorch 2.13: exact for this α.
    {"celu", [](const at::Tensor& x) { return at::celu(x, 0.75); },
     [](at::Tensor& x) -> at::Tensor& { return at::celu_(x, 0.75); }},
    {"gelu", [](const at::Tensor& x) { return at::gelu(x); }},
    {"gelu", [](const at::Tensor& x) { return at::gelu(x, "tanh"); }},
    {"silu", [](const at::Tensor& x) { return at::silu(x); },
     [](at::Tensor& x) -> at::Tensor& { return at::silu_(x); }},
    {"silu", [](const at::Tensor& x) { return x * x.sigmoid(); }},
    {"mish", [](const at::Tensor& x) { return at::mish(x); },
     [](at::Tensor& x) -> at::Tensor& { return at::mish_(x); }},
    {"sigmoid", [](const at::Tensor& x) { return x.sigmoid(); },
     [](at::Tensor& x) -> at::Tensor& { return x.sigmoid_(); }},
    {"log_sigmoid", [](const at::Tensor& x) { return at::log_sigmoid(x); }},
    {"tanh", [](const at::Tensor& x) { return x.tanh(); }, [](at::Tensor& x) -> at::Tensor& { return x.tanh_(); }},
    {"softplus", [](const at::Tensor& x) { return at::softplus(x, 2, 3); }},
    {"softsign", [](const at::Tensor& x) { return x / (x.abs() + 1); }},
    {"threshold", [](const at::Tensor& x) { return at::threshold(x, 0.1, -2); },
     [](at::Tensor& x) -> at::Tensor& { return at::threshold_(x, 0.1, -2); }},
    {"hardtanh", [](const at::Tensor& x) { return at::hardtanh(x, -0.75, 1); },
     [](at::Tensor& x) -> at::Tensor& { return at::hardtanh_(x, -0.75, 1); }},
    {"hardswish", [](const at::Tensor& x) { return at::hardswish(x); },
     [](at::Tensor& x) -> at::Tensor& { return at::hardswish_(x); }},
    {"hardsigmoid", [](const at::Tensor& x) { return at::hardsigmoid(x); },
     [](at::Tensor& x) -> at::Tensor& { return at::hardsigmoid_(x); }},
    {"hardshrink", [](const at::Tensor& x) { return at::hardshrink(x, 0.4); }},
    {"softshrink", [](const at::Tensor& x) { return at::softshrink(x, 0.4); }},
    {"tanhshrink", [](const at::Tensor& x) { return x - x.tanh(); }},
};

inline std::vector<Kind> kinds() {
  std::vector<Kind> out{
      {"linear", 4, linear},
      {"conv1d", 3, convolution<1, nn::Conv1d, false>},
      {"conv2d", 4, convolution<2, nn::Conv2d, false>},
      {"conv3d", 2, convolution<3, nn::Conv3d, false>},
      {"conv_transpose1d", 2, convolution<1, nn::ConvTranspose1d, true>},
      {"conv_transpose2d", 2, convolution<2, nn::ConvTranspose2d, true>},
      {"conv_transpose3d", 2, convolution<3, nn::ConvTranspose3d, true>},
      {"bilinear", 1, bilinear},
      {"batch_norm", 1, batch_norm},
      {"instance_norm", 1, instance_norm, true},
      {"layer_norm", 1, layer_norm, true},
      {"group_norm", 1, group_norm, true},
      {"avg_pool1d", 1, avg_pool<1>},
      {"avg_pool2d", 1, avg_pool<2>},
      {"avg_pool3d", 1, avg_pool<3>},
      {"adaptive_avg_pool1d", 1, adaptive_pool<1, true>},
      {"adaptive_avg_pool2d", 1, adaptive_pool<2, true>},
      {"adaptive_avg_pool3d", 1, adaptive_pool<3, true>},
      {"mean", 1, reduction<true>},
      {"max_pool1d", 1, max_pool<1>},
      {"max_pool2d", 1, max_pool<2>},
      {"max_pool3d", 1, max_pool<3>},
      {"adaptive_max_pool1d", 1, adaptive_pool<1, false>},
      {"adaptive_max_pool2d", 1, adaptive_pool<2, false>},
      {"adaptive_max_pool3d", 1, adaptive_pool<3, false>},
      {"sum", 1, reduction<false>},
      {"scale", 1, scale},
      {"add", 2, add},
      {"prelu", 1, prelu},
      {"softmax", 1, softmax<false>, true},
      {"log_softmax", 1, softmax<true>, true},
  };
  std::map<std::string, std::vector<const ActivationRow*>> rows;
  for (auto& row : activations) rows[row.kind].push_back(&row);
  for (auto& [kind, ways] : rows)
    out.push_back({kind, 1, [ways](Source& source) { return activation(source, *source.draw.one_of(ways)); }});
  return out;
}

}  // namespace ascribe::drawn
