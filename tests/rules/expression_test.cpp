// What rules mean (language.md, sections 1, 3 and 4), against the same computations written with LibTorch.
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <cmath>

#include "tests/rules/layers.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

constexpr double exact = 1e-14;
constexpr double tolerance = 1e-12;

Rule rule_in(const std::string& text, const Arguments& arguments = {}) {
  return Pack::parse(text).rule("r", arguments);
}

// The first diagnostic of an Error, or one that says that there was none. Whatever else is thrown fails the test.
template <typename Action>
Diagnostic refused(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.diagnostics().front();
  }
  return {.code = Code::internal_fault, .message = "nothing was refused"};
}

bool mentions(const Diagnostic& diagnostic, const std::string& words) {
  INFO(diagnostic.message);
  CHECK(diagnostic.message.find(words) != std::string::npos);
  return diagnostic.message.find(words) != std::string::npos;
}

// z + e·sign z with sign 0 = 1, written without the evaluator.
at::Tensor stabilize(const at::Tensor& z, double epsilon) { return at::where(z.lt(0), z - epsilon, z + epsilon); }

// [4, 3] -> [4, 2], with inputs of either sign, a zero among them, and a bias.
struct Dense {
  at::Tensor x = tensor({4, 3}, {1, -2, 0.5, 0, 3, -1, 2, 2, 2, -0.5, -0.25, 4});
  at::Tensor W = tensor({2, 3}, {1, -0.5, 2, -1, 0.25, 0.75});
  at::Tensor b = tensor({2}, {0.5, -0.25});
  evaluate::Layer layer = linear_layer(x, W, b);
  at::Tensor y = layer.output;
  at::Tensor R = random({4, 2}, 11);

  at::Tensor by(const std::string& text, const Arguments& arguments = {}) const {
    return relevance(rule_in(text, arguments), layer, R);
  }
};

// [2, 3, 4, 4] -> [2, 2, 3, 3]
struct Convolution {
  at::Tensor x = random({2, 3, 4, 4}, 21), W = random({2, 3, 2, 2}, 22), b = random({2}, 23),
             R = random({2, 2, 3, 3}, 24);
  evaluate::Layer layer = [this] {
    evaluate::Layer out;
    out.apply = [](auto& inputs, auto& theta) { return at::conv2d(inputs[0], theta[0], theta[1]); };
    out.inputs = {x};
    out.gets_relevance = {true};
    out.parameters = {{"weight", W}, {"bias", b}};
    out.output = at::conv2d(x, W, b);
    return out;
  }();
  at::Tensor y = layer.output;

  at::Tensor by(const std::string& text, const Arguments& arguments = {}) const {
    return relevance(rule_in(text, arguments), layer, R);
  }
  // vᵀ of a convolution with this weight.
  static at::Tensor back(const at::Tensor& weight, const at::Tensor& gamma) {
    return at::conv_transpose2d(gamma, weight);
  }
};

// y = x: what `map` yields is v, and what `backward` yields is the result.
evaluate::Layer identity(const at::Tensor& x) {
  return plain_layer({x}, [](const std::vector<at::Tensor>& inputs) { return inputs[0] * 1; });
}

// The value of an expression over x and R in the shape of x (`backward` sees both).
at::Tensor value(const std::string& expression, const at::Tensor& x, const at::Tensor& R) {
  return relevance(rule_in("rule r { backward = " + expression + " }"), identity(x), R);
}

// θ_k as the layer gets it, in the order of its parameters.
std::vector<at::Tensor> modified_parameters(const Rule& rule,
                                            std::vector<std::pair<std::string, at::Tensor>> parameters) {
  std::vector<at::Tensor> seen;
  auto x = at::ones({2, 3}, at::kDouble);
  auto layer = identity(x);
  layer.parameters = std::move(parameters);
  layer.apply = [&seen](const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& theta) {
    seen = theta;
    return inputs[0] * 1;
  };
  relevance(rule, layer, x);
  return seen;
}

// ------------------------------------------------------------------------------------------------- section 1: what a
// rule means

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

// ---------------------------------------------------------------------------------------------------------------
// backward

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

// ----------------------------------------------------------------------------------------------------------------
// forward

TEST_CASE("forward alone replaces the output and keeps the replacement's gradient") {
  Dense dense;
  auto halved = rule_in("rule r { forward = 0.5 * y }");
  CHECK(difference(evaluate::forward(halved.bound(), dense.layer), 0.5 * dense.y) <= exact);
  CHECK(difference(relevance(halved, dense.layer, dense.R), 0.5 * dense.R.mm(dense.W)) <= exact);
  auto squared = rule_in("rule r { forward = y ^ 2 }");
  CHECK(difference(evaluate::forward(squared.bound(), dense.layer), dense.y * dense.y) <= exact);
  CHECK(difference(relevance(squared, dense.layer, dense.R), (2 * dense.y * dense.R).mm(dense.W)) <= exact);
  auto scaled = rule_in("rule r { forward = y / stabilize(sum(abs(x)), 1e-6) }");
  CHECK(difference(evaluate::forward(scaled.bound(), dense.layer), dense.y / (dense.x.abs().sum(1, true) + 1e-6)) <=
        exact);
  CHECK(at::equal(evaluate::forward(rule_in("rule r {}").bound(), dense.layer), dense.y));
}

