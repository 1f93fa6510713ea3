// What expressions mean (language.md, sections 3 and 4): built-ins, operators, conditions and reductions, against
// LibTorch.
#include <cmath>

#include "tests/rules/expressions.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

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

// ---------------------------------------------------------------------------------------------------------- reductions

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

TEST_CASE("quantile is the value that a share lies below, between the nearest two in proportion") {
  for (auto& shape : {std::vector<std::int64_t>{3, 7}, {2, 3, 4}, {2, 3, 4, 5}, {2, 1}, {3, 2, 1, 1, 2}}) {
    auto x = random(shape, 11), R = random(shape, 12);
    for (double share : {0.0, 0.1, 0.25, 0.5, 0.9, 1.0}) {
      INFO(share);
      auto expected = at::quantile(x.flatten(1), share, 1, true);
      while (expected.dim() < x.dim()) expected = expected.unsqueeze(-1);
      auto call = fmt::format("quantile(x, {})", share);
      CHECK(difference(value(call, x, R), expected.expand_as(x)) <= tolerance);
      CHECK(difference(value("x - " + call + " * sum(R)", x, R),
                       x - expected * R.flatten(1).sum(1).reshape(expected.sizes())) <= tolerance);
      CHECK(difference(value(fmt::format("quantile(x, {}, 1)", share), x, R),
                       at::quantile(x, share, 1, true).expand_as(x)) <= tolerance);
    }
  }
}

TEST_CASE("quantile shows what is not a number, and takes every type") {
  auto x = tensor({2, 3}, {1, NAN, 3, 1, 2, 3});
  auto found = value("quantile(x, 0.5)", x, x);
  CHECK(found[0].isnan().all().item<bool>());
  CHECK(at::equal(found[1], tensor({3}, {2, 2, 2})));
  auto half = tensor({2, 3}, {1, 4, 3, 1, 2, 3}).to(at::kHalf);
  CHECK(at::equal(value("quantile(x, 0.5)", half, half), tensor({2, 3}, {3, 3, 3, 2, 2, 2}).to(at::kHalf)));
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
  check("quantile(w, 0.25)", at::quantile(W.flatten(), 0.25));
  check("w - quantile(w, sigmoid(mean(w)), 0)", W - at::quantile(W, W.mean().sigmoid().item<double>(), 0, true));
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

TEST_CASE("a share that turns out not to be one is refused") {
  Dense dense;
  for (auto share : {"-0.1", "1.5", "log(-1)"}) {
    auto diagnostic = refused(
        [&] { dense.by(std::string("rule part(share) { map = quantile(y, share) }\nrule r = part(") + share + ")"); });
    CHECK(diagnostic.code == Code::rule_does_not_fit);
    mentions(diagnostic, "share");
  }
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

}  // namespace
}  // namespace ascribe
