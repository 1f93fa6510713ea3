// Layers with weights, and normalisation, in every shape that LibTorch takes.
#pragma once

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/instancenorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include "tests/drawn/layers.hpp"

namespace ascribe::drawn {

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
      [=](const Tensors& x, const Tensors& theta) {
        auto own = constant.to(x[0].scalar_type());
        return second ? at::bilinear(own, x[0], theta[0], optional(theta, 1))
                      : at::bilinear(x[0], own, theta[0], optional(theta, 1));
      });
}

inline Layer prelu(Source& source) {
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  auto count = source.chance(0.5) ? 1 : shape[1];
  return module_layer(source, fmt::format("prelu with {} slopes", count), shape,
                      nn::PReLU(nn::PReLUOptions().num_parameters(count)),
                      [](const Tensors& x, const Tensors& theta) { return at::prelu(x[0], theta[0]); });
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
                        return at::batch_norm(x[0], optional(theta, 0), optional(theta, 1), in_type_of(x[0], mean),
                                              in_type_of(x[0], variance), false, 0.1, e, false);
                      });
}

inline Layer batch_norm(Source& source) {
  auto dimensions = source.integer(0, 3);
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(dimensions) + 1, 1, 4)});
  if (dimensions < 2) return batch_norm_of<nn::BatchNorm1d, nn::BatchNorm1dOptions>(source, shape);
  if (dimensions == 2) return batch_norm_of<nn::BatchNorm2d, nn::BatchNorm2dOptions>(source, shape);
  return batch_norm_of<nn::BatchNorm3d, nn::BatchNorm3dOptions>(source, shape);
}

// (x − mean(x)) / σ · w + b along the dimensions, with σ of `own`.
inline at::Tensor normalised_by(const at::Tensor& x, const at::Tensor& own, at::IntArrayRef dimensions, double e) {
  return (x - x.mean(dimensions, true)) / (own.var(dimensions, false, true) + e).sqrt();
}

inline at::Tensor scaled(at::Tensor y, const Tensors& theta, const Shape& along) {
  if (!theta.empty()) y = y * theta[0].reshape(along);
  return theta.size() > 1 ? y + theta[1].reshape(along) : y;
}

inline Shape along_channels(const at::Tensor& x) {
  Shape out(static_cast<std::size_t>(x.dim()), 1);
  out[1] = -1;
  return out;
}

inline Shape last_dimensions(std::size_t count) {
  Shape out;
  for (auto i = static_cast<std::int64_t>(count); i > 0; --i) out.push_back(-i);
  return out;
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
  auto out = module_layer(
      source, fmt::format("instance norm of {} channels, affine {}, learnt statistics {}", shape[1], affine, learnt),
      shape, holder, [=](const Tensors& x, const Tensors& theta) {
        return at::instance_norm(x[0], optional(theta, 0), optional(theta, 1), in_type_of(x[0], mean),
                                 in_type_of(x[0], variance), !learnt, 0.1, e, false);
      });
  if (!learnt)
    out.held = [=](const at::Tensor& x, const Tensors& theta, const at::Tensor& own) {
      auto dimensions = last_dimensions(static_cast<std::size_t>(x.dim() - 2));
      return scaled(normalised_by(x, own, dimensions, e), theta, along_channels(x));
    };
  return out;
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
  auto out =
      module_layer(source, fmt::format("layer norm over {}, affine {}", normalised, affine), shape,
                   nn::LayerNorm(nn::LayerNormOptions(normalised).elementwise_affine(affine)),
                   [=](const Tensors& x, const Tensors& theta) {
                     return at::layer_norm(x[0], normalised, optional(theta, 0), optional(theta, 1), 1e-5, false);
                   });
  out.held = [=](const at::Tensor& x, const Tensors& theta, const at::Tensor& own) {
    return scaled(normalised_by(x, own, last_dimensions(normalised.size()), 1e-5), theta, normalised);
  };
  return out;
}

inline Layer group_norm(Source& source) {
  auto groups = source.integer(1, 3), channels = groups * source.integer(1, 3);
  bool affine = source.chance(0.7);
  auto shape =
      source.batch_and({{channels}, source.draw.integers(static_cast<std::size_t>(source.integer(0, 2)), 1, 4)});
  auto out =
      module_layer(source, fmt::format("group norm, {} groups of {} channels, affine {}", groups, channels, affine),
                   shape, nn::GroupNorm(nn::GroupNormOptions(groups, channels).affine(affine)),
                   [=](const Tensors& x, const Tensors& theta) {
                     return at::group_norm(x[0], groups, optional(theta, 0), optional(theta, 1), 1e-5, false);
                   });
  out.held = [=](const at::Tensor& x, const Tensors& theta, const at::Tensor& own) {
    auto grouped = [&](const at::Tensor& t) { return t.reshape({t.size(0), groups, -1}); };
    auto y = normalised_by(grouped(x), grouped(own), at::IntArrayRef{2}, 1e-5).reshape(x.sizes());
    return scaled(y, theta, along_channels(x));
  };
  return out;
}

inline Layer rms_norm(Source& source) {
  auto normalised = source.draw.integers(static_cast<std::size_t>(source.integer(1, 2)), 1, 4);
  bool affine = source.chance(0.7);
  auto shape =
      source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(0, 2)), 1, 3), normalised});
  constexpr double epsilon = 1e-3;
  auto out = function_layer(fmt::format("RMS norm over {}, affine {}", normalised, affine), {shape}, {},
                            [=](const Tensors& x, const Tensors& theta) {
                              return at::rms_norm(x[0], normalised, optional(theta, 0), epsilon);
                            });
  std::optional<at::Tensor> weight;
  if (affine) {
    weight = out.model->register_parameter("weight", source.constant(normalised));
    out.parameters = {{"weight", weight->detach().to(at::kDouble)}};
  }
  out.model->run = [=](const Tensors& x) { return at::rms_norm(x[0], normalised, weight, epsilon); };
  out.held = [=](const at::Tensor& x, const Tensors& theta, const at::Tensor& own) {
    auto sigma = ((own * own).mean(last_dimensions(normalised.size()), true) + epsilon).sqrt();
    return scaled(x / sigma, theta, normalised);
  };
  return out;
}

}  // namespace ascribe::drawn