TEST_CASE("with forward, R in terms and in backward is what the replacement's gradient hands to y") {
  Dense dense;
  auto terms = rule_in("rule r { forward = y ^ 2; map = R / stabilize(y, 0.5) }");
  CHECK(difference(evaluate::forward(terms.bound(), dense.layer), dense.y * dense.y) <= exact);
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

// ------------------------------------------------------------------------------------------------ built-ins and
// operators

TEST_CASE("built-in functions, element by element") {
  auto x = tensor({2, 3}, {-2, -0.5, 0, 0.5, 1, 3}), R = tensor({2, 3}, {1, 2, 3, -1, -2, -3});
  struct Row {
    const char* expression;
    at::Tensor expected;
  };
  for (auto& row :
       {Row{"abs(x)", x.abs()}, Row{"sqrt(abs(x))", x.abs().sqrt()}, Row{"exp(x)", x.exp()},
        Row{"log(abs(x) + 1)", (x.abs() + 1).log()}, Row{"tanh(x)", x.tanh()}, Row{"sigmoid(x)", x.sigmoid()},
        Row{"min(x, 0)", x.clamp_max(0)}, Row{"max(0, x)", x.clamp_min(0)}, Row{"min(x, R)", at::minimum(x, R)},
        Row{"max(x, R, 0.25)", at::maximum(x, R).clamp_min(0.25)},
        Row{"min(1, x, 2, R, -1)", at::minimum(x, R).clamp_max(-1)}, Row{"max(-1, min(x, 1))", x.clamp(-1, 1)},
        Row{"min(2, 1) + 0 * x", at::ones_like(x)}, Row{"max(mean(x), x)", at::maximum(x.mean(1, true), x)},
        Row{"abs(-2) + sqrt(4) + exp(0) + log(1) + tanh(0) + sigmoid(0) + sign(-3) + max(1, 3, 2) + 0 * x",
            at::full_like(x, 8.5 - 1 - 0 + 0)}}) {
    INFO(row.expression);
    CHECK(difference(value(row.expression, x, R), row.expected) <= exact);
  }
}

TEST_CASE("operators bind as the grammar says") {
  auto x = tensor({2, 3}, {-2, -0.5, 1.5, 0.5, 1, 3}), R = tensor({2, 3}, {1, 2, 3, -1, -2, -3});
  struct Row {
    const char* expression;
    at::Tensor expected;
  };
  for (auto& row : {Row{"x - R - 1", x - R - 1},
                    Row{"x - (R - 1)", x - R + 1},
                    Row{"x / R / 2", x / R / 2},
                    Row{"1 - x * R + 2", 3 - x * R},
                    Row{"-x ^ 2", -(x * x)},
                    Row{"(-x) ^ 2", x * x},
                    Row{"2 ^ x", at::exp2(x)},
                    Row{"2 ^ -x", at::exp2(-x)},
                    Row{"2 ^ 3 ^ 2 + 0 * x", at::full_like(x, 512)},
                    Row{"-2 ^ 2 + 0 * x", at::full_like(x, -4)},
                    Row{"abs(x) ^ 0.5", x.abs().sqrt()},
                    Row{"x ^ 3", x * x * x},
                    Row{"x ^ 0", at::ones_like(x)},
                    Row{"x ^ -1", 1 / x},
                    Row{"- - x", x},
                    Row{"1 / x", 1 / x},
                    Row{"R * -x", -(R * x)},
                    Row{"abs(x) ^ abs(R)", at::pow(x.abs(), R.abs())},
                    Row{"if x > 0 then 1 else 0 + 5", at::where(x > 0, at::ones_like(x), at::full_like(x, 5))},
                    Row{"(if x > 0 then 1 else 0) + 5", 5 + (x > 0).to(at::kDouble)}}) {
    INFO(row.expression);
    CHECK(difference(value(row.expression, x, R), row.expected) <= exact);
  }
}

TEST_CASE("conditions choose element by element") {
  auto x = tensor({2, 3}, {-2, -0.5, 0, 0.5, 1, 3}), R = tensor({2, 3}, {1, 2, 0, -1, 1, -3});
  auto one = at::ones_like(x);
  struct Row {
    const char* condition;
    at::Tensor truth;
  };
  for (auto& row : {Row{"x > 0", x > 0},
                    Row{"x >= 0", x >= 0},
                    Row{"x < R", x < R},
                    Row{"x <= 1", x <= 1},
                    Row{"x == R", x == R},
                    Row{"x != R", x != R},
                    Row{"0 < x", x > 0},
                    Row{"not x > 0", x <= 0},
                    Row{"not not x > 0", x > 0},
                    Row{"x > 0 and R > 0", (x > 0).logical_and(R > 0)},
                    Row{"x > 0 or R > 0", (x > 0).logical_or(R > 0)},
                    Row{"x > 0 or R > 0 and x < 0 - 1", (x > 0).logical_or((R > 0).logical_and(x < -1))},
                    Row{"(x > 0 or R > 0) and x < 1", (x > 0).logical_or(R > 0).logical_and(x < 1)},
                    Row{"not x > 0 and R > 0", (x <= 0).logical_and(R > 0)},
                    Row{"not (x > 0 and R > 0)", (x > 0).logical_and(R > 0).logical_not()},
                    Row{"1 > 0 and x > 0", x > 0},
                    Row{"x > 0 or 1 > 0", one > 0},
                    Row{"mean(x) > 0", (x.mean(1, true) > 0).expand_as(x)},
                    Row{"x > mean(x)", x > x.mean(1, true)},
                    Row{"mean(x) > 0 and x > 1", (x.mean(1, true) > 0).logical_and(x > 1)},
                    Row{"not mean(x) > 0", (x.mean(1, true) <= 0).expand_as(x)},
                    Row{"if x > 0 then R > 0 else R < 1", at::where(x > 0, R > 0, R < 1)},
                    Row{"if 1 > 2 then x > 0 else x < 0", x < 0},
                    Row{"x > 0 and R > 0 and x > 0.75", (x > 0.75).logical_and(R > 0)}}) {
    INFO(row.condition);
    CHECK(at::equal(value(std::string("if ") + row.condition + " then 1 else 0", x, R), row.truth.to(at::kDouble)));
    CHECK(at::equal(value(std::string("if ") + row.condition + " then x else R", x, R), at::where(row.truth, x, R)));
    CHECK(at::equal(value(std::string("if ") + row.condition + " then mean(x) else R", x, R),
                    at::where(row.truth, x.mean(1, true), R)));
    CHECK(at::equal(value(std::string("if not (") + row.condition + ") then 3 else R", x, R),
                    at::where(row.truth, R, at::full_like(R, 3))));
  }
}

TEST_CASE("a condition on one number per sample chooses between numbers, in every clause") {
  Dense dense;
  auto chosen = (dense.R.sum(1, true) > 0).to(at::kDouble);
  CHECK(difference(dense.by("rule r { map = if sum(R) > 0 then 1 else 0; reduce = v }"), chosen * dense.W.sum(0)) <=
        exact);
  CHECK(difference(dense.by("rule r { reduce = if sum(R) > 0 then 1 else 0 }"), chosen.expand_as(dense.x)) <= exact);
  CHECK(difference(dense.by("rule r { input = if mean(x) > 0 then 1 else 0; map = R; reduce = x }"),
                   (dense.x.mean(1, true) > 0).to(at::kDouble).expand_as(dense.x)) <= exact);
}

TEST_CASE("a condition on a whole parameter chooses between numbers") {
  auto W = tensor({2, 2}, {1, 2, 3, -4}), b = tensor({2}, {-3, 1});
  auto seen =
      modified_parameters(rule_in("rule r { param = if mean(w) > 0 then 1 else 2 }"), {{"weight", W}, {"bias", b}});
  REQUIRE(seen.size() == 2);
  CHECK(at::equal(seen[0], at::ones_like(W)));
  CHECK(at::equal(seen[1], at::full_like(b, 2)));
}

TEST_CASE("numbers chosen by a condition live where the condition does") {
  Dense dense;
  auto count = (dense.y > 0).to(at::kDouble).sum(1, true);
  CHECK(difference(dense.by("rule r { map = R * sum(if y > 0 then 1 else 0); reduce = v }"),
                   (dense.R * count).mm(dense.W)) <= exact);
}

TEST_CASE("a condition does not bring input and output together") {
  for (auto text :
       {"rule r { map = if x > 0 then R else 0 }", "rule r { reduce = if y > 0 then v else 0 }",
        "rule r { reduce = if R > 0 then 1 else 0 }", "rule r { reduce = if sum(x) > 0 and y > 0 then x else v }",
        "rule r { let up = R > 0; reduce = if x > 0 and up then v else 0 }",
        "rule r { map = if not x > 0 then 1 else 2 }"}) {
    INFO(text);
    CHECK(refused([&] { rule_in(text); }).code == Code::wrong_space);
  }
}

TEST_CASE("equality within a tolerance grows with the size of the right side") {
  auto x = tensor({1, 5}, {0.05, 0.2, 100, 109, 112}), R = tensor({1, 5}, {0, 0, 100, 100, 100});
  // |x − R| <= 0.1·max(1, |R|)
  auto near = tensor({1, 5}, {1, 0, 1, 1, 0});
  CHECK(at::equal(value("if x == R within 0.1 then 1 else 0", x, R), near));
  CHECK(at::equal(value("if x != R within 0.1 then 1 else 0", x, R), 1 - near));
  CHECK(at::equal(value("if -x == -R within 0.05 + 0.05 then 1 else 0", x, R), near));
  auto odd = tensor({1, 2}, {NAN, 1});
  CHECK(at::equal(value("if x == 1 within 0.1 then 1 else 0", odd, odd), tensor({1, 2}, {0, 1})));
  CHECK(at::equal(value("if x != 1 within 0.1 then 1 else 0", odd, odd), tensor({1, 2}, {1, 0})));
  // 110 within 0.1 of 100 (11 of them allowed) but not the other way round.
  auto a = tensor({1, 1}, {100}), c = tensor({1, 1}, {111});
  CHECK(value("if x == R within 0.1 then 1 else 0", a, c).item<double>() == 1);
  CHECK(value("if R == x within 0.1 then 1 else 0", a, c).item<double>() == 0);
}

// --------------------------------------------------------------------------------------------------------------
// reductions

TEST_CASE("sum and mean over inputs and outputs are per sample, and spread at any rank") {
  for (auto& shape :
       std::vector<std::vector<std::int64_t>>{{3}, {3, 4}, {3, 2, 4}, {3, 2, 4, 2}, {2, 3, 2, 2, 3}, {1, 3}}) {
    auto x = random(shape, 41), R = random(shape, 42);
    INFO(x.sizes());
    std::vector<std::int64_t> all;
    for (std::int64_t d = 1; d < x.dim(); ++d) all.push_back(d);
    auto sum = [&](const at::Tensor& t) { return all.empty() ? t : t.sum(all, true); };
    auto mean = [&](const at::Tensor& t) { return all.empty() ? t : t.mean(all, true); };
    CHECK(difference(value("sum(x)", x, R), sum(x).expand_as(x)) <= tolerance);
    CHECK(difference(value("mean(R)", x, R), mean(R).expand_as(x)) <= tolerance);
    CHECK(difference(value("x * sum(R) / sum(x) - mean(x)", x, R), x * sum(R) / sum(x) - mean(x)) <= tolerance);
    CHECK(difference(value("stabilize(x, 0.1 * sqrt(mean(x ^ 2)))", x, R),
                     x + 0.1 * mean(x * x).sqrt() * at::where(x < 0, -at::ones_like(x), at::ones_like(x))) <=
          tolerance);
    CHECK(difference(value("max(sum(x), mean(R), x)", x, R), at::maximum(at::maximum(sum(x), mean(R)), x)) <=
          tolerance);
    CHECK(difference(value("sum(if x > mean(x) then x else 0)", x, R), sum(x * (x > mean(x))).expand_as(x)) <=
          tolerance);
  }
}

TEST_CASE("sum and mean along dimensions keep them at size 1") {
  auto x = random({3, 2, 4, 5}, 43), R = random({3, 2, 4, 5}, 44);
  struct Row {
    const char* dimensions;
    std::vector<std::int64_t> expected;
  };
  for (auto& row : {Row{"1", {1}}, Row{"2", {2}}, Row{"3", {3}}, Row{"-1", {3}}, Row{"-3", {1}}, Row{"1, 2", {1, 2}},
                    Row{"2, 3", {2, 3}}, Row{"-1, -2", {2, 3}}, Row{"1, -1", {1, 3}}, Row{"1, 2, 3", {1, 2, 3}},
                    Row{"3, 1", {1, 3}}}) {
    INFO(row.dimensions);
    CHECK(difference(value(std::string("x - sum(R, ") + row.dimensions + ")", x, R), x - R.sum(row.expected, true)) <=
          tolerance);
    CHECK(difference(value(std::string("mean(x, ") + row.dimensions + ")", x, R),
                     x.mean(row.expected, true).expand_as(x)) <= tolerance);
    CHECK(difference(value(std::string("mean(x, ") + row.dimensions + ") * mean(R)", x, R),
                     (x.mean(row.expected, true) * R.mean({1, 2, 3}, true)).expand_as(x)) <= tolerance);
  }
  CHECK(difference(value("sum(sum(x, 1), 2)", x, R), x.sum({1, 2}, true).expand_as(x)) <= tolerance);
  CHECK(difference(value("sum(mean(x, 1))", x, R), x.mean(1, true).sum({2, 3}, true).expand_as(x)) <= tolerance);
}

TEST_CASE("reductions over a parameter give a scalar, or keep the dimensions, the first one too") {
  auto W = random({3, 4}, 45);
  auto check = [&](const char* expression, const at::Tensor& expected) {
    INFO(expression);
    auto seen =
        modified_parameters(rule_in(std::string("rule r { param \"weight\" = ") + expression + " }"), {{"weight", W}});
    CHECK(difference(seen.at(0), expected.expand_as(W)) <= tolerance);
  };
  check("sum(w)", W.sum());
  check("w / mean(abs(w))", W / W.abs().mean());
  check("w - mean(w, 0)", W - W.mean(0, true));
  check("w - sum(w, 1)", W - W.sum(1, true));
  check("w - sum(w, -2)", W - W.sum(0, true));
  check("sum(w, 0, 1)", W.sum());
  check("max(w, mean(w))", at::maximum(W, W.mean()));
  check("sqrt(sum(w ^ 2)) + 2", (W * W).sum().sqrt() + 2);
}

TEST_CASE("a dimension that turns out to be the batch, or that is not there, is refused") {
  Dense dense;
  for (auto text : {"rule r { map = R / stabilize(sum(y, -2)) }", "rule r { map = R / stabilize(mean(y, 2)) }",
                    "rule r { input = sum(x, 1, -2) }", "rule r { map = R; reduce = sum(v, -3) }",
                    "rule r { backward = grad * mean(x, -2) }"}) {
    INFO(text);
    auto diagnostic = refused([&] { dense.by(text); });
    CHECK(diagnostic.code == Code::rule_does_not_fit);
    mentions(diagnostic, "dimension");
  }
  auto bias = refused([&] { dense.by("rule r { param = w / mean(abs(w), 1) }"); });
  CHECK(bias.code == Code::rule_does_not_fit);
  mentions(bias, "dimension 1");
  CHECK(refused([] { rule_in("rule r { map = R / stabilize(sum(y, 0)) }"); }).code == Code::bad_dimension);
}

TEST_CASE("a dimension named twice is refused like every other misfit") {
  Dense dense;
  for (auto text : {"rule r { map = R / stabilize(sum(y, 1, 1)) }", "rule r { map = R / stabilize(sum(y, 1, -1)) }"}) {
    INFO(text);
    CHECK_THROWS_AS(dense.by(text), Error);
  }
}

TEST_CASE("no sample influences another") {
  Convolution conv;
  for (auto text : {"rule r {}", "rule r { map = R / stabilize(y, 0.1 * sqrt(mean(y ^ 2))) }",
                    "rule r { input = x - mean(x); reduce = v / stabilize(sum(abs(v))) }",
                    "rule r { reduce = x * v * sum(R) / stabilize(sum(x * v)) }",
                    "rule r { output = y / stabilize(sum(abs(y))); map = R }", "rule r { input = max(x, mean(x, 1)) }",
                    "rule r { backward = x * grad / stabilize(mean(abs(x * grad))) }",
                    "fn relative(z, e) = stabilize(z, e * sqrt(mean(z ^ 2)))  rule r = epsilon(relative(0.1))"}) {
    INFO(text);
    auto rule = rule_in(text);
    auto together = relevance(rule, conv.layer, conv.R);
    for (std::int64_t i = 0; i < 2; ++i) {
      auto alone = conv.layer;
      alone.inputs = {conv.x.slice(0, i, i + 1)};
      alone.output = conv.y.slice(0, i, i + 1);
      CHECK(difference(relevance(rule, alone, conv.R.slice(0, i, i + 1)), together.slice(0, i, i + 1)) <= tolerance);
    }
  }
}

TEST_CASE("an empty batch and an empty input are no special case") {
  for (auto text : {"rule r {}", "rule r { map = R / stabilize(y, mean(abs(y))) }", "rule r { input = x - sum(x) }",
                    "rule r { reduce = if sum(R) > 0 then 1 else v }", "rule r { backward = grad * sum(x) }"}) {
    INFO(text);
    auto layer = linear_layer(at::empty({0, 3}, at::kDouble), at::ones({2, 3}, at::kDouble));
    CHECK(relevance(rule_in(text), layer, at::empty({0, 2}, at::kDouble)).sizes() == at::IntArrayRef({0, 3}));
  }
}

// --------------------------------------------------------------------------------------------------------------------
// lets

TEST_CASE("a let means the same wherever it is used, and may use other lets") {
  Dense dense;
  auto s = dense.R / stabilize(dense.y, 0.1), t = s * 2 + dense.y;
  CHECK(difference(dense.by("rule r { let t = s * 2 + layer.y; let s = R / stabilize(layer.y, 0.1); term a { map = t } "
                            "term b { input = max(x, 0); map = t - s } }"),
                   dense.x * t.mm(dense.W) + dense.x.clamp_min(0) * (t - s).mm(dense.W)) <= exact);
  // Written below everything that uses it, over outputs of terms in the other order.
  auto y = at::linear(dense.x, dense.W), z = at::linear(dense.x.abs(), dense.W, dense.b);
  CHECK(difference(dense.by("rule r { reduce = b.x * b.v - a.v; term a { param \"bias\" = 0; map = m } term b { input "
                            "= abs(x); map = m * 2 } let m = R / stabilize(b.y - a.y, 1) }"),
                   dense.x.abs() * (2 * dense.R / stabilize(z - y, 1)).mm(dense.W) -
                       (dense.R / stabilize(z - y, 1)).mm(dense.W)) <= tolerance);
  // Of parameters only: usable in every clause.
  CHECK(difference(dense.by("rule r(gamma = 3) { let half = gamma / 2; input = half * x; param = half * w; map = half "
                            "* R; reduce = half * v }"),
                   1.5 * (1.5 * dense.R).mm(1.5 * dense.W)) <= exact);
}

TEST_CASE("a let sees what the clause sees that uses it") {
  Dense dense;
  // In input, x is the layer's; in reduce, it is the modified one.
  auto x = 2 * dense.x + dense.x.mean(1, true);
  CHECK(difference(dense.by("rule r { let m = mean(x); input = 2 * x + m; map = R; reduce = v * m }"),
                   dense.R.mm(dense.W) * x.mean(1, true)) <= tolerance);
}

TEST_CASE("a let holds truth too") {
  Dense dense;
  CHECK(difference(dense.by("rule r { let up = layer.y > 0; let steep = up and R > 0; map = if steep then R else if up "
                            "then 2 else 0; reduce = v }"),
                   at::where((dense.y > 0).logical_and(dense.R > 0), dense.R,
                             at::where(dense.y > 0, at::full_like(dense.R, 2), at::zeros_like(dense.R)))
                       .mm(dense.W)) <= exact);
}

// --------------------------------------------------------------------------------------------------------- order of
// clauses

TEST_CASE("the first modifier that fits wins, reading downwards") {
  Dense dense;
  auto with = [&](const at::Tensor& W, const at::Tensor& b, double scale) {
    auto y = at::linear(scale * dense.x, W, b);
    return scale * dense.x * (dense.R / stabilize(y, 1e-6)).mm(W);
  };
  // A term's own above a shared one.
  CHECK(difference(dense.by("rule r { term a {} input = 3 * x }"), with(dense.W, dense.b, 3)) <= exact);
  CHECK(difference(dense.by("rule r { term a { input = 2 * x } term b {} input = 3 * x }"),
                   with(dense.W, dense.b, 2) + with(dense.W, dense.b, 3)) <= exact);
  // Parameters one by one: shared above own, own above shared.
  CHECK(difference(dense.by("rule r { param \"bias\" = 0; term a { param = 2 * w } }"),
                   with(2 * dense.W, 0 * dense.b, 1)) <= exact);
  CHECK(difference(dense.by("rule r { term a { param \"bias\" = 0 } param = 2 * w }"),
                   with(2 * dense.W, 0 * dense.b, 1)) <= exact);
  CHECK(difference(dense.by("rule r { param \"weight\" = 2 * w; param \"weight\" = 3 * w }"),
                   with(2 * dense.W, dense.b, 1)) <= exact);
  CHECK(difference(dense.by("rule r { param \"weight\" = 2 * w; param = 3 * w }"), with(2 * dense.W, 3 * dense.b, 1)) <=
        exact);
  // Between two terms: a shared clause reaches the terms above it and below it.
  CHECK(
      difference(
          dense.by("rule r { term a { param \"weight\" = 2 * w } param \"weight\" = 3 * w; term b { param = 5 * w } }"),
          with(2 * dense.W, dense.b, 1) + with(3 * dense.W, 5 * dense.b, 1)) <= exact);
}

TEST_CASE("a modifier that can never apply is refused") {
  for (auto text : {"rule r { map = R; term a { map = 2 * R } }", "rule r { param = w; param \"bias\" = 0 }",
                    "rule r { input = x; input = 2 * x }", "rule r { term a { input = 2 * x } input = 3 * x }"}) {
    INFO(text);
    CHECK(refused([&] { rule_in(text); }).code == Code::unreachable_modifier);
  }
}

// --------------------------------------------------------------------------------------------------------------
// parameters

TEST_CASE("param clauses are for one parameter, several, all, or those that an argument names") {
  auto W = tensor({1, 2}, {1, -2}), b = tensor({1}, {3});
  auto check = [&](const char* text, const Arguments& arguments, double weight, double bias) {
    INFO(text);
    auto seen = modified_parameters(rule_in(text, arguments), {{"weight", W}, {"bias", b}});
    REQUIRE(seen.size() == 2);
    CHECK(at::equal(seen[0], weight * W));
    CHECK(at::equal(seen[1], bias * b));
  };
  std::vector<std::string> none, bias{"bias"}, both{"bias", "weight"};
  check("rule r { param \"weight\" = 2 * w }", {}, 2, 1);
  check("rule r { param \"bias\" = 0 }", {}, 1, 0);
  check("rule r { param [\"weight\", \"bias\"] = 3 * w }", {}, 3, 3);
  check("rule r { param [\"bias\"] = 4 * w; param = 5 * w }", {}, 5, 4);
  check("rule r { param = 6 * w }", {}, 6, 6);
  for (auto text : {"rule r(chosen = [\"bias\"]) { param chosen = 0; param = 2 * w }",
                    "rule r(chosen: names = [\"bias\"]) { param chosen = 0; param = 2 * w }"}) {
    check(text, {}, 2, 0);
    check(text, {{"chosen", none}}, 2, 2);
    check(text, {{"chosen", both}}, 0, 0);
  }
  check("rule r(chosen: names) { param chosen = 0 }", {{"chosen", bias}}, 1, 0);
}

TEST_CASE("a clause for a parameter that the layer lacks does nothing") {
  auto W = tensor({1, 2}, {1, -2});
  for (auto text : {"rule r { param \"bias\" = 0 }", "rule r(zero_params = [\"bias\"]) { param zero_params = 0 }",
                    "rule r { param [\"bias\"] = 1 / w }"}) {
    INFO(text);
    auto seen = modified_parameters(rule_in(text), {{"weight", W}});
    REQUIRE(seen.size() == 1);
    CHECK(at::equal(seen[0], W));
    CHECK(modified_parameters(rule_in(text), {}).empty());
  }
  auto x = random({2, 3}, 51);
  auto pool = plain_layer({x}, [](const std::vector<at::Tensor>& inputs) { return inputs[0].mean(1, true); });
  CHECK(difference(relevance(rule_in("rule r { param = 0 }"), pool, pool.output),
                   x / 3 * pool.output / stabilize(pool.output, 1e-6)) <= exact);
}

TEST_CASE("zero_params leaves out what it names in the standard rules") {
  Dense dense;
  std::vector<std::string> bias{"bias"}, weight{"weight"};
  auto free = linear_layer(dense.x, dense.W);
  for (auto name : {"epsilon", "zplus", "flat"}) {
    INFO(name);
    CHECK(difference(relevance(Pack::standard().rule(name, {{"zero_params", bias}}), dense.layer, dense.R),
                     relevance(Pack::standard().rule(name), free, dense.R)) <= exact);
    CHECK(at::equal(relevance(Pack::standard().rule(name, {{"zero_params", weight}}), dense.layer, dense.R),
                    at::zeros_like(dense.x)));
  }
}

TEST_CASE("in gamma, zero_params does not reach the sign of the output") {
  // y = -1 + 3 with the bias, so that the unit is positive although its weighted inputs are not.
  auto x = tensor({1, 2}, {1, 1}), W = tensor({1, 2}, {-2, 1}), b = tensor({1}, {3}), R = at::ones({1, 1}, at::kDouble);
  std::vector<std::string> bias{"bias"};
  auto found = relevance(Pack::standard().rule("gamma", {{"gamma", 1}, {"epsilon", 0}, {"zero_params", bias}}),
                         linear_layer(x, W, b), R);
  // The positive half, whose weights are w + w⁺ = -2 and 2: the sum is 0, and 1/s(0) with ε = 0 is infinite.
  CHECK(!found.isfinite().all().item<bool>());
  found = relevance(Pack::standard().rule("gamma", {{"gamma", 3}, {"epsilon", 0}, {"zero_params", bias}}),
                    linear_layer(x, W, b), R);
  CHECK(difference(found, tensor({1, 2}, {-1, 2})) <= exact);
}

TEST_CASE("bare x and y are modified, layer.x and layer.y are the layer's own") {
  Dense dense;
  auto x = dense.x.clamp_min(0);
  auto y = 2 * at::linear(x, dense.W, dense.b);
  auto expected = (x - 10 * dense.x) * (2 * (dense.R * y - dense.y)).mm(dense.W);
  CHECK(difference(
            dense.by(
                "rule r { input = max(x, 0); output = 2 * y; map = R * y - layer.y; reduce = (x - 10 * layer.x) * v }"),
            expected) <= exact);
}

// -----------------------------------------------------------------------------------------------------------------
// require

TEST_CASE("a requirement about the layer is checked where the rule meets it") {
  Dense dense;
  auto strict = rule_in("rule r { require has(\"weight\"); param \"weight\" = abs(w) }");
  CHECK(difference(relevance(strict, dense.layer, dense.R),
                   relevance(rule_in("rule r { param \"weight\" = abs(w) }"), dense.layer, dense.R)) == 0);
  auto relu = plain_layer({dense.x}, [](const std::vector<at::Tensor>& inputs) { return at::relu(inputs[0]); });
  auto diagnostic = refused([&] { relevance(strict, relu, dense.x); });
  CHECK(diagnostic.code == Code::rule_does_not_fit);
  mentions(diagnostic, "it requires `has(\"weight\")`");
  auto own_words = rule_in("rule r { require not has(\"bias\"), \"the bias would take a share\"; map = R }");
  relevance(own_words, linear_layer(dense.x, dense.W), dense.R);
  mentions(refused([&] { relevance(own_words, dense.layer, dense.R); }), "the bias would take a share");
}

TEST_CASE("requirements join has with parameters, lets and conditions") {
  Dense dense;
  auto free = linear_layer(dense.x, dense.W);
  auto fits = [&](const char* text, const Arguments& arguments, const evaluate::Layer& layer) {
    auto rule = rule_in(text, arguments);
    try {
      relevance(rule, layer, dense.R);
      return true;
    } catch (const Error& error) {
      CHECK(error.diagnostics().front().code == Code::rule_does_not_fit);
      return false;
    }
  };
  auto text = "rule r(g = 1) { require has(\"weight\") and (has(\"bias\") or g > 2); map = g * R }";
  CHECK(fits(text, {}, dense.layer));
  CHECK(!fits(text, {}, free));
  CHECK(fits(text, {{"g", 3}}, free));
  text = "rule r(g = 1) { let strict = g > 2; require if strict then has(\"bias\") else has(\"weight\"); map = g * R }";
  CHECK(fits(text, {}, free));
  CHECK(!fits(text, {{"g", 3}}, free));
  CHECK(fits(text, {{"g", 3}}, dense.layer));
}

TEST_CASE("a requirement about the arguments is checked where they are given") {
  auto text =
      "rule r(alpha = 2, beta = 1) { require alpha - beta == 1 within 1e-9, \"alpha - beta is 1\"; map = (alpha + "
      "beta) * R }";
  rule_in(text);
  rule_in(text, {{"alpha", 1}, {"beta", 0}});
  rule_in(text, {{"alpha", 1.1}, {"beta", 0.1}});
  auto diagnostic = refused([&] { rule_in(text, {{"alpha", 2}, {"beta", 2}}); });
  CHECK(diagnostic.code == Code::requirement_violated);
  mentions(diagnostic, "alpha - beta is 1");
  CHECK(refused([&] { rule_in(std::string(text) + " rule s = r(2, 2)"); }).code == Code::requirement_violated);
  CHECK(refused([&] { Pack::parse(text).call("r(2, 2)"); }).code == Code::requirement_violated);
}

// ------------------------------------------------------------------------------------------------- stabilizers and
// functions

const std::string stabilizers = R"(
  fn relative(z, epsilon = 1e-6) = stabilize(z, epsilon * sqrt(mean(z ^ 2)))
  fn clipped(z, epsilon = 1e-3) = sign(z) * max(abs(z), epsilon)
  fn relative_over_channels(z, epsilon = 1e-6) = stabilize(z, epsilon * sqrt(mean(z ^ 2, 1)))
)";

