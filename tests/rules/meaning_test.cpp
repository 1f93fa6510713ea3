// What a rule means (language.md, section 1): terms, `backward` and `forward`, against the same computations written
// with LibTorch.
#include <torch/nn/modules/linear.h>

#include <cmath>

#include "interpreter/inside.hpp"
#include "tests/rules/expressions.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

TEST_CASE("a rule that says nothing is LRP-epsilon with 1e-6") {
  Dense dense;
  auto expected = dense.x * (dense.R / stabilize(dense.y, 1e-6)).mm(dense.W);
  CHECK(difference(dense.by("rule r {}"), expected) <= exact);
  CHECK(difference(relevance(Pack::standard().rule("epsilon"), dense.layer, dense.R), expected) <= exact);
  Convolution conv;
  CHECK(difference(conv.by("rule r {}"), conv.x * conv.back(conv.W, conv.R / stabilize(conv.y, 1e-6))) <= tolerance);
}

TEST_CASE("the default of reduce is the sum over all terms of x times v, each with its own modified input") {
  Dense dense;
  auto gamma = dense.R / stabilize(dense.y, 0.5);
  auto expected = dense.x.clamp_min(0) * gamma.mm(dense.W.abs()) + 2 * dense.x * gamma.mm(dense.W) + gamma.mm(dense.W);
  CHECK(difference(dense.by("rule r { map = R / stabilize(layer.y, 0.5); term a { input = max(x, 0); param = abs(w) } "
                            "term b { input = 2 * x } term c { input = 1 } }"),
                   expected) <= exact);
}

TEST_CASE("epsilon 0 is LRP-0") {
  Dense dense;
  CHECK(difference(dense.by("rule r = epsilon(0)"), dense.x * (dense.R / dense.y).mm(dense.W)) <= exact);
}

TEST_CASE("the sign of zero is 1, for the default stabilizer, for stabilize and for sign") {
  auto zero = at::zeros({1, 2}, at::kDouble);
  auto layer = linear_layer(zero, at::ones({2, 2}, at::kDouble));
  auto R = tensor({1, 2}, {1, -3});
  for (auto text : {"rule r { reduce = v }", "rule r { map = R / stabilize(y); reduce = v }",
                    "rule r(e: stabilizer = 1e-6) { map = R / stabilize(y, e); reduce = v }",
                    "rule r(e = 1e-6) { map = R / (y + e * sign(y)); reduce = v }",
                    "rule r(e = 1e-6) { map = R / stabilize(-y, e); reduce = v }"}) {
    INFO(text);
    CHECK(difference(relevance(rule_in(text), layer, R), tensor({1, 2}, {-2e6, -2e6})) <= tolerance);
  }
  auto x = tensor({1, 4}, {0.0, -0.0, 1e-300, -1e-300});
  CHECK(at::equal(value("sign(x)", x, x), tensor({1, 4}, {1, 1, 1, -1})));
  CHECK(at::equal(value("stabilize(x, 0.5)", x, x), tensor({1, 4}, {0.5, 0.5, 0.5, -0.5})));
  CHECK(at::equal(value("stabilize(0 * x - 0, 0.5)", x, x), tensor({1, 4}, {0.5, 0.5, 0.5, 0.5})));
  CHECK(at::equal(value("stabilize(0, 0.5) + sign(0) + 0 * x", x, x), tensor({1, 4}, {1.5, 1.5, 1.5, 1.5})));
}

TEST_CASE("not a number stays what it is") {
  auto x = tensor({1, 2}, {NAN, 1});
  for (auto expression : {"sign(x)", "stabilize(x)", "max(x, 0)", "min(0, x)", "abs(x)", "max(0, x, 5)"}) {
    INFO(expression);
    auto out = value(expression, x, x);
    CHECK(std::isnan(out[0][0].item<double>()));
    CHECK(!std::isnan(out[0][1].item<double>()));
  }
}

