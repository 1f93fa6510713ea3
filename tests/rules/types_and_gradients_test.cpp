// What evaluation keeps: types, histories, gradients, layouts.
#include "interpreter/inside.hpp"
#include "tests/rules/expressions.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

TEST_CASE("what is float32 stays float32") {
  Dense dense;
  auto type = at::kFloat;
  auto layer = linear_layer(dense.x.to(type), dense.W.to(type), dense.b.to(type));
  auto R = dense.R.to(type);
  auto numbers = Numbers{{3}, {-1, -2, -3}};
  for (auto& rule : {rule_in("rule r {}"), Pack::standard().rule("gamma"), Pack::standard().rule("zplus"),
                     Pack::standard().rule("flat"), Pack::standard().rule("zbox", {{"low", numbers}, {"high", 4}}),
                     rule_in(stabilizers + "rule r = epsilon(relative(0.1))"),
                     rule_in("rule r { input = 1; map = if sum(R) > 0 then 1 else 0.1 }"),
                     rule_in("rule r { param \"weight\" = w ^ 2 / sum(w); reduce = 0.1 * v + mean(R) }"),
                     rule_in("rule r { reduce = 1 }"), rule_in("rule r { backward = grad * 0.1 }"),
                     rule_in("rule r { forward = 0.1 * y }")}) {
    INFO(rule.description());
    auto found = relevance(rule, layer, R);
    CHECK(found.scalar_type() == type);
    CHECK(difference(found, relevance(rule, dense.layer, dense.R)) <= 1e-5);
    CHECK(test::forward(Inside::bound(rule), layer).scalar_type() == type);
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

}  // namespace
}  // namespace ascribe