TEST_CASE("a stabilizer is a number or a function without its first argument") {
  Convolution conv;
  auto expected = [&](const at::Tensor& stabilized) { return conv.x * conv.back(conv.W, conv.R / stabilized); };
  auto sign = at::where(conv.y < 0, -at::ones_like(conv.y), at::ones_like(conv.y));
  auto power = (conv.y * conv.y).mean({1, 2, 3}, true).sqrt();
  struct Row {
    const char* rule;
    at::Tensor stabilized;
  };
  for (auto& row :
       {Row{"epsilon(0.25)", stabilize(conv.y, 0.25)}, Row{"epsilon(relative(0.1))", conv.y + 0.1 * power * sign},
        Row{"epsilon(relative)", conv.y + 1e-6 * power * sign},
        Row{"epsilon(relative(epsilon = 0.5))", conv.y + 0.5 * power * sign},
        Row{"epsilon(clipped(0.5))", sign * conv.y.abs().clamp_min(0.5)},
        Row{"epsilon(epsilon = clipped)", sign * conv.y.abs().clamp_min(1e-3)},
        Row{"epsilon(relative_over_channels(0.1))", conv.y + 0.1 * (conv.y * conv.y).mean(1, true).sqrt() * sign}}) {
    INFO(row.rule);
    CHECK(difference(conv.by(stabilizers + "rule r = " + row.rule), expected(row.stabilized)) <= tolerance);
    // The same in a default and in a clause.
    auto argument = std::string(row.rule).substr(8);
    argument = argument.substr(0, argument.size() - 1);
    if (argument.starts_with("epsilon = ")) argument = argument.substr(10);
    CHECK(difference(conv.by(stabilizers + "rule r(e: stabilizer = " + argument + ") { map = R / stabilize(y, e) }"),
                     expected(row.stabilized)) <= tolerance);
    CHECK(difference(conv.by(stabilizers + "rule r { map = R / stabilize(y, " + argument + ") }"),
                     expected(row.stabilized)) <= tolerance);
  }
}