TEST_CASE("the output modifier counts in the output and in its gradient") {
  Dense dense;
  // y_k = y², so that ∂y_k/∂x = 2 y W.
  auto squared = dense.y * dense.y;
  auto expected = dense.x * (2 * dense.y * dense.R / stabilize(squared, 0.1)).mm(dense.W);
  CHECK(difference(dense.by("rule r { output = y ^ 2; map = R / stabilize(y, 0.1) }"), expected) <= tolerance);
  // A reduction in the output modifier: every element of y reaches every element of y_k.
  auto total = dense.y.abs().sum(1, true);
  auto gamma = dense.R;
  auto through = gamma / total - (gamma * dense.y).sum(1, true) / (total * total) * dense.y.sign();
  CHECK(difference(dense.by("rule r { output = y / sum(abs(y)); map = R }"), dense.x * through.mm(dense.W)) <=
        tolerance);
  // One number for all of it has no gradient.
  CHECK(at::equal(dense.by("rule r { output = 1; map = R }"), at::zeros_like(dense.x)));
}

TEST_CASE("map sees the outputs of all terms, modified, and the layer's own") {
  Dense dense;
  auto first = dense.y.clamp_min(0), second = 3 * at::linear(dense.x, dense.W);
  auto gamma = dense.R * first + second - dense.y;
  // The terms stand in the other order than the map uses them.
  auto expected = dense.x * (gamma * (dense.y > 0)).mm(dense.W) + dense.x * (3 * gamma).mm(dense.W);
  CHECK(difference(dense.by("rule r { map = R * one.y + two.y - layer.y; term two { param \"bias\" = 0; output = 3 * y "
                            "} term one { output = max(y, 0) } }"),
                   expected) <= tolerance);
}

TEST_CASE("map sees the layer's inputs, reduced to one number per sample") {
  Dense dense;
  auto size = dense.x.abs().mean(1, true);
  CHECK(difference(dense.by("rule r { map = R * mean(abs(x)) }"), dense.x * (dense.R * size).mm(dense.W)) <= tolerance);
  CHECK(difference(dense.by("rule r { map = R * mean(abs(t.x)); term t { input = 2 * x } }"),
                   2 * dense.x * (dense.R * 2 * size).mm(dense.W)) <= tolerance);
}

TEST_CASE("reduce sees the terms, the layer's own input, and R and y reduced") {
  Dense dense;
  auto gamma = dense.R / stabilize(dense.y, 1e-6);
  auto v = gamma.mm(dense.W);
  CHECK(difference(dense.by("rule r { input = max(x, 0); map = R / stabilize(layer.y); reduce = (layer.x - x) * v + "
                            "sum(R) - mean(layer.x) }"),
                   (dense.x - dense.x.clamp_min(0)) * v + dense.R.sum(1, true) - dense.x.mean(1, true)) <= tolerance);
  CHECK(difference(dense.by("rule r { term a {} term b { input = 2 * x; map = R } reduce = a.x * b.v - b.x * a.v + "
                            "sum(a.y) / sum(abs(b.y)) }"),
                   dense.x * dense.R.mm(dense.W) - 2 * dense.x * v +
                       dense.y.sum(1, true) / at::linear(2 * dense.x, dense.W, dense.b).abs().sum(1, true)) <=
        tolerance);
}

