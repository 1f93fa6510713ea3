// Published numbers that tell right from wrong: rules.md, section 3.
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include "tests/rules/layers.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

constexpr double published_digits = 1e-6;

torch::nn::Linear module(const at::Tensor& weight, const at::Tensor& bias = {}) {
  torch::nn::Linear out(torch::nn::LinearOptions(weight.size(1), weight.size(0)).bias(bias.defined()));
  out->to(at::kDouble);
  at::NoGradGuard no_grad;
  out->weight.copy_(weight);
  if (bias.defined()) out->bias.copy_(bias);
  return out;
}

struct TwoLayers : torch::nn::Module {
  TwoLayers(const at::Tensor& first_weight, const at::Tensor& second_weight)
      : first(register_module("first", module(first_weight))),
        second(register_module("second", module(second_weight))) {}
  at::Tensor forward(const at::Tensor& x) { return second->forward(at::relu(first->forward(x))); }
  torch::nn::Linear first, second;
};

// A composite from entries.
Composite composite(const std::string& entries) {
  return Pack::parse("composite captum { activation => pass; " + entries + " }").composite("captum");
}

// ------------------------------------------------------------------ Journal of Statistical Software 111(8), appendix E

void check_jss(const Rule& rule, double expected) {
  INFO(rule.description());
  auto x = tensor({1, 1}, {1}), weight = tensor({1, 1}, {1}), bias = tensor({1}, {-0.25}), R = tensor({1, 1}, {0.75});
  auto layer = linear_layer(x, weight, bias);
  REQUIRE(layer.output.item<double>() == 0.75);
  CHECK(difference(relevance(rule, layer, R), tensor({1, 1}, {expected})) <= published_digits);
  CHECK(difference(attached_relevance(rule, *module(weight, bias), x), tensor({1, 1}, {expected})) <= published_digits);
}

TEST_CASE("the bias takes its share: the numbers of the Journal of Statistical Software") {
  check_jss(Pack::standard().rule("epsilon", {{"epsilon", 0.01}}), 0.9868421);
  check_jss(Pack::standard().rule("alpha_beta", {{"alpha", 1}, {"beta", 0}}), 0.75 / (1 + 1e-6));
  check_jss(Pack::standard().rule("alpha_beta", {{"alpha", 2}, {"beta", 1}}), 1.5 / (1 + 1e-6));
}

TEST_CASE("the bias takes its share: as near to the published numbers as the stabilizer lets them") {
  // Theirs are without a stabilizer: 0.75 and 1.5 to the last digit.
  check_jss(Pack::standard().rule("alpha_beta", {{"alpha", 1}, {"beta", 0}, {"epsilon", 0}}), 0.75);
  check_jss(Pack::standard().rule("alpha_beta", {{"alpha", 2}, {"beta", 1}, {"epsilon", 1e-12}}), 1.5);
  check_jss(Pack::standard().rule("zplus", {{"epsilon", 0}}), 0.75);
}

TEST_CASE("a bias left out takes no share") {
  std::vector<std::string> bias{"bias"};
  check_jss(Pack::standard().rule("alpha_beta", {{"alpha", 1}, {"beta", 0}, {"epsilon", 1e-12}, {"zero_params", bias}}),
            0.75);
  check_jss(Pack::standard().rule("epsilon", {{"epsilon", 0}, {"zero_params", bias}}), 0.75);
  check_jss(Pack::standard().rule("epsilon", {{"epsilon", 0}}), 1);
}

// ------------------------------------------------------------------------------------------------------ Captum's tests

struct Captum {
  at::Tensor x = tensor({1, 3}, {1, 2, 3});
  at::Tensor twos = at::full({3, 3}, 2, at::kDouble);
  at::Tensor one_negative = [] {
    auto weight = at::full({3, 3}, 2, at::kDouble);
    weight.index_put_({at::tensor(0), at::tensor(0)}, -2);
    return weight;
  }();
  at::Tensor threes = at::full({1, 3}, 3, at::kDouble);
};

void check_captum(const std::string& entries, const at::Tensor& first_weight, std::vector<double> expected) {
  INFO(entries);
  Captum captum;
  auto rules = composite(entries);
  auto wanted = tensor({1, 3}, std::move(expected));
  TwoLayers model(first_weight, captum.threes);
  CHECK(difference(attached_relevance(rules, model, captum.x), wanted) <= published_digits);

  torch::nn::Sequential sequential(module(first_weight), torch::nn::ReLU(), module(captum.threes));
  auto input = captum.x.clone().requires_grad_();
  auto positions = entries;
  for (auto [name, number] : {std::pair("\"first\"", "\"0\""), std::pair("\"second\"", "\"2\"")})
    if (auto at = positions.find(name); at != std::string::npos)
      positions.replace(at, std::string(name).size(), number);
  auto attached = attach(composite(positions), sequential);
  auto y = sequential->forward(input);
  y.backward(y.detach());
  CHECK(difference(input.grad(), wanted) <= published_digits);
}

TEST_CASE("Captum's network with LRP-epsilon") { check_captum("linear => epsilon", Captum().twos, {18, 36, 54}); }

