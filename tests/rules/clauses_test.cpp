// Lets, the order of clauses, parameters and requirements (language.md, section 3).
#include "tests/rules/expressions.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

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

// ---------------------------------------------------------------------------------------------------- order of clauses

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
  CHECK(difference(dense.by("rule r { param \"weight\" = 2 * w; param [\"weight\", \"bias\"] = 3 * w }"),
                   with(2 * dense.W, 3 * dense.b, 1)) <= exact);
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
                    "rule r { param \"bias\" = w; param \"bias\" = 0 }", "rule r { input = x; input = 2 * x }",
                    "rule r { term a { input = 2 * x } input = 3 * x }"}) {
    INFO(text);
    CHECK(refused([&] { rule_in(text); }).code == Code::unreachable_modifier);
  }
}

// ---------------------------------------------------------------------------------------------------------- parameters

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

// ------------------------------------------------------------------------------------------------------------- require

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

}  // namespace
}  // namespace ascribe
