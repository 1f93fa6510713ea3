// Operators that are no kind of layer: entries reach them, reports name them, sums add up.
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>

#include <cmath>

#include "tests/attach/layers.hpp"
#include "tests/attach/scripts.hpp"

using namespace ascribe;
using test::exact;

namespace {

struct Network : torch::nn::Module {
  explicit Network(std::function<at::Tensor(const at::Tensor&)> middle) : f(std::move(middle)) {
    register_module("first", first);
    register_module("last", last);
    to(at::kDouble);
  }
  at::Tensor forward(const at::Tensor& x) { return last->forward(f(first->forward(x))); }
  torch::nn::Linear first{3, 3}, last{3, 2};
  std::function<at::Tensor(const at::Tensor&)> f;
};

at::Tensor input() { return at::tensor({0.5, -1.0, 2.0, 1.5, 0.25, -0.75}, at::kDouble).reshape({2, 3}); }

const LayerReport& row(const Report& report, const std::string& kind) {
  auto found = std::find_if(report.begin(), report.end(), [&](auto& each) { return each.kind == kind; });
  REQUIRE(found != report.end());
  return *found;
}

}  // namespace

TEST_CASE("any => refuse is a guard that holds for every operator") {
  auto rules = test::entries("linear => epsilon\nany => refuse");
  for (auto& f : std::vector<std::function<at::Tensor(const at::Tensor&)>>{
           [](auto& x) { return x.exp(); }, [](auto& x) { return x * x.softmax(1); }, [](auto& x) { return x.pow(2); },
           [](auto& x) { return x.cumsum(1); }, [](auto& x) { return x.matmul(x.t().matmul(x)); }}) {
    Network model(f);
    CHECK_THAT(test::failure([&] { test::attached_run(rules, model, input()); }), Catch::StartsWith("A0602"));
  }
  Network shapes([](auto& x) { return x.reshape({3, 2}).t().reshape({2, 3}).flip(1).clone(); });
  CHECK(test::failure([&] { test::attached_run(rules, shapes, input()); }) == "no error");
}

TEST_CASE("a refused operator at the end is refused in the backward pass, and the next pass knows nothing of it") {
  torch::nn::Linear model(3, 2);
  model->to(at::kDouble);
  auto attached = attach(test::entries("linear => epsilon\nany => refuse"), model);
  for (int i = 0; i < 2; ++i) {
    auto y = model->forward(input().requires_grad_()).exp();
    CHECK_THAT(test::failure([&] { y.sum().backward(); }), Catch::StartsWith("A0602"));
    CHECK(test::failure([&] { model->forward(input().requires_grad_()).sum().backward(); }) == "no error");
  }
}

TEST_CASE("an operator has the kind word operator, and its module's name") {
  Network model([](auto& x) { return x.exp(); });
  auto by_kind = test::attached_run(test::entries("operator => pass\nlinear => epsilon"), model, input());
  CHECK(row(by_kind.report, "exp").rule == "pass");
  auto kept = test::attached_run(test::entries("linear => epsilon"), model, input());
  CHECK(row(kept.report, "exp").rule == "gradient");
  CHECK(test::difference(by_kind.relevance, kept.relevance) > 1e-3);
}

TEST_CASE("a rule on an operator sees the operator as f") {
  Network model([](auto& x) { return x.exp(); });
  auto found = test::attached_run(test::entries("operator => epsilon(1e-3)\nlinear => epsilon(1e-3)"), model, input());
  auto linear = [](auto& module) {
    return test::Parameters{{"weight", module->weight.detach()}, {"bias", module->bias.detach()}};
  };
  auto f = [](const test::Tensors& x, const test::Tensors& theta) { return at::linear(x[0], theta[0], theta[1]); };
  auto epsilon = test::rule("epsilon", {{"epsilon", 1e-3}});
  auto expected = test::layer_by_layer({{epsilon, f, linear(model.first)},
                                        {epsilon, [](auto& x, auto&) { return x[0].exp(); }},
                                        {epsilon, f, linear(model.last)}},
                                       input());
  CHECK(test::difference(found.relevance, expected.relevance) <= exact);
}

TEST_CASE("a product's factors each get what the rule hands them") {
  Network model([](auto& x) { return x * x.sigmoid().exp(); });
  auto rules = test::entries("product => norm\noperator, activation => pass\nlinear => epsilon");
  auto found = test::attached_run(rules, model, input());
  auto& product = row(found.report, "product");
  CHECK(product.inputs == 2);
  REQUIRE(product.above);
  REQUIRE(product.below);
  CHECK(std::abs(*product.below - 2 * *product.above) <= 1e-4 * std::abs(*product.above));
}

TEST_CASE("a rule that an operator's results do not fit is refused with its name") {
  Network model([](auto& x) { return std::get<0>(x.sort(1)); });
  auto message = test::failure(
      [&] { test::attached_run(test::entries("operator => epsilon\nlinear => epsilon"), model, input()); });
  CHECK_THAT(message, Catch::StartsWith("A0601") && Catch::Contains("sort"));
  CHECK(test::failure([&] { test::attached_run(test::entries("linear => epsilon"), model, input()); }) == "no error");
}

TEST_CASE("what LibTorch makes of other operators is what these are") {
  Network model([](auto& x) { return at::einsum("ij,jk->ik", {x, at::eye(3, at::kDouble) * 2}); });
  auto found = test::attached_run(test::entries("linear => epsilon"), model, input());
  auto kinds = test::rows(found.report);
  CHECK(std::count_if(kinds.begin(), kinds.end(),
                      [](auto& each) { return each.find(" linear epsilon") != each.npos; }) == 3);
}

TEST_CASE("start is what the input got, biases, stabilizers, rules otherwise, and what kept gradients changed") {
  Network model([](auto& x) { return x.exp() * x.cos(); });
  auto found = test::attached_run(test::entries("linear => epsilon(1e-2)"), model, input());
  double sum = found.relevance.sum().item<double>();
  for (auto& each : found.report) {
    REQUIRE(each.above);
    REQUIRE(each.below);
    sum += *each.above - *each.below;
  }
  auto start = test::start(found.output).sum().item<double>();
  CHECK(std::abs(sum - start) <= 1e-9 * std::abs(start) + 1e-9);
}

TEST_CASE("activations that are written out are one layer, also under a guard") {
  Network model([](auto& x) { return 0.5 * x * (1 + (std::sqrt(2 / M_PI) * (x + 0.044715 * x.pow(3))).tanh()); });
  auto found =
      test::attached_run(test::entries("linear => epsilon\nactivation => pass\nany => refuse"), model, input());
  CHECK(test::names(found.report).size() == 3);
  CHECK(found.report[1].kind == "gelu");
  auto first =
      test::attached_run(test::entries("first activation => pass\nlinear => epsilon\nany => norm"), model, input());
  CHECK(test::difference(first.relevance, found.relevance) <= exact);
  auto kept = test::attached_run(test::entries("linear => epsilon"), model, input());
  CHECK(kept.report[1].rule == "gradient");
  CHECK(kept.report[1].kind == "gelu");
}

TEST_CASE("an attachment that stays on keeps the rows of passes that can still be explained, and no others") {
  Network model([](auto& x) { return x.relu(); });
  auto attached = attach(test::entries("linear => epsilon\nactivation => pass"), model);
  for (int i = 0; i < 5; ++i) {
    auto x = input().requires_grad_();
    model.forward(x).sum().backward();
  }
  CHECK(attached.report().size() == 3);
  for (int i = 0; i < 5; ++i) (void)model.forward(input().requires_grad_());  // nobody asks for relevance
  CHECK(attached.report().size() <= 6);
}