TEST_CASE("Captum's network with classic LRP-gamma") {
  check_captum("linear \"first\" => gamma_classic(1); linear \"second\" => gamma_classic(0.25)", Captum().one_negative,
               {28.0 / 3, 104.0 / 3, 52});
  // All inputs and outputs are positive there, so that the generalised rule is the classic one.
  check_captum("linear \"first\" => gamma(1); linear \"second\" => gamma(0.25)", Captum().one_negative,
               {28.0 / 3, 104.0 / 3, 52});
}

TEST_CASE("Captum's network with alpha 1, beta 0") {
  check_captum("linear => alpha_beta(1, 0)", Captum().one_negative, {12, 33.6, 50.4});
  check_captum("linear => zplus", Captum().one_negative, {12, 33.6, 50.4});
}

TEST_CASE("Captum's network with a linear layer that is passed through") {
  check_captum("linear \"first\" => pass; linear \"second\" => epsilon", Captum().one_negative, {24, 36, 36});
}

TEST_CASE("Captum's layers one by one") {
  Captum captum;
  auto hidden = tensor({1, 3}, {8, 12, 12});
  auto upper = linear_layer(hidden, captum.threes);
  auto handed = relevance(Pack::standard().rule("epsilon"), upper, upper.output);
  CHECK(difference(handed, tensor({1, 3}, {24, 36, 36})) <= published_digits);
  auto lower = linear_layer(captum.x, captum.one_negative);
  REQUIRE(at::equal(lower.output, hidden));
  CHECK(difference(relevance(Pack::standard().rule("gamma_classic", {{"gamma", 1}}), lower, handed),
                   tensor({1, 3}, {28.0 / 3, 104.0 / 3, 52})) <= published_digits);
  CHECK(difference(relevance(Pack::standard().rule("alpha_beta", {{"alpha", 1}, {"beta", 0}}), lower, handed),
                   tensor({1, 3}, {12, 33.6, 50.4})) <= published_digits);
  CHECK(difference(relevance(Pack::standard().rule("pass"), lower, handed), handed) == 0);
}

// -------------------------------------------------------------------------------------------------------- conservation

double conservation_error(const Rule& rule, at::ScalarType type) {
  auto weight = random({16, 32}, 1).to(type), x = random({8, 32}, 2).to(type);
  auto layer = linear_layer(x, weight);
  auto above = layer.output.sum().item<double>();
  auto below = relevance(rule, layer, layer.output).sum(at::kDouble).item<double>();
  return std::abs(below - above) / std::abs(above);
}

TEST_CASE("without a bias only the stabilizer takes relevance away, in float32 as in float64") {
  for (auto type : {at::kFloat, at::kDouble}) {
    INFO(at::toString(type));
    for (auto& rule : {Pack::standard().rule("epsilon"), Pack::standard().rule("zplus"), Pack::standard().rule("gamma"),
                       Pack::standard().rule("flat"), Pack::standard().rule("alpha_beta"),
                       Pack::standard().rule("wsquare"), Pack::standard().rule("zbox", {{"low", -5}, {"high", 5}})}) {
      INFO(rule.description());
      CHECK(conservation_error(rule, type) <= 1e-5);
    }
  }
  // It is the stabilizer, not the type: the error is there in float64, and goes with the stabilizer.
  CHECK(conservation_error(Pack::standard().rule("epsilon"), at::kDouble) >= 1e-8);
  CHECK(conservation_error(Pack::standard().rule("epsilon", {{"epsilon", 0}}), at::kDouble) <= 1e-12);
  CHECK(conservation_error(Pack::standard().rule("zplus", {{"epsilon", 0}}), at::kDouble) <= 1e-12);
  CHECK(conservation_error(Pack::standard().rule("gamma", {{"epsilon", 0}}), at::kDouble) <= 1e-12);
  CHECK(conservation_error(Pack::standard().rule("alpha_beta", {{"epsilon", 0}}), at::kDouble) <= 1e-12);
}

TEST_CASE("relevance is conserved per sample, not only in total") {
  auto weight = random({5, 7}, 3), x = random({6, 7}, 4);
  auto layer = linear_layer(x, weight);
  for (auto& rule :
       {Pack::standard().rule("epsilon", {{"epsilon", 0}}), Pack::standard().rule("zplus", {{"epsilon", 0}}),
        Pack::standard().rule("gamma", {{"epsilon", 0}, {"gamma", 3}}),
        Pack::standard().rule("alpha_beta", {{"epsilon", 0}})}) {
    INFO(rule.description());
    CHECK(difference(relevance(rule, layer, layer.output).sum(1), layer.output.sum(1)) <= 1e-12);
  }
}

TEST_CASE("with a bias, a unit's relevance is that of its inputs and the bias's share") {
  auto weight = random({5, 7}, 5), x = random({6, 7}, 6), bias = random({5}, 7);
  auto layer = linear_layer(x, weight, bias);
  auto epsilon = Pack::standard().rule("epsilon", {{"epsilon", 0}});
  // R = y: each input's share is x·w, the bias's is b.
  auto below = relevance(epsilon, layer, layer.output).sum(1);
  CHECK(difference(below, layer.output.sum(1) - bias.sum()) <= 1e-12);
}

}  // namespace
}  // namespace ascribe
