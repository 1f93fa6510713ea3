// Plans behind attached rules: reports, models in other types and layouts, parameters that change, many threads.
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>
#include <torch/optim/sgd.h>

#include <atomic>
#include <cmath>
#include <latch>
#include <thread>

#include "ascribe/attach.hpp"
#include "tests/plan/layers.hpp"

namespace test {
namespace {

namespace nn = torch::nn;

// Two convolutions and a linear layer, always with the same numbers.
nn::Sequential network(at::ScalarType type = at::kDouble, bool bias = true) {
  nn::Sequential out(nn::Conv2d(nn::Conv2dOptions(3, 4, 3).padding(1).bias(bias)), nn::ReLU(),
                     nn::Conv2d(nn::Conv2dOptions(4, 6, 3).stride(2).bias(bias)), nn::ReLU(),
                     nn::AvgPool2d(nn::AvgPool2dOptions(2)), nn::Flatten(),
                     nn::Linear(nn::LinearOptions(6, 5).bias(bias)));
  at::NoGradGuard no_grad;
  std::uint64_t seed = 100;
  for (auto& each : out->parameters()) each.copy_(drawn(each.sizes(), seed++) / 2);
  out->to(type);
  return out;
}
at::Tensor picture(at::ScalarType type = at::kDouble) { return drawn({2, 3, 6, 6}, 50, type); }

struct Explained {
  at::Tensor relevance;
  Report report;
};

Explained explained(const evaluate::Evaluator& evaluator, const Composite& rules, nn::Sequential& model,
                    const at::Tensor& x, bool sums = false) {
  evaluate::UsingEvaluator using_it(evaluator);
  auto input = x.detach().requires_grad_();
  auto attached = attach(rules, model, {.sums = sums});
  auto y = model->forward(input);
  attached.remove();
  auto relevance = torch::autograd::grad({y}, {input}, {y.detach()})[0];
  return {relevance, attached.report()};
}

std::vector<Composite> composites() {
  auto& pack = Pack::standard();
  std::vector<Composite> out{pack.composite("epsilon_plus"), pack.composite("epsilon_plus_flat"),
                             pack.composite("epsilon_alpha2_beta1"), pack.composite("epsilon_alpha2_beta1_flat"),
                             pack.composite("epsilon_gamma_box", {{"low", -3.0}, {"high", 3.0}})};
  for (auto* name : {"epsilon", "zplus", "gamma", "flat", "alpha_beta", "gradient"}) out.emplace_back(standard(name));
  return out;
}

void check_network(nn::Sequential& model, const at::Tensor& x) {
  for (auto& rules : composites()) {
    INFO(rules.description());
    auto wanted = explained(evaluate::reference(), rules, model, x).relevance;
    auto found = explained(evaluate::planner(), rules, model, x).relevance;
    CHECK(apart(found, wanted) <= tolerance(x.scalar_type()));
  }
}

TEST_CASE("networks are explained as by the reference") {
  for (auto type : {at::kDouble, at::kFloat})
    for (bool bias : {true, false}) {
      auto model = network(type, bias);
      check_network(model, picture(type));
      check_network(model, picture(type).abs());
    }
}

TEST_CASE("networks in channels_last, and inputs in any layout, are explained as by the reference") {
  auto model = network();
  auto x = picture();
  check_network(model, x.contiguous(at::MemoryFormat::ChannelsLast));
  check_network(model, x.transpose(2, 3));
  check_network(model, x.narrow(0, 0, 1).expand_as(x));
  check_network(model, at::stack({x, x}, -1).select(-1, 1));
  at::NoGradGuard no_grad;
  for (auto& each : model->parameters())
    if (each.dim() == 4) each.set_data(each.contiguous(at::MemoryFormat::ChannelsLast));
  at::AutoGradMode record(true);
  check_network(model, x);
  check_network(model, x.contiguous(at::MemoryFormat::ChannelsLast));
}

TEST_CASE("NaN and infinities in a picture spread as by the reference") {
  auto model = network();
  for (double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    auto x = picture();
    x[1][2][3][4] = bad;
    check_network(model, x);
  }
}

TEST_CASE("an empty batch goes through networks") {
  auto model = network();
  for (auto& rules : composites()) {
    INFO(rules.description());
    CHECK(explained(evaluate::planner(), rules, model, picture().narrow(0, 0, 0)).relevance.sizes() ==
          at::IntArrayRef({0, 3, 6, 6}));
  }
}

TEST_CASE("networks in bfloat16 are as near to the reference as their type allows") {
  auto model = network(at::kBFloat16);
  auto rules = Composite(standard("epsilon", {{"epsilon", 0.5}}));
  auto x = picture(at::kBFloat16);
  auto wanted = explained(evaluate::reference(), rules, model, x).relevance;
  CHECK(apart(explained(evaluate::planner(), rules, model, x).relevance, wanted) <= tolerance(at::kBFloat16));
}

void check_sums(const std::optional<double>& found, const std::optional<double>& wanted, double scale) {
  REQUIRE(found.has_value() == wanted.has_value());
  if (!found) return;
  CHECK(std::isnan(*found) == std::isnan(*wanted));
  if (std::isfinite(*wanted)) CHECK(*found == Approx(*wanted).margin(1e-11 * scale).epsilon(1e-10));
  if (std::isinf(*wanted)) CHECK(*found == *wanted);
}

void check_reports(const Composite& rules, nn::Sequential& model, const at::Tensor& x) {
  auto wanted = explained(evaluate::reference(), rules, model, x, true).report;
  auto found = explained(evaluate::planner(), rules, model, x, true).report;
  REQUIRE(found.size() == wanted.size());
  double scale = 1;
  for (auto& row : wanted) scale = std::max({scale, std::abs(row.above.value_or(0)), std::abs(row.below.value_or(0))});
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    INFO(rules.description() << ", " << wanted[i].name << ", " << wanted[i].rule);
    check_sums(found[i].above, wanted[i].above, scale);
    check_sums(found[i].below, wanted[i].below, scale);
    check_sums(found[i].bias, wanted[i].bias, scale);
    check_sums(found[i].stabilizer, wanted[i].stabilizer, scale);
  }
}

TEST_CASE("reports say what the reference says that bias and stabilizer took") {
  for (bool bias : {true, false}) {
    auto model = network(at::kDouble, bias);
    for (auto& rules : composites()) check_reports(rules, model, picture());
    check_reports(Composite(standard("epsilon", {{"epsilon", 0.5}, {"zero_params", std::vector<std::string>{"bias"}}})),
                  model, picture());
    check_reports(Composite(standard("alpha_beta", {{"alpha", 1}, {"beta", 0}})), model, picture().abs());
    check_reports(Composite(written("rule r { input = min(x, 0) }")), model, picture().abs());
    check_reports(Composite(written("rule r { map = R }")), model, picture());
    check_reports(Composite(written("rule r { map = R; reduce = 0 * x * v }")), model, picture());
  }
}

TEST_CASE("a layer without bias has lost nothing to one, also where nothing stabilizes an output of zero") {
  auto model = network(at::kDouble, /*bias=*/false);
  {
    at::NoGradGuard no_grad;
    model[6]->as<nn::Linear>()->weight[1].zero_();
  }
  for (auto* name : {"epsilon", "zplus", "alpha_beta"})
    check_reports(Composite(standard(name, {{"epsilon", 0}})), model, picture());
}

TEST_CASE("a parameter that is overwritten before the backward pass is told as ever") {
  evaluate::UsingEvaluator using_it(evaluate::planner());
  for (auto* name : {"epsilon", "zplus", "alpha_beta", "gamma", "flat"}) {
    INFO(name);
    auto model = network();
    auto x = picture().requires_grad_();
    auto attached = attach(standard(name), model);
    auto y = model->forward(x);
    {
      at::NoGradGuard no_grad;
      model[2]->as<nn::Conv2d>()->weight.mul_(2);
    }
    try {
      y.sum().backward();
      FAIL("nobody noticed");
    } catch (const Error& error) {
      CHECK(error.diagnostics().at(0).code == Code::overwritten_tensor);
    }
  }
}

TEST_CASE("what was trained, loaded or written since is explained with its new numbers") {
  auto model = network();
  auto x = picture();
  for (auto* name : {"zplus", "alpha_beta", "gamma", "flat", "wsquare"}) {
    INFO(name);
    auto rule = standard(name);
    auto agree = [&] {
      auto found = explained(evaluate::planner(), rule, model, x).relevance;
      CHECK(apart(found, explained(evaluate::reference(), rule, model, x).relevance) <= 1e-12);
      return found;
    };
    auto before = agree();
    CHECK(at::equal(agree(), before));
    torch::optim::SGD optimizer(model->parameters(), 0.01);
    model->zero_grad();
    model->forward(x).pow(2).sum().backward();
    optimizer.step();
    auto trained = agree();
    model[2]->as<nn::Conv2d>()->weight.data().mul_(1.5);  // behind autograd's back
    auto written_into = agree();
    auto& weight = model[0]->as<nn::Conv2d>()->weight;
    weight.set_data(drawn(weight.sizes(), 77));
    auto replaced = agree();
    if (std::string(name) == "flat") continue;  // which asks for shapes only, in these layers
    CHECK(!at::equal(trained, before));
    CHECK(!at::equal(written_into, trained));
    CHECK(!at::equal(replaced, written_into));
  }
}

TEST_CASE("gradients of the relevance are those of the reference") {
  auto model = network();
  auto second = [&](const evaluate::Evaluator& evaluator) {
    evaluate::UsingEvaluator using_it(evaluator);
    auto x = picture().requires_grad_();
    auto attached = attach(standard("epsilon", {{"epsilon", 0.5}}), model);
    auto y = model->forward(x);
    auto R = torch::autograd::grad({y}, {x}, {y.detach()}, true, true)[0];
    auto pause = attached.inactive();
    return torch::autograd::grad({R.pow(2).sum()}, {x})[0];
  };
  CHECK(apart(second(evaluate::planner()), second(evaluate::reference())) <= 1e-12);
}

TEST_CASE("eight threads compile and run the same rule at once") {
  auto model = network();
  auto x = picture();
  for (auto* name : {"zplus", "alpha_beta", "gamma", "zbox"}) {
    INFO(name);
    Arguments bounds{{"low", -3.0}, {"high", 3.0}};
    auto arguments = std::string(name) == "zbox" ? bounds : Arguments{};
    auto wanted = explained(evaluate::planner(), standard(name, arguments), model, x).relevance;
    auto rule = standard(name, arguments);  // nobody has compiled it yet
    std::atomic<int> right = 0;
    std::latch begin(8);
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 8; ++t)
        threads.emplace_back([&] {
          at::set_num_threads(1);
          begin.arrive_and_wait();
          for (int i = 0; i < 5; ++i) {
            try {
              right += at::equal(explained(evaluate::planner(), rule, model, x).relevance, wanted);
            } catch (const std::exception&) {
            }
          }
        });
    }
    CHECK(right == 40);
  }
}

}  // namespace
}  // namespace test
