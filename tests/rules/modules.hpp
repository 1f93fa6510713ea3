// Linear layers and convolutions of every geometry, each with the dense matrix that it is.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <optional>

#include "tests/rules/layers.hpp"

namespace ascribe::testing {

struct Geometry {
  int dimensions = 0;  ///< 0: a linear layer
  bool transposed = false;
  std::int64_t in = 5, out = 4, kernel = 1;
  bool bias = true;
  std::int64_t stride = 1, padding = 0, dilation = 1, groups = 1, output_padding = 0;
  bool same = false;                     ///< padding = "same"
  std::vector<std::int64_t> leading{4};  ///< of linear layers: the batch and what else stands before the features

  std::string shown() const {
    if (dimensions == 0)
      return fmt::format("linear {} -> {}, bias {}, leading [{}]", in, out, bias, fmt::join(leading, ", "));
    return fmt::format(
        "{}{}d {} -> {}, kernel {}, bias {}, stride {}, padding {}{}, dilation {}, groups {}, output padding {}",
        transposed ? "conv_transpose" : "conv", dimensions, in, out, kernel, bias, stride, padding,
        same ? " (same)" : "", dilation, groups, output_padding);
  }
};

inline std::vector<Geometry> grid() {
  std::vector<Geometry> out;
  for (bool bias : {true, false}) out.push_back({.bias = bias});
  for (int dimensions : {1, 2, 3})
    for (bool transposed : {false, true})
      for (std::int64_t in : {1, 3})
        for (std::int64_t channels : {1, 3})
          for (std::int64_t kernel : {2, 3})
            for (bool bias : {true, false})
              out.push_back({.dimensions = dimensions,
                             .transposed = transposed,
                             .in = in,
                             .out = channels,
                             .kernel = kernel,
                             .bias = bias});
  return out;
}

// What the grid leaves out: everything that moves a convolution's taps about.
inline std::vector<Geometry> beyond_the_grid() {
  std::vector<Geometry> out;
  for (int d : {1, 2, 3})
    for (bool transposed : {false, true}) {
      out.push_back(
          {.dimensions = d, .transposed = transposed, .in = 4, .out = 6, .kernel = 3, .padding = 1, .groups = 2});
      out.push_back(
          {.dimensions = d, .transposed = transposed, .in = 2, .out = 3, .kernel = 2, .stride = 2, .padding = 1});
      out.push_back(
          {.dimensions = d, .transposed = transposed, .in = 2, .out = 2, .kernel = 2, .bias = false, .dilation = 2});
      out.push_back({.dimensions = d,
                     .transposed = transposed,
                     .in = 3,
                     .out = 3,
                     .kernel = 3,
                     .stride = 2,
                     .padding = 2,
                     .dilation = 2,
                     .groups = 3});
      if (transposed)
        out.push_back({.dimensions = d,
                       .transposed = true,
                       .in = 2,
                       .out = 3,
                       .kernel = 3,
                       .stride = 2,
                       .padding = 1,
                       .output_padding = 1});
      else
        out.push_back({.dimensions = d, .in = 2, .out = 3, .kernel = 3, .dilation = 2, .same = true});
      if (!transposed)
        out.push_back({.dimensions = d, .in = 2, .out = 2, .kernel = 2, .same = true});  // one-sided padding
    }
  out.push_back({.leading = {4, 3}});
  out.push_back({.bias = false, .leading = {4, 3}});
  out.push_back({.leading = {2, 3, 2}});
  return out;
}

// A layer, and the same as a matrix: y = x·denseᵀ + shift, with x and y flattened per sample.
struct Module {
  Geometry geometry;
  at::Tensor x, weight, bias;
  evaluate::Layer layer;
  at::Tensor dense, taps;  ///< of the weight; of a weight of ones
  at::Tensor shift;        ///< one for each output element
  at::Tensor pattern;      ///< another tensor in the weight's shape
  at::Tensor R;            ///< relevance: the output, each element times a number of its own

  at::Tensor run(const at::Tensor& input, const at::Tensor& w, const std::optional<at::Tensor>& b) const {
    auto& g = geometry;
    auto all = [&](std::int64_t value) {
      return std::vector<std::int64_t>(static_cast<std::size_t>(g.dimensions), value);
    };
    if (g.dimensions == 0) return at::linear(input, w, b);
    if (g.transposed)
      return at::convolution(input, w, b, all(g.stride), all(g.padding), all(g.dilation), true, all(g.output_padding),
                             g.groups);
    if (g.same) return at::_convolution_mode(input, w, b, all(g.stride), "same", all(g.dilation), g.groups);
    switch (g.dimensions) {
      case 1:
        return at::conv1d(input, w, b, all(g.stride), all(g.padding), all(g.dilation), g.groups);
      case 2:
        return at::conv2d(input, w, b, all(g.stride), all(g.padding), all(g.dilation), g.groups);
      default:
        return at::conv3d(input, w, b, all(g.stride), all(g.padding), all(g.dilation), g.groups);
    }
  }