TEST_CASE("stabilizers reach rules through aliases and composites") {
  Dense dense;
  auto sign = at::where(dense.y < 0, -at::ones_like(dense.y), at::ones_like(dense.y));
  auto power = (dense.y * dense.y).mean(1, true).sqrt();
  auto expected = dense.x * (dense.R / (dense.y + 0.1 * power * sign)).mm(dense.W);
  CHECK(
      difference(dense.by(stabilizers +
                          "rule r(s = 0.1) = middle(relative(s))  rule middle(epsilon: stabilizer) = epsilon(epsilon)"),
                 expected) <= exact);
  torch::nn::Linear module(3, 2);
  module->to(at::kDouble);
  {
    at::NoGradGuard no_grad;
    module->weight.copy_(dense.W);
    module->bias.copy_(dense.b);
  }
  auto pack = Pack::parse(stabilizers +
                          "composite c(strength = 0.1) { any => d(relative(strength)) }  composite d(epsilon: "
                          "stabilizer) { linear => epsilon(epsilon) }");
  CHECK(difference(attached_relevance(pack.composite("c"), *module, dense.x, dense.R), expected) <= exact);
  CHECK(difference(attached_relevance(pack.call("epsilon(relative(0.1))"), *module, dense.x, dense.R), expected) <=
        exact);
  CHECK(difference(attached_relevance(pack.call("c(0.2)"), *module, dense.x, dense.R),
                   dense.x * (dense.R / (dense.y + 0.2 * power * sign)).mm(dense.W)) <= exact);
}

