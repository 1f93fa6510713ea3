// Layers as recognition makes them of operators' calls, and how far two evaluators are apart on them.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <limits>
#include <string>
#include <vector>

#include "ascribe/pack.hpp"
#include "interpreter/evaluate/evaluator.hpp"
#include "interpreter/inside.hpp"
#include "tests/catch.hpp"
#include "tests/layers/calls.hpp"

namespace test {
using namespace ascribe;

using Sizes = std::vector<std::int64_t>;
using Tensors = std::vector<at::Tensor>;

// Layers this small are done before a second thread has woken up.
inline const bool one_thread_for_plans = (at::set_num_threads(1), true);

/// Of the standard pack.
inline Rule standard(const std::string& name, const Arguments& arguments = {}) {
  return Pack::standard().rule(name, arguments);
}
/// `text` holds a rule `r`.
inline Rule written(const std::string& text, const Arguments& arguments = {}) {
  return Pack::parse(text, "test.rule").rule("r", arguments);
}

/// Normally distributed numbers that depend on the seed alone.
inline at::Tensor drawn(at::IntArrayRef shape, std::uint64_t seed, at::ScalarType type = at::kDouble) {
  return at::randn(shape, at::detail::createCPUGenerator(seed), at::kDouble).to(type);
}

/// The layer that an operator's call is.
inline evaluate::Layer layer_of(const Called& called) {
  auto recognized = called.recognized();
  REQUIRE(recognized);
  REQUIRE(recognized->call);
  auto& call = *recognized->call;
  evaluate::Layer out{call.operation, {}, call.gets_relevance, {}, {}};
  Tensors theta;
  for (auto& x : call.inputs) out.inputs.push_back(x.detach());
  for (auto& [name, w] : call.parameters) {
    out.parameters.emplace_back(name, w.detach());
    theta.push_back(w.detach());
  }
  at::NoGradGuard no_grad;
  out.output = out.operation->run(out.inputs, theta);
  return out;
}

/// As `x`, but computed from a model's input.
inline at::Tensor depending(const at::Tensor& x) { return at::alias(x.detach().requires_grad_()); }

inline evaluate::Layer linear_layer(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b = {}) {
  return layer_of({"linear", "", {depending(x), w, b.defined() ? c10::IValue(b) : c10::IValue()}});
}
inline evaluate::Layer conv2d_layer(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b = {},
                                    std::int64_t stride = 1, std::int64_t padding = 0, std::int64_t groups = 1) {
  return layer_of({"conv2d",
                   "",
                   {depending(x), w, b.defined() ? c10::IValue(b) : c10::IValue(), Sizes{stride, stride},
                    Sizes{padding, padding}, Sizes{1, 1}, groups}});
}

/// max |found − wanted| over what is finite, as a part of the largest wanted; infinite where shapes differ, or NaN and
/// infinities are not in the same places.
inline double apart(const at::Tensor& found, const at::Tensor& wanted) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (found.defined() != wanted.defined()) return infinite;
  if (!found.defined()) return 0;
  if (found.sizes() != wanted.sizes() || found.scalar_type() != wanted.scalar_type()) return infinite;
  auto a = found.detach().to(at::kDouble).contiguous(), b = wanted.detach().to(at::kDouble).contiguous();
  auto finite = b.isfinite();
  if (!at::equal(a.isfinite(), finite) || !at::equal(a.isnan(), b.isnan()) ||
      !at::equal(a.masked_select(b.isinf()), b.masked_select(b.isinf())))
    return infinite;
  a = a.masked_select(finite), b = b.masked_select(finite);
  if (b.numel() == 0) return 0;
  auto off = (a - b).abs().max().item<double>();
  return off == 0 ? 0 : off / b.abs().max().item<double>();
}

inline double tolerance(at::ScalarType type) { return type == at::kDouble ? 1e-12 : type == at::kFloat ? 1e-6 : 0.03; }

/// The relevance of a layer's inputs by one evaluator.
inline Tensors by(const evaluate::Evaluator& evaluator, const Rule& rule, const evaluate::Layer& layer,
                  const at::Tensor& R, evaluate::Shares* shares = nullptr) {
  return evaluator.compile(Inside::bound(rule), *layer.operation)->relevance(layer, R, shares);
}

/// Whether a plan gives what the reference gives.
inline void check_plan(const Rule& rule, const evaluate::Layer& layer, const at::Tensor& R) {
  INFO(rule.description());
  auto wanted = by(evaluate::reference(), rule, layer, R), found = by(evaluate::planner(), rule, layer, R);
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(apart(found[i], wanted[i]) <= tolerance(R.scalar_type()));
}

}  // namespace test
