// Functions and stabilizers: numbers, functions, and functions of functions.
#include <torch/nn/modules/linear.h>

#include "tests/rules/expressions.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

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
                            "rule r(more = 7) { map = R / twice(y, 0.25) + 0 * more }"),
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

}  // namespace
}  // namespace ascribe