TEST_CASE("a stabilizer takes z as it stands, and a value for e that joins with it") {
  Dense dense;
  auto sum = dense.y.sum(1, true);
  CHECK(difference(dense.by("rule r(e: stabilizer = 0.5) { map = R / stabilize(sum(y), e) }"),
                   dense.x * (dense.R / stabilize(sum, 0.5)).mm(dense.W)) <= exact);
  CHECK(difference(dense.by("rule r { map = R / stabilize(y, mean(abs(y))) }"),
                   dense.x * (dense.R / at::where(dense.y < 0, dense.y - dense.y.abs().mean(1, true),
                                                  dense.y + dense.y.abs().mean(1, true)))
                                 .mm(dense.W)) <= exact);
  CHECK(difference(dense.by("rule r { map = R / stabilize(sum(y), abs(y) + 1) }"),
                   dense.x * (dense.R / (sum + at::where(sum < 0, -1, 1) * (dense.y.abs() + 1))).mm(dense.W)) <= exact);
  CHECK(
      difference(dense.by("rule r(e: output = [0.5, 2]) { map = R / stabilize(y, e) }"),
                 dense.x * (dense.R / (dense.y + at::where(dense.y < 0, -1, 1) * tensor({2}, {0.5, 2}))).mm(dense.W)) <=
      exact);
}

TEST_CASE("one function serves every space") {
  Dense dense;
  auto functions = std::string("fn square(z) = z ^ 2  fn share(z, total = 1) = square(z) / total  ");
  auto gamma = dense.R * dense.R;
  auto expected = dense.x * dense.x / 2 * gamma.mm(dense.W * dense.W);
  CHECK(difference(dense.by(functions + "rule r { input = share(x, 2); param = square(w); map = share(R, square(1)) }"),
                   expected) <= exact);
  CHECK(difference(dense.by(functions + "rule r { map = share(R, sum(square(y))) }"),
                   dense.x * (gamma / (dense.y * dense.y).sum(1, true)).mm(dense.W)) <= exact);
  auto W = random({2, 2}, 61);
  CHECK(difference(modified_parameters(rule_in("fn normal(z) = z / sum(abs(z))  rule r { param = normal(w) }"),
                                       {{"weight", W}})
                       .at(0),
                   W / W.abs().sum()) <= exact);
  CHECK(difference(dense.by("fn normal(z) = z / sum(abs(z))  rule r { map = normal(R) }"),
                   dense.x * (dense.R / dense.R.abs().sum(1, true)).mm(dense.W)) <= exact);
  CHECK(difference(
            dense.by("fn pick(a, b) = if a > b then a else b  rule r(g = 3) { map = R * pick(g, 2) + pick(y, 0) - "
                     "pick(mean(y), y) }"),
            dense.x * (3 * dense.R + dense.y.clamp_min(0) - at::maximum(dense.y, dense.y.mean(1, true))).mm(dense.W)) <=
        exact);
}

TEST_CASE("a function hands its stabilizer on") {
  Dense dense;
  auto expected = dense.x * (dense.R / stabilize(dense.y, 0.5)).mm(dense.W);
  CHECK(
      difference(
          dense.by("fn safe(z, s: stabilizer) = stabilize(z, s)  rule r(e: stabilizer = 0.5) { map = R / safe(y, e) }"),
          expected) <= exact);
  CHECK(difference(dense.by("fn safe(z, s: stabilizer) = stabilize(z, s)  rule r { map = R / safe(y, 0.5) }"),
                   expected) <= exact);
  CHECK(
      difference(dense.by("fn safe(z, s: stabilizer) = stabilize(z, s)  fn safer(z, s: stabilizer) = safe(z, s)  rule "
                          "r(e: stabilizer = 0.5, unused = [\"bias\"]) { param unused = w; map = R / safer(y, e) }"),
                 expected) <= exact);
}

TEST_CASE("a function hands a number on as a stabilizer") {
  Dense dense;
  auto expected = dense.x * (dense.R / stabilize(dense.y, 0.5)).mm(dense.W);
  CHECK(difference(dense.by("fn safe(z, s: stabilizer) = stabilize(z, s)  fn twice(z, e: scalar) = safe(z, 2 * e)  "
                            "rule r(other = 7) { map = R / twice(y, 0.25) + 0 * other }"),
                   expected) <= exact);
}