TEST_CASE("a smaller value is spread wherever a clause takes a larger one") {
  Dense dense;
  auto units = dense.W.sum(1) + dense.b;
  CHECK(difference(dense.by("rule r { input = 1 }"), (dense.R / stabilize(units, 1e-6)).mm(dense.W)) <= exact);
  CHECK(difference(dense.by("rule r { input = mean(x); map = R }"), dense.x.mean(1, true) * dense.R.mm(dense.W)) <=
        exact);
  CHECK(difference(dense.by("rule r { map = 1; reduce = v }"), dense.W.sum(0).expand({4, 3})) <= exact);
  CHECK(difference(dense.by("rule r { map = sum(R) / sum(y); reduce = v }"),
                   (dense.R.sum(1, true) / dense.y.sum(1, true)) * dense.W.sum(0)) <= tolerance);
  CHECK(at::equal(dense.by("rule r { reduce = 1 }"), at::ones_like(dense.x)));
  CHECK(difference(dense.by("rule r { reduce = sum(R) }"), dense.R.sum(1, true).expand_as(dense.x)) <= exact);
  CHECK(difference(dense.by("rule r { param = 1; map = R; reduce = v }"), dense.R.sum(1, true).expand_as(dense.x)) <=
        exact);
  Convolution conv;
  CHECK(difference(conv.by("rule r { input = mean(x); map = mean(R) * y; reduce = x * v }"), [&] {
          auto level = conv.x.mean({1, 2, 3}, true).expand_as(conv.x);
          auto y = at::conv2d(level, conv.W, conv.b);
          return level * conv.back(conv.W, conv.R.mean({1, 2, 3}, true) * y);
        }()) <= tolerance);
}

// ------------------------------------------------------------------------------------------------------------ backward

TEST_CASE("backward says the result outright, from x, y, R and grad") {
  auto x = random({3, 4}, 31), R = random({3, 4}, 32);
  auto layer = plain_layer({x}, [](const std::vector<at::Tensor>& inputs) { return at::tanh(inputs[0]); });
  auto y = at::tanh(x);
  CHECK(difference(relevance(rule_in("rule r { backward = x + 2 * y + 3 * R + 4 * grad }"), layer, R),
                   x + 2 * y + 3 * R + 4 * R * (1 - y * y)) <= exact);
  CHECK(at::equal(relevance(rule_in("rule r { backward = R }"), layer, R), R));
  CHECK(difference(relevance(rule_in("rule r { backward = max(R, 0) }"), layer, R), R.clamp_min(0)) <= exact);
  CHECK(difference(relevance(rule_in("rule r(beta = 10) { backward = sigmoid(beta * x) * R }"), layer, R),
                   at::sigmoid(10 * x) * R) <= exact);
  CHECK(difference(relevance(rule_in("rule r { backward = if R > 0 then grad else 0 }"), layer, R),
                   R * (1 - y * y) * (R > 0)) <= exact);
  CHECK(at::equal(relevance(rule_in("rule r { backward = 2 }"), layer, R), at::full_like(x, 2)));
  CHECK(at::equal(relevance(Pack::standard().rule("pass"), layer, R), R));
}

TEST_CASE("backward from the gradient and the input fits a layer that changes the shape") {
  Dense dense;
  auto grad = dense.R.mm(dense.W);
  CHECK(difference(dense.by("rule r(scale = 0.2) { backward = grad * (max(x, 0) + scale * min(x, 0)) }"),
                   grad * (dense.x.clamp_min(0) + 0.2 * dense.x.clamp_max(0))) <= exact);
  CHECK(difference(dense.by("rule r { backward = grad }"), grad) <= exact);
  CHECK(difference(dense.by("rule r { backward = x * grad / stabilize(sum(abs(grad))) }"),
                   dense.x * grad / (grad.abs().sum(1, true) + 1e-6)) <= exact);
  Convolution conv;
  CHECK(difference(conv.by("rule r { backward = grad }"), conv.back(conv.W, conv.R)) <= tolerance);
}

TEST_CASE("backward that uses R or y is refused where the layer does not keep its shape") {
  Dense dense;
  for (auto text : {"rule r { backward = R }", "rule r { backward = y }", "rule r { backward = grad * R }",
                    "rule r { backward = x * y + grad }", "rule r { let s = R; backward = s + x }"}) {
    INFO(text);
    auto diagnostic = refused([&] { dense.by(text); });
    CHECK(diagnostic.code == Code::rule_does_not_fit);
    mentions(diagnostic, "does not keep its shape");
  }
}

// ------------------------------------------------------------------------------------------------------------- forward

