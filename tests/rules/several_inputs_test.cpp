// Layers with several inputs: each gets its relevance.
#include "tests/rules/expressions.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

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

}  // namespace
}  // namespace ascribe