  explicit Module(const Geometry& chosen, std::uint64_t seed) : geometry(chosen) {
    auto& g = geometry;
    std::vector<std::int64_t> x_shape = g.leading, weight_shape{g.out, g.in};
    if (g.dimensions == 0) {
      x_shape.push_back(g.in);
    } else {
      x_shape = {4, g.in};
      weight_shape = g.transposed ? std::vector{g.in, g.out / g.groups} : std::vector{g.out, g.in / g.groups};
      for (int i = 0; i < g.dimensions; ++i) {
        x_shape.push_back(g.dimensions == 1 ? 7 : g.dimensions == 2 ? 5 : 4);
        weight_shape.push_back(g.kernel);
      }
    }
    x = random(x_shape, seed);
    weight = random(weight_shape, seed + 1000);
    if (g.bias) bias = random({g.out}, seed + 2000);

    layer.operation = layering::as_operation([this](auto& inputs, auto& theta) {
      return run(inputs[0], theta[0], theta.size() > 1 ? std::optional(theta[1]) : std::nullopt);
    });
    layer.inputs = {x};
    layer.gets_relevance = {true};
    layer.parameters = {{"weight", weight}};
    if (g.bias) layer.parameters.emplace_back("bias", bias);
    layer.output = run(x, weight, g.bias ? std::optional(bias) : std::nullopt);

    pattern = random(weight_shape, seed + 3000);
    dense = matrix(weight);
    taps = matrix(at::ones_like(weight));
    R = layer.output * random(layer.output.sizes(), seed + 4000);
    auto zero = run(at::zeros_like(x), weight, g.bias ? std::optional(bias) : std::nullopt);
    shift = zero[0].reshape({-1});
  }
  Module(const Module&) = delete;

  // The dense matrix that the layer would be with this weight.
  at::Tensor matrix(const at::Tensor& w) const {
    auto of_sample = x.sizes().vec();
    of_sample[0] = -1;
    auto features = x[0].numel();
    auto units = at::eye(features, at::kDouble).reshape(of_sample);
    return run(units, w, std::nullopt).reshape({features, -1}).t();
  }

  at::Tensor through_attachment(const Composite& rules) const {
    auto& g = geometry;
    auto with = [&](auto holder) {
      holder->to(at::kDouble);
      {
        at::NoGradGuard no_grad;
        holder->weight.copy_(weight);
        if (g.bias) holder->bias.copy_(bias);
      }
      // Inside of another module, so that layers have names.
      torch::nn::Sequential model(holder);
      return attached_relevance(rules, *model, x, R);
    };
    auto convolution = [&]<std::size_t D>(auto chosen, std::integral_constant<std::size_t, D>) {
      if constexpr (requires { chosen.output_padding(0); }) {
        return chosen.stride(g.stride)
            .padding(g.padding)
            .dilation(g.dilation)
            .groups(g.groups)
            .bias(g.bias)
            .output_padding(g.output_padding);
      } else {
        chosen.stride(g.stride).dilation(g.dilation).groups(g.groups).bias(g.bias);
        return g.same ? chosen.padding(torch::kSame) : chosen.padding(g.padding);
      }
    };
    using std::integral_constant;
    auto first = integral_constant<std::size_t, 1>{};
    auto second = integral_constant<std::size_t, 2>{};
    auto third = integral_constant<std::size_t, 3>{};
    if (g.dimensions == 0) return with(torch::nn::Linear(torch::nn::LinearOptions(g.in, g.out).bias(g.bias)));
    if (!g.transposed) {
      if (g.dimensions == 1)
        return with(torch::nn::Conv1d(convolution(torch::nn::Conv1dOptions(g.in, g.out, g.kernel), first)));
      if (g.dimensions == 2)
        return with(torch::nn::Conv2d(convolution(torch::nn::Conv2dOptions(g.in, g.out, g.kernel), second)));
      return with(torch::nn::Conv3d(convolution(torch::nn::Conv3dOptions(g.in, g.out, g.kernel), third)));
    }
    if (g.dimensions == 1)
      return with(
          torch::nn::ConvTranspose1d(convolution(torch::nn::ConvTranspose1dOptions(g.in, g.out, g.kernel), first)));
    if (g.dimensions == 2)
      return with(
          torch::nn::ConvTranspose2d(convolution(torch::nn::ConvTranspose2dOptions(g.in, g.out, g.kernel), second)));
    return with(
        torch::nn::ConvTranspose3d(convolution(torch::nn::ConvTranspose3dOptions(g.in, g.out, g.kernel), third)));
  }
};

}  // namespace ascribe::testing