TEST_CASE("a stabilizer function may itself take a stabilizer") {
  Dense dense;
  auto functions = stabilizers + "fn doubled(z, s: stabilizer = 1e-6) = 2 * stabilize(z, s)  ";
  auto sign = at::where(dense.y < 0, -at::ones_like(dense.y), at::ones_like(dense.y));
  auto by_number = dense.x * (dense.R / (2 * stabilize(dense.y, 0.5))).mm(dense.W),
       by_function = dense.x * (dense.R / (2 * sign * dense.y.abs().clamp_min(0.5))).mm(dense.W);
  CHECK(difference(dense.by(functions + "rule r { map = R / stabilize(y, doubled(0.5)) }"), by_number) <= exact);
  CHECK(difference(dense.by(functions + "rule r = epsilon(doubled(0.5))"), by_number) <= exact);
  CHECK(difference(dense.by(functions + "rule r = epsilon(doubled(clipped(0.5)))"), by_function) <= exact);
  CHECK(difference(dense.by(functions + "rule r { map = R / stabilize(y, doubled(clipped(0.5))) }"), by_function) <=
        exact);
  CHECK(difference(dense.by(functions + "rule r(e: stabilizer = clipped(0.5)) { map = R / stabilize(y, doubled(e)) }"),
                   by_function) <= exact);
}

TEST_CASE("a stabilizer that reduces is refused where there is nothing to reduce") {
  Dense dense;
  for (auto text : {"rule r(a = 2) { map = R / stabilize(a, relative(0.1)) }",
                    "rule r { map = R / stabilize(sum(y), relative(0.1)) }",
                    "rule r(a = 2, e: stabilizer = relative(0.1)) { map = R / stabilize(a, e) }"}) {
    INFO(text);
    CHECK_THROWS_AS(dense.by(stabilizers + text), Error);
  }
}

TEST_CASE("a stabilizer function may take a value per output element") {
  Dense dense;
  auto expected = dense.x * (dense.R / (dense.y + at::where(dense.y < 0, -1, 1) * tensor({2}, {0.5, 2}))).mm(dense.W);
  CHECK(difference(dense.by("fn floor(z, e: output) = z + e * sign(z)  rule r = epsilon(floor(2))"),
                   dense.x * (dense.R / stabilize(dense.y, 2)).mm(dense.W)) <= exact);
  CHECK(difference(dense.by("fn floor(z, e: output) = z + e * sign(z)  rule r = epsilon(floor([0.5, 2]))"), expected) <=
        exact);
}

// ---------------------------------------------------------------------------------------------------- tensors as
// arguments

TEST_CASE("a tensor for an input parameter is laid on one sample from the front, or broadcasts at the full rank") {
  Convolution conv;
  auto text = "rule r(low: input) { input = low }";
  auto with = [&](const at::Tensor& low) {
    auto y = at::conv2d(low.expand_as(conv.x).contiguous(), conv.W, conv.b);
    return low * conv.back(conv.W, conv.R / stabilize(y, 1e-6));
  };
  auto channels = tensor({1, 3, 1, 1}, {-2.1, -2, -1.8});
  CHECK(difference(conv.by(text, {{"low", Numbers{{3}, {-2.1, -2, -1.8}}}}), with(channels)) <= tolerance);
  CHECK(difference(conv.by(text, {{"low", Numbers{{3, 1, 1}, {-2.1, -2, -1.8}}}}), with(channels)) <= tolerance);
  CHECK(difference(conv.by(text, {{"low", Numbers{{1, 3, 1, 1}, {-2.1, -2, -1.8}}}}), with(channels)) <= tolerance);
  CHECK(difference(conv.by("rule r(low: input = [-2.1, -2.0, -1.8]) { input = low }"), with(channels)) <= tolerance);
  CHECK(difference(conv.by(text, {{"low", -2}}), with(at::full({1, 1, 1, 1}, -2, at::kDouble))) <= tolerance);
  CHECK(difference(conv.by(text, {{"low", Numbers{{}, {-2}}}}), with(at::full({1, 1, 1, 1}, -2, at::kDouble))) <=
        tolerance);
  CHECK(difference(conv.by(text, {{"low", Numbers{{1}, {-2}}}}), with(at::full({1, 1, 1, 1}, -2, at::kDouble))) <=
        tolerance);
  auto full = random({2, 3, 4, 4}, 71);
  auto numbers = [](const at::Tensor& t, std::vector<std::int64_t> shape) {
    return Numbers{std::move(shape), {t.data_ptr<double>(), t.data_ptr<double>() + t.numel()}};
  };
  CHECK(difference(conv.by(text, {{"low", numbers(full, {2, 3, 4, 4})}}), with(full)) <= tolerance);
  auto one = full.slice(0, 0, 1).contiguous();
  CHECK(difference(conv.by(text, {{"low", numbers(one, {1, 3, 4, 4})}}), with(one)) <= tolerance);
  CHECK(difference(conv.by(text, {{"low", numbers(one, {3, 4, 4})}}), with(one)) <= tolerance);
  auto rows = random({3, 4, 1}, 72);
  CHECK(difference(conv.by(text, {{"low", numbers(rows, {3, 4})}}), with(rows.reshape({1, 3, 4, 1}))) <= tolerance);
}

TEST_CASE("a tensor for an input parameter that does not fit is refused") {
  Convolution conv;
  auto rule = [](std::vector<std::int64_t> shape) {
    std::size_t count = 1;
    for (auto size : shape) count *= static_cast<std::size_t>(size);
    return rule_in("rule r(low: input) { input = low }",
                   {{"low", Numbers{std::move(shape), std::vector<double>(count)}}});
  };
  for (auto& shape : std::vector<std::vector<std::int64_t>>{
           {2}, {4}, {4, 4}, {3, 3, 3}, {2, 2, 4, 4}, {4, 3, 4, 4}, {3, 1, 1, 1}, {1, 2, 3, 4, 4}, {0}}) {
    INFO(at::IntArrayRef(shape));
    auto diagnostic = refused([&] { relevance(rule(shape), conv.layer, conv.R); });
    CHECK(diagnostic.code == Code::rule_does_not_fit);
    mentions(diagnostic, "`low` has the shape [");
    mentions(diagnostic, "[2, 3, 4, 4]");
  }
}

TEST_CASE("a tensor for an output parameter is laid on the output") {
  Convolution conv;
  auto text = "rule r(scale: output) { map = R * scale; reduce = v }";
  CHECK(difference(conv.by(text, {{"scale", Numbers{{2}, {2, -3}}}}),
                   conv.back(conv.W, conv.R * tensor({1, 2, 1, 1}, {2, -3}))) <= tolerance);
  CHECK(difference(conv.by(text, {{"scale", 5}}), conv.back(conv.W, conv.R * 5)) <= tolerance);
  CHECK(refused([&] { conv.by(text, {{"scale", Numbers{{3}, {1, 2, 3}}}}); }).code == Code::rule_does_not_fit);
  CHECK(difference(conv.by("rule r(bound: output) { output = min(y, bound); map = R; reduce = v }",
                           {{"bound", Numbers{{2}, {0.5, -0.5}}}}),
                   conv.back(conv.W, conv.R * (conv.y < tensor({1, 2, 1, 1}, {0.5, -0.5})))) <= tolerance);
}

TEST_CASE("a tensor for a parameter has the parameter's shape") {
  Dense dense;
  auto pattern = random({2, 3}, 73);
  auto numbers = Numbers{{2, 3}, {pattern.data_ptr<double>(), pattern.data_ptr<double>() + 6}};
  // PatternAttribution (Kindermans 2018)
  CHECK(difference(dense.by("rule r(a: param) { param \"weight\" = a * w; param \"bias\" = 0; map = R; reduce = v }",
                            {{"a", numbers}}),
                   dense.R.mm(pattern * dense.W)) <= exact);
  CHECK(difference(dense.by("rule r(a: param = [[1, 2, 3], [4, 5, 6]]) { param \"weight\" = a; map = R; reduce = v }"),
                   dense.R.mm(tensor({2, 3}, {1, 2, 3, 4, 5, 6}))) <= exact);
  CHECK(difference(dense.by("rule r(a: param) { param = a * w; map = R; reduce = v }", {{"a", 2}}),
                   dense.R.mm(2 * dense.W)) <= exact);
  for (auto text : {"rule r(a: param = [1, 2, 3]) { param \"weight\" = a * w }",
                    "rule r(a: param = [[1], [2]]) { param \"weight\" = a * w }",
                    "rule r(a: param = [[1, 2], [3, 4], [5, 6]]) { param \"weight\" = a }",
                    "rule r(a: param = [[1, 2, 3], [4, 5, 6]]) { param = a * w }"}) {
    INFO(text);
    auto diagnostic = refused([&] { dense.by(text); });
    CHECK(diagnostic.code == Code::rule_does_not_fit);
    mentions(diagnostic, "`a` has the shape [");
  }
}

