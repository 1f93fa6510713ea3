// Models for the tests of attaching: functions and modules of layers, and what they are compared with.
#pragma once

#include "tests/attach/layers.hpp"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

namespace test {
using namespace ascribe;

namespace nn = torch::nn;

inline at::Tensor defined(const at::Tensor& each) { return each.defined() ? each.detach() : each; }

template <typename Layer>
Parameters weight_and_bias(const Layer& layer) {
  return {{"weight", defined(layer->weight)}, {"bias", defined(layer->bias)}};
}

inline at::Tensor relu_in_place(at::Tensor x) { return x.relu_(); }
inline at::Tensor sum_of(const Tensors& x, const Tensors&) { return x[0] + x[1]; }

template <typename Layer>
Step linear(const std::optional<Rule>& chosen, const Layer& layer) {
  return {chosen, linear_of, weight_and_bias(layer)};
}
template <typename Layer>
Step conv(const std::optional<Rule>& chosen, const Layer& layer) {
  return {chosen, conv_of, weight_and_bias(layer)};
}

// A model whose forward is a function, with whatever modules it uses.
struct Net : nn::Module {
  std::function<at::Tensor(const at::Tensor&)> run;
  at::Tensor forward(const at::Tensor& x) { return run(x); }
  template <typename Holder>
  Holder add(const std::string& name, Holder module) {
    register_module(name, module);
    module->to(at::kDouble);
    return module;
  }
};

// One layer in a Sequential, under four rules, against the layer alone.
template <typename Layer>
void serves(const std::string& what, Layer layer, const at::Tensor& x, const std::string& kind, const Function& f) {
  layer->to(at::kDouble);
  nn::Sequential model(layer);
  auto parameters = weight_and_bias(layer);
  for (auto name : {"epsilon", "zplus", "gamma", "flat"}) {
    INFO(what << " under " << name);
    auto found = attached_run(Composite(rule(name)), model, x);
    auto expected = layer_by_layer({{rule(name), f, parameters}}, x);
    CHECK(difference(found.output, expected.output) <= exact);
    CHECK(difference(found.relevance, expected.relevance) <= exact);
    REQUIRE(found.report.size() == 1);
    auto& row = found.report[0];
    CHECK(row.name == "0");
    CHECK(row.kind == kind);
    CHECK(row.rule == rule(name).description());
    CHECK(at::IntArrayRef(row.shape) == found.output.sizes());
    CHECK(row.above.value() == Approx(start(found.output).sum().item<double>()).margin(1e-9));
    CHECK(row.below.value() == Approx(found.relevance.sum().item<double>()).margin(1e-9));
  }
}

// A parameterless layer, or any function, under a rule that needs its input and output.
inline void serves_function(const std::string& what, const at::Tensor& x, const std::string& kind,
                            const std::string& entry, const Rule& chosen, const Function& f) {
  INFO(what);
  Net net;
  net.run = [&](const at::Tensor& in) { return f({in}, {}); };
  auto found = attached_run(entries(entry), net, x);
  CHECK(difference(found.relevance, layer_by_layer({{chosen, f}}, x).relevance) <= exact);
  CHECK(rows(found.report) ==
        std::vector{kind + "#1 " + kind + " " + chosen.description().substr(0, chosen.description().find('('))});
}

// Two convolutions with a ReLU between, and a linear layer: what many tests ask questions of.
struct Small : nn::Module {
  Small() {
    at::manual_seed(7);
    features =
        register_module("features", nn::Sequential(nn::Conv2d(2, 3, 3), nn::ReLU(), nn::Conv2d(3, 4, 2), nn::ReLU()));
    classifier = register_module("classifier", nn::Linear(4 * 2 * 2, 5));
    to(at::kDouble);
  }
  at::Tensor forward(const at::Tensor& x) { return classifier(features->forward(x).flatten(1)); }

  Explained expected(const at::Tensor& x, const std::optional<Rule>& first, const std::optional<Rule>& second,
                     const std::optional<Rule>& last, const std::optional<Rule>& activation = rule("pass")) {
    return layer_by_layer({conv(first, nn::Conv2d(features->ptr<nn::Conv2dImpl>(0))),
                           {activation, relu_of},
                           conv(second, nn::Conv2d(features->ptr<nn::Conv2dImpl>(2))),
                           {activation, relu_of},
                           {{}, flat_of},
                           linear(last, classifier)},
                          x);
  }

  nn::Sequential features{nullptr};
  nn::Linear classifier{nullptr};
};
inline at::Tensor small_input(std::int64_t batch = 2) {
  at::manual_seed(11);
  return random({batch, 2, 5, 5});
}

inline Explained under_epsilon_plus(Small& model, const at::Tensor& x) {
  return model.expected(x, rule("zplus"), rule("zplus"), rule("epsilon"));
}

inline bool plain_gradient_is_back(Small& model, const at::Tensor& x) {
  static Small untouched;  // the same seed, the same weights; never attached to
  auto expected = [&] {
    libtorch::Pause pause;  // attached rules serve whatever runs on this thread
    return plain_run(untouched, x);
  }();
  auto found = plain_run(model, x);
  return same_bits(found.relevance, expected.relevance) && same_bits(found.output, expected.output);
}

}  // namespace test
