// What attached rules are compared with: every layer worked out alone, and the results put together by hand.
#pragma once

#include "interpreter/inside.hpp"
#include "tests/catch.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>

#include "ascribe/ascribe.hpp"
#include "interpreter/libtorch/dispatch.hpp"
#include "tests/evaluators.hpp"

namespace test {
using namespace ascribe;

// Many small tensors, and several test programs at a time: more threads would only wait for each other.
inline const bool single_threaded = (at::set_num_threads(1), true);

constexpr double exact = 1e-10;

/// max |a − b| / max(1, max |b|); infinite where shapes differ or a number is none.
inline double difference(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined() || !b.defined() || a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  if (a.numel() == 0) return 0;
  auto A = a.detach().to(at::kDouble), B = b.detach().to(at::kDouble);
  auto out = ((A - B).abs().max() / B.abs().max().clamp_min(1)).item<double>();
  return std::isnan(out) ? std::numeric_limits<double>::infinity() : out;
}

inline bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.defined() && b.defined() && a.dtype() == b.dtype() && at::equal(a, b);
}

/// Relevance to start from: no two alike, of either sign, a function of the output alone.
inline at::Tensor start(const at::Tensor& y) { return (y.detach() * 3).sin() + 0.3; }

inline Rule rule(const std::string& name, const Arguments& arguments = {}) {
  return Pack::standard().rule(name, arguments);
}

/// `text` holds a composite `c`, and what it needs.
inline Composite composite(const std::string& text) { return Pack::parse(text, "test.rule").composite("c"); }
/// A composite with these entries.
inline Composite entries(const std::string& text) { return composite("composite c {\n" + text + "\n}\n"); }

using Tensors = std::vector<at::Tensor>;
using Function = std::function<at::Tensor(const Tensors& x, const Tensors& theta)>;

inline at::Tensor random(at::IntArrayRef shape) { return at::randn(shape, at::kDouble); }
inline at::Tensor bias_of(const Tensors& theta) { return theta.size() > 1 ? theta[1] : at::Tensor(); }

// f of the layers that the tests use most.
inline at::Tensor linear_of(const Tensors& x, const Tensors& theta) {
  return at::linear(x[0], theta[0], bias_of(theta));
}
inline at::Tensor conv_of(const Tensors& x, const Tensors& theta) { return at::conv2d(x[0], theta[0], bias_of(theta)); }
inline at::Tensor relu_of(const Tensors& x, const Tensors&) { return at::relu(x[0]); }
inline at::Tensor flat_of(const Tensors& x, const Tensors&) { return x[0].flatten(1); }

using Parameters = std::vector<std::pair<std::string, at::Tensor>>;

/// Relevance of the inputs of one layer, y = f(x; θ), alone, whatever is attached.
inline Tensors through(const Rule& chosen, const Function& f, const Tensors& x, const Parameters& parameters,
                       const at::Tensor& R, std::vector<bool> gets_relevance = {}) {
  libtorch::Pause pause;
  at::NoGradGuard no_grad;
  evaluate::Layer layer{layering::as_operation(f), {}, std::move(gets_relevance), {}, {}};
  Tensors theta;
  for (auto& each : x) layer.inputs.push_back(each.detach());
  if (layer.gets_relevance.empty()) layer.gets_relevance.assign(x.size(), true);
  for (auto& [name, value] : parameters)
    if (value.defined()) {
      layer.parameters.emplace_back(name, value.detach());
      theta.push_back(value.detach());
    }
  layer.output = f(layer.inputs, theta);
  return test::relevance(Inside::bound(chosen), layer, R);
}

/// One layer of a chain. Without a rule: what keeps its gradient, or is no layer.
struct Step {
  std::optional<Rule> rule;
  Function f;
  Parameters parameters = {};
};

struct Explained {
  at::Tensor relevance, output;
  Report report = {};
};

/// A chain of layers on `x`, one after the other, from `start` of its output.
inline Explained layer_by_layer(const std::vector<Step>& steps, const at::Tensor& x) {
  libtorch::Pause pause;
  Tensors inputs{x.detach()};
  for (auto& step : steps) {
    at::NoGradGuard no_grad;
    Tensors theta;
    for (auto& [name, value] : step.parameters)
      if (value.defined()) theta.push_back(value.detach());
    inputs.push_back(step.f({inputs.back().clone()}, theta));
  }
  auto R = start(inputs.back());
  for (auto i = steps.size(); i-- > 0;) {
    if (steps[i].rule) {
      R = through(*steps[i].rule, steps[i].f, {inputs[i]}, steps[i].parameters, R).front();
    } else {
      auto leaf = inputs[i].clone().requires_grad_();
      Tensors theta;
      for (auto& [name, value] : steps[i].parameters)
        if (value.defined()) theta.push_back(value.detach());
      R = torch::autograd::grad({steps[i].f({leaf}, theta)}, {leaf}, {R}).front();
    }
  }
  return {R, inputs.back()};
}

/// The model with rules attached, on a copy of `x` that requires a gradient, from `start` of its output.
template <typename Model>
Explained attached_run(const Composite& rules, Model& model, const at::Tensor& x) {
  auto leaf = x.detach().clone().requires_grad_();
  auto attached = attach(rules, model, {.sums = true});
  at::Tensor y;
  if constexpr (requires { model->forward(leaf); })
    y = model->forward(leaf);
  else
    y = model.forward(leaf);
  attached.remove();
  auto relevance = torch::autograd::grad({y}, {leaf}, {start(y)}).front();
  return {relevance, y.detach(), attached.report()};
}

/// The same without rules.
template <typename Model>
Explained plain_run(Model& model, const at::Tensor& x) {
  auto leaf = x.detach().clone().requires_grad_();
  at::Tensor y;
  if constexpr (requires { model->forward(leaf); })
    y = model->forward(leaf);
  else
    y = model.forward(leaf);
  return {torch::autograd::grad({y}, {leaf}, {start(y)}).front(), y.detach()};
}

/// What an action fails with: `A0602 message`. Other exceptions than Error are shown as what they are.
inline std::string failure(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    auto& first = error.diagnostics().at(0);
    return code_name(first.code) + " " + first.message;
  } catch (const std::exception& other) {
    std::string text = other.what();
    return "no Error of ours: " + text.substr(0, text.find('\n'));
  } catch (...) {
    return "something that is no exception";
  }
  return "no error";
}

/// "name kind rule" of every row.
inline std::vector<std::string> rows(const Report& report) {
  std::vector<std::string> out;
  for (auto& each : report) out.push_back(each.name + " " + each.kind + " " + each.rule.substr(0, each.rule.find('(')));
  return out;
}

inline std::vector<std::string> names(const Report& report) {
  std::vector<std::string> out;
  for (auto& each : report) out.push_back(each.name);
  return out;
}

#ifdef ASCRIBE_EXAMPLES
inline std::filesystem::path digits() { return std::filesystem::path(ASCRIBE_EXAMPLES) / "digits"; }
#else
inline std::filesystem::path digits() { return "examples/digits"; }
#endif

}  // namespace test