TEST_CASE("a number or a smaller tensor for an input parameter is spread before it is reduced") {
  auto x = random({2, 3, 2}, 74), R = random({2, 3, 2}, 75);
  auto check = [&](const char* expression, const Argument& low, const at::Tensor& expected) {
    INFO(expression);
    CHECK(difference(relevance(rule_in(std::string("rule r(low: input) { backward = x * 0 + ") + expression + " }",
                                       {{"low", low}}),
                               identity(x), R),
                     expected.expand_as(x)) <= exact);
  };
  check("mean(low)", Numbers{{3}, {1, 2, 6}}, at::full({1}, 3, at::kDouble));
  check("sum(low)", Numbers{{3}, {1, 2, 6}}, at::full({1}, 18, at::kDouble));
  check("mean(low)", 4, at::full({1}, 4, at::kDouble));
  check("sum(low)", 4, at::full({1}, 24, at::kDouble));
}

TEST_CASE("map takes an input parameter, reduced") {
  Dense dense;
  CHECK(difference(dense.by("rule r(low: input = [[1, 2, 6]]) { map = R * mean(low); reduce = v }"),
                   (3 * dense.R).mm(dense.W)) <= exact);
}

TEST_CASE("tensors go through aliases and composites, and may be made of numbers") {
  Dense dense;
  auto low = tensor({3}, {-3, -4, -5}), high = tensor({3}, {5, 6, 7});
  auto expected =
      relevance(published().rule("zbox", {{"low", Numbers{{3}, {-3, -4, -5}}}, {"high", Numbers{{3}, {5, 6, 7}}}}),
                dense.layer, dense.R);
  auto zbox = std::string(R"(
    rule box(low: input, high: input) {
      map = R / stabilize(own.y - lower.y - upper.y)
      term own {}
      term lower { input = low; param = max(w, 0) }
      term upper { input = high; param = min(w, 0) }
      reduce = own.x * own.v - lower.x * lower.v - upper.x * upper.v
    }
  )");
  auto numbers = Numbers{{3}, {-3, -4, -5}};
  CHECK(difference(dense.by(zbox + "rule r = box([-3, -4, -5], [5, 6, 7])"), expected) <= exact);
  CHECK(difference(dense.by(zbox + "rule r(low: input) = box(low, [5, 6, 7])", {{"low", numbers}}), expected) <= exact);
  CHECK(difference(dense.by(zbox + "rule r(a = 3) = box([-a, -a - 1, -5], [a + 2, 2 * a, 7])"), expected) <= exact);
}

TEST_CASE("backward takes an input parameter on attached models") {
  Dense dense;
  auto W = tensor({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 10});
  torch::nn::Linear module(torch::nn::LinearOptions(3, 3).bias(false));
  module->to(at::kDouble);
  {
    at::NoGradGuard no_grad;
    module->weight.copy_(W);
  }
  auto R = random({4, 3}, 76);
  auto rule = rule_in("rule r(factor: input = [1, 2, 3]) { backward = factor * R }");
  auto expected = R * tensor({3}, {1, 2, 3});
  CHECK(difference(relevance(rule, linear_layer(dense.x, W), R), expected) <= exact);
  CHECK(difference(attached_relevance(rule, *module, dense.x, R), expected) <= exact);
}

// ---------------------------------------------------------------------------------------------------------- several
// inputs

struct Sum {
  at::Tensor a = tensor({2, 2}, {1, -3, 0.5, 2}), c = tensor({2, 2}, {2, 1, 0.25, -2}),
             R = tensor({2, 2}, {3, 4, 6, 5});
  evaluate::Layer layer = plain_layer({a, c}, [](const std::vector<at::Tensor>& x) { return x[0] + x[1]; });
};

TEST_CASE("several inputs: each gets its share") {
  Sum sum;
  auto gamma = sum.R / stabilize(sum.a + sum.c, 1e-6);
  auto found = relevances(Pack::standard().rule("norm"), sum.layer, sum.R);
  REQUIRE(found.size() == 2);
  CHECK(difference(found[0], sum.a * gamma) <= exact);
  CHECK(difference(found[1], sum.c * gamma) <= exact);
  // 1 + 2 of 3, and 0.5 + 0.25 of 6.
  CHECK(found[0][0][0].item<double>() == Approx(1));
  CHECK(found[1][1][0].item<double>() == Approx(2));
}

TEST_CASE("several inputs: modifiers and reduce stand for each in turn") {
  Sum sum;
  auto found =
      relevances(rule_in("rule r { input = abs(x) + mean(x); map = R / stabilize(y); reduce = x * v + layer.x }"),
                 sum.layer, sum.R);
  auto a = sum.a.abs() + sum.a.mean(1, true), c = sum.c.abs() + sum.c.mean(1, true);
  auto gamma = sum.R / stabilize(a + c, 1e-6);
  CHECK(difference(found[0], a * gamma + sum.a) <= exact);
  CHECK(difference(found[1], c * gamma + sum.c) <= exact);
  found = relevances(rule_in("rule r { term up { input = max(x, 0) } term down { input = min(x, 0) } map = R / "
                             "stabilize(up.y + down.y, 0.5); reduce = up.x * up.v - down.x * down.v }"),
                     sum.layer, sum.R);
  gamma = sum.R / stabilize(sum.a.clamp_min(0) + sum.c.clamp_min(0) + sum.a.clamp_max(0) + sum.c.clamp_max(0), 0.5);
  CHECK(difference(found[0], sum.a.abs() * gamma) <= exact);
  CHECK(difference(found[1], sum.c.abs() * gamma) <= exact);
}

TEST_CASE("several inputs: a constant takes its share and gets no relevance") {
  Sum sum;
  sum.layer.gets_relevance = {true, false};
  auto found = relevances(Pack::standard().rule("norm"), sum.layer, sum.R);
  CHECK(difference(found[0], sum.a * sum.R / stabilize(sum.a + sum.c, 1e-6)) <= exact);
  CHECK(!found[1].defined());
  sum.layer.gets_relevance = {false, true};
  found = relevances(rule_in("rule r { reduce = 2 * x * v }"), sum.layer, sum.R);
  CHECK(!found[0].defined());
  CHECK(difference(found[1], 2 * sum.c * sum.R / stabilize(sum.a + sum.c, 1e-6)) <= exact);
}

TEST_CASE("several inputs of different shapes: each gets its relevance in its own") {
  auto a = random({2, 3, 4}, 81), c = random({4}, 82), R = random({2, 3, 4}, 83);
  auto layer = plain_layer({a, c}, [](const std::vector<at::Tensor>& x) { return x[0] + x[1]; });
  auto found = relevances(Pack::standard().rule("norm"), layer, R);
  auto gamma = R / stabilize(a + c, 1e-6);
  CHECK(difference(found[0], a * gamma) <= tolerance);
  CHECK(difference(found[1], c * gamma.sum({0, 1})) <= tolerance);
}

TEST_CASE("several inputs: backward without x and grad would multiply relevance and is refused") {
  Sum sum;
  for (auto text : {"rule r { backward = R }", "rule r { backward = R * y }", "rule r { backward = max(R, 0) }"}) {
    INFO(text);
    auto diagnostic = refused([&] { relevances(rule_in(text), sum.layer, sum.R); });
    CHECK(diagnostic.code == Code::rule_does_not_fit);
    mentions(diagnostic, "each of several inputs");
  }
  auto found = relevances(rule_in("rule r { backward = grad * x }"), sum.layer, sum.R);
  CHECK(difference(found[0], sum.R * sum.a) <= exact);
  CHECK(difference(found[1], sum.R * sum.c) <= exact);
  // One that gets relevance is one: nothing is multiplied.
  sum.layer.gets_relevance = {true, false};
  CHECK(at::equal(relevances(Pack::standard().rule("pass"), sum.layer, sum.R)[0], sum.R));
}

TEST_CASE("pass fits a layer that adds a constant of a smaller shape") {
  auto x = random({2, 3}, 84), c = random({3}, 85), R = random({2, 3}, 86);
  auto layer = plain_layer({x, c}, [](const std::vector<at::Tensor>& inputs) { return inputs[0] + inputs[1]; });
  layer.gets_relevance = {true, false};
  CHECK(at::equal(relevances(Pack::standard().rule("pass"), layer, R)[0], R));
}

struct Residual : torch::nn::Module {
  explicit Residual(at::Tensor constant) : c(std::move(constant)) {}
  at::Tensor forward(const at::Tensor& x) { return at::tanh(x) + x + c; }
  at::Tensor c;
};

TEST_CASE("several inputs on an attached model: a residual connection and a constant") {
  auto x = random({2, 3}, 87), c = random({3}, 88), R = random({2, 3}, 89);
  Residual model(c);
  auto rules = Pack::parse("composite r { activation => pass; add => norm }").composite("r");
  auto y = at::tanh(x) + x;
  auto upper = y * R / stabilize(y + c, 1e-6);
  auto expected = at::tanh(x) * upper / stabilize(y, 1e-6) + x * upper / stabilize(y, 1e-6);
  CHECK(difference(attached_relevance(rules, model, x, R), expected) <= exact);
}