TEST_CASE("forward alone replaces the output and keeps the replacement's gradient") {
  Dense dense;
  auto halved = rule_in("rule r { forward = 0.5 * y }");
  CHECK(difference(test::forward(Inside::bound(halved), dense.layer), 0.5 * dense.y) <= exact);
  CHECK(difference(relevance(halved, dense.layer, dense.R), 0.5 * dense.R.mm(dense.W)) <= exact);
  auto squared = rule_in("rule r { forward = y ^ 2 }");
  CHECK(difference(test::forward(Inside::bound(squared), dense.layer), dense.y * dense.y) <= exact);
  CHECK(difference(relevance(squared, dense.layer, dense.R), (2 * dense.y * dense.R).mm(dense.W)) <= exact);
  auto scaled = rule_in("rule r { forward = y / stabilize(sum(abs(x)), 1e-6) }");
  CHECK(difference(test::forward(Inside::bound(scaled), dense.layer), dense.y / (dense.x.abs().sum(1, true) + 1e-6)) <=
        exact);
  CHECK(at::equal(test::forward(Inside::bound(rule_in("rule r {}")), dense.layer), dense.y));
}

TEST_CASE("with forward, R in terms and in backward is what the replacement's gradient hands to y") {
  Dense dense;
  auto terms = rule_in("rule r { forward = y ^ 2; map = R / stabilize(y, 0.5) }");
  CHECK(difference(test::forward(Inside::bound(terms), dense.layer), dense.y * dense.y) <= exact);
  CHECK(difference(relevance(terms, dense.layer, dense.R),
                   dense.x * (2 * dense.y * dense.R / stabilize(dense.y, 0.5)).mm(dense.W)) <= exact);
  CHECK(difference(dense.by("rule r { forward = 0.5 * y; reduce = v }"),
                   (0.5 * dense.R / stabilize(dense.y, 1e-6)).mm(dense.W)) <= exact);
  CHECK(difference(dense.by("rule r { forward = 3 * y; backward = grad }"), 3 * dense.R.mm(dense.W)) <= exact);
  auto x = random({3, 4}, 33), R = random({3, 4}, 34);
  CHECK(difference(relevance(rule_in("rule r { forward = 3 * y; backward = R }"), identity(x), R), 3 * R) <= exact);
}

TEST_CASE("forward works on attached models") {
  Dense dense;
  torch::nn::Linear module(3, 2);
  module->to(at::kDouble);
  {
    at::NoGradGuard no_grad;
    module->weight.copy_(dense.W);
    module->bias.copy_(dense.b);
  }
  struct Row {
    const char* text;
    at::Tensor output, relevance;
  };
  for (auto& row : {Row{"rule r { forward = 0.5 * y; map = R / stabilize(y) }", 0.5 * dense.y,
                        dense.x * (0.5 * dense.R / stabilize(dense.y, 1e-6)).mm(dense.W)},
                    Row{"rule r { forward = 0.5 * y; backward = grad * x }", 0.5 * dense.y,
                        dense.x * (0.5 * dense.R).mm(dense.W)}}) {
    INFO(row.text);
    auto input = dense.x.clone().requires_grad_();
    auto attached = attach(rule_in(row.text), module);
    auto y = module->forward(input);
    CHECK(difference(y.detach(), row.output) <= exact);
    y.backward(dense.R);
    CHECK(difference(input.grad(), row.relevance) <= exact);
  }
}

TEST_CASE("forward alone works on attached models") {
  Dense dense;
  torch::nn::Linear module(3, 2);
  module->to(at::kDouble);
  {
    at::NoGradGuard no_grad;
    module->weight.copy_(dense.W);
    module->bias.copy_(dense.b);
  }
  auto input = dense.x.clone().requires_grad_();
  auto attached = attach(rule_in("rule r { forward = 0.5 * y }"), module);
  auto y = module->forward(input);
  CHECK(difference(y.detach(), 0.5 * dense.y) <= exact);
  y.backward(dense.R);
  CHECK(difference(input.grad(), 0.5 * dense.R.mm(dense.W)) <= exact);
}

}  // namespace
}  // namespace ascribe
