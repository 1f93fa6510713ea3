// What the tests of rules share: layers to evaluate rules on, and the measure of differences.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/nn/module.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "ascribe/attach.hpp"
#include "ascribe/pack.hpp"
#include "interpreter/inside.hpp"
#include "tests/catch.hpp"
#include "tests/evaluators.hpp"

namespace ascribe::testing {

// Layers this small are done before a second thread has woken up; where cores are few, waiting for it takes all the
// time.
inline const bool single_threaded = (at::set_num_threads(1), true);

/// max|a − b| / max(1, max|b|): the measure of rules.md, section 3. Infinite where shapes differ or something is not
/// finite.
inline double difference(const at::Tensor& a, const at::Tensor& b) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (!a.defined() || !b.defined() || a.sizes() != b.sizes() || !a.isfinite().all().item<bool>() ||
      !b.isfinite().all().item<bool>())
    return infinite;
  if (b.numel() == 0) return 0;
  auto exact = a.to(at::kDouble), reference = b.to(at::kDouble);
  return (exact - reference).abs().max().item<double>() / std::max(1.0, reference.abs().max().item<double>());
}

/// Normally distributed numbers that depend on the seed alone.
inline at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  return at::randn(shape, at::detail::createCPUGenerator(seed), at::kDouble);
}

inline at::Tensor tensor(at::IntArrayRef shape, std::vector<double> values) {
  return at::tensor(values, at::kDouble).reshape(shape);
}

/// y = x·wᵀ + b, with both called by their names; an undefined bias is one that the layer lacks.
inline evaluate::Layer linear_layer(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {}) {
  evaluate::Layer layer;
  layer.operation = layering::as_operation([](auto& inputs, auto& parameters) {
    return at::linear(inputs[0], parameters[0], parameters.size() > 1 ? std::optional(parameters[1]) : std::nullopt);
  });
  layer.inputs = {x};
  layer.gets_relevance = {true};
  layer.parameters = {{"weight", weight}};
  if (bias.defined()) layer.parameters.emplace_back("bias", bias);
  layer.output = at::linear(x, weight, bias.defined() ? std::optional(bias) : std::nullopt);
  return layer;
}

/// A layer without parameters, made of any function of its inputs; all of them get relevance.
template <typename Function>
evaluate::Layer plain_layer(std::vector<at::Tensor> inputs, Function function) {
  evaluate::Layer layer;
  layer.operation = layering::as_operation(
      [function](const std::vector<at::Tensor>& x, const std::vector<at::Tensor>&) { return function(x); });
  layer.output = function(inputs);
  layer.gets_relevance.assign(inputs.size(), true);
  layer.inputs = std::move(inputs);
  return layer;
}

/// What the rule hands to every input of a layer that it fits.
inline std::vector<at::Tensor> relevances(const Rule& rule, const evaluate::Layer& layer, const at::Tensor& R) {
  test::check_fit(Inside::bound(rule), layer, layer.output.sizes());
  return test::relevance(Inside::bound(rule), layer, R);
}

inline at::Tensor relevance(const Rule& rule, const evaluate::Layer& layer, const at::Tensor& R) {
  return relevances(rule, layer, R).front();
}

/// The same by autograd, with the rules attached to the model; R is the model's output if it is not given.
template <typename Model>
at::Tensor attached_relevance(const Composite& rules, Model& model, const at::Tensor& x, const at::Tensor& R = {}) {
  auto input = x.detach().clone().requires_grad_();
  auto attached = attach(rules, model);
  auto y = model.forward(input);
  y.backward(R.defined() ? R : y.detach());
  return input.grad();
}

}  // namespace ascribe::testing