// ------------------------------------------------------------------------------------------------------- types and
// gradients

TEST_CASE("what is float32 stays float32") {
  Dense dense;
  auto type = at::kFloat;
  auto layer = linear_layer(dense.x.to(type), dense.W.to(type), dense.b.to(type));
  auto R = dense.R.to(type);
  auto numbers = Numbers{{3}, {-1, -2, -3}};
  for (auto& rule : {rule_in("rule r {}"), Pack::standard().rule("gamma"), Pack::standard().rule("zplus"),
                     Pack::standard().rule("flat"), published().rule("zbox", {{"low", numbers}, {"high", 4}}),
                     rule_in(stabilizers + "rule r = epsilon(relative(0.1))"),
                     rule_in("rule r { input = 1; map = if sum(R) > 0 then 1 else 0.1 }"),
                     rule_in("rule r { param \"weight\" = w ^ 2 / sum(w); reduce = 0.1 * v + mean(R) }"),
                     rule_in("rule r { reduce = 1 }"), rule_in("rule r { backward = grad * 0.1 }"),
                     rule_in("rule r { forward = 0.1 * y }")}) {
    INFO(rule.description());
    auto found = relevance(rule, layer, R);
    CHECK(found.scalar_type() == type);
    CHECK(difference(found, relevance(rule, dense.layer, dense.R)) <= 1e-5);
    CHECK(evaluate::forward(rule.bound(), layer).scalar_type() == type);
  }
  auto pattern = rule_in("rule r(a: param = [[1, 2, 3], [4, 5, 6]]) { param \"weight\" = a * w; param \"bias\" = 0 }");
  CHECK(relevance(pattern, layer, R).scalar_type() == type);
}

TEST_CASE("results have no history, and nobody's gradient is touched") {
  Dense dense;
  auto x = dense.x.clone().requires_grad_(), W = dense.W.clone().requires_grad_(), b = dense.b.clone().requires_grad_();
  x.mutable_grad() = at::full_like(dense.x, 7);
  W.mutable_grad() = at::full_like(dense.W, 8);
  auto layer = linear_layer(x, W, b);
  layer.output = dense.y.clone();
  auto R = dense.R.clone().requires_grad_();
  for (auto text : {"rule r {}", "rule r { input = x; param = w; output = y; map = R; reduce = v }",
                    "rule r { reduce = layer.x }", "rule r { reduce = x }", "rule r { backward = x }",
                    "rule r { backward = grad }", "rule r { forward = 0.5 * y }",
                    "rule r { forward = 0.5 * y; map = R }", "rule r { map = R; reduce = sum(R) }", "rule r = gamma"}) {
    INFO(text);
    auto found = relevance(rule_in(text), layer, R);
    CHECK(!found.requires_grad());
    CHECK(!found.grad_fn());
    CHECK(at::equal(x.grad(), at::full_like(dense.x, 7)));
    CHECK(at::equal(W.grad(), at::full_like(dense.W, 8)));
    CHECK(!b.grad().defined());
    CHECK(!R.grad().defined());
    CHECK(x.requires_grad());
  }
  CHECK(at::equal(x.detach(), dense.x));
  CHECK(at::equal(W.detach(), dense.W));
  CHECK(at::equal(R.detach(), dense.R));
}

TEST_CASE("rules work where gradients are disabled") {
  Dense dense;
  auto expected = dense.by("rule r { output = 2 * y }");
  at::NoGradGuard no_grad;
  CHECK(at::equal(dense.by("rule r { output = 2 * y }"), expected));
  CHECK(difference(dense.by("rule r { backward = grad }"), dense.R.mm(dense.W)) <= exact);
  CHECK(difference(dense.by("rule r { forward = 2 * y; backward = grad }"), 2 * dense.R.mm(dense.W)) <= exact);
  CHECK(!at::GradMode::is_enabled());
}

TEST_CASE("tensors that are not contiguous are as good as others") {
  Dense dense;
  auto expected = dense.by("rule r { input = max(x, 0); reduce = v + mean(x) }");
  auto layer = linear_layer(dense.x.t().contiguous().t(), dense.W.t().contiguous().t(), dense.b);
  CHECK(difference(relevance(rule_in("rule r { input = max(x, 0); reduce = v + mean(x) }"), layer,
                             dense.R.t().contiguous().t()),
                   expected) <= exact);
  auto spread = tensor({4, 1}, {1, 2, 3, 4}).expand({4, 2});
  CHECK(difference(relevance(rule_in("rule r {}"), dense.layer, spread),
                   relevance(rule_in("rule r {}"), dense.layer, spread.contiguous())) <= exact);
}

TEST_CASE("a layer may hand its input on as it is, and need not use all of its inputs") {
  auto x = random({2, 3}, 95), c = random({2, 3}, 96), R = random({2, 3}, 97);
  auto same = plain_layer({x}, [](const std::vector<at::Tensor>& inputs) { return inputs[0]; });
  CHECK(difference(
            relevance(rule_in("rule r { term a {} term b { input = 2 * x } map = R / stabilize(a.y + b.y) }"), same, R),
            3 * x * R / stabilize(3 * x, 1e-6)) <= exact);
  CHECK(at::equal(relevance(rule_in("rule r { backward = grad }"), same, R), R));
  auto first = plain_layer({x, c}, [](const std::vector<at::Tensor>& inputs) { return inputs[0] * 2; });
  auto found = relevances(rule_in("rule r { map = R }"), first, R);
  CHECK(difference(found[0], 2 * x * R) <= exact);
  CHECK(at::equal(found[1], at::zeros_like(c)));
}

// ------------------------------------------------------------------------------------------------ linear layers at any
// rank

struct Named : torch::nn::Module {
  explicit Named(const Dense& dense) : layer(register_module("layer", torch::nn::Linear(3, 2))) {
    to(at::kDouble);
    at::NoGradGuard no_grad;
    layer->weight.copy_(dense.W);
    layer->bias.copy_(dense.b);
  }
  at::Tensor forward(const at::Tensor& x) { return layer->forward(x); }
  torch::nn::Linear layer;
};

void check_at_higher_rank(const std::string& text, const char* what) {
  INFO(text);
  INFO(what);
  Dense dense;
  auto x = random({2, 5, 3}, 91), R = random({2, 5, 2}, 92);
  auto rule = rule_in(text);
  Named model(dense);
  auto expected = relevance(rule, linear_layer(x, dense.W, dense.b), R);
  auto input = x.clone().requires_grad_();
  auto attached = attach(rule, model);
  auto y = model.forward(input);
  CHECK(difference(y.detach(), evaluate::forward(rule.bound(), linear_layer(x, dense.W, dense.b))) <= exact);
  y.backward(R);
  CHECK(difference(input.grad(), expected) <= tolerance);
}

TEST_CASE("a linear layer on more than two dimensions is one layer, bias and all") {
  check_at_higher_rank("rule r {}", "its bias takes a share");
  check_at_higher_rank("rule r { map = R / stabilize(layer.y, mean(abs(layer.y))); reduce = v + mean(x) }",
                       "one number per sample");
  check_at_higher_rank("rule r = gamma", "the layer's own output");
  check_at_higher_rank("rule r { backward = grad * x }", "its gradient");
}

TEST_CASE("a linear layer on more than two dimensions is one layer: its output is replaced as a whole") {
  check_at_higher_rank("rule r { forward = y ^ 2; backward = grad }", "forward sees the bias");
}

TEST_CASE("a linear layer on more than two dimensions is one layer: it has a bias") {
  check_at_higher_rank("rule r { require has(\"bias\"); map = R }", "has sees the bias");
}

TEST_CASE("a linear layer without a batch is not passed over in silence") {
  Dense dense;
  Named model(dense);
  auto x = random({3}, 98).requires_grad_();
  auto attached = attach(Pack::standard().rule("zplus"), model);
  bool refused_it = false;
  try {
    model.forward(x);
  } catch (const Error&) {
    refused_it = true;
  }
  auto report = attached.report();
  bool reported = std::any_of(report.begin(), report.end(), [](auto& row) { return row.kind == "linear"; });
  CHECK((refused_it || reported));
}

TEST_CASE("a linear layer on more than two dimensions is one layer where it is the whole model, too") {
  Dense dense;
  auto x = random({2, 5, 3}, 93), R = random({2, 5, 2}, 94);
  Named model(dense);
  auto rule = Pack::standard().rule("epsilon");
  CHECK(difference(attached_relevance(rule, *model.layer, x, R),
                   relevance(rule, linear_layer(x, dense.W, dense.b), R)) <= tolerance);
}

}  // namespace
}  // namespace ascribe
