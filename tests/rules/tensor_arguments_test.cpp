// Tensors as arguments: how they are laid on inputs, outputs and parameters.
#include <torch/nn/modules/linear.h>

#include "tests/rules/expressions.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

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
      relevance(Pack::standard().rule("zbox", {{"low", Numbers{{3}, {-3, -4, -5}}}, {"high", Numbers{{3}, {5, 6, 7}}}}),
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

}  // namespace
}  // namespace ascribe
