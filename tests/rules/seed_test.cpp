// The files of examples/seed, each against the same computation written out with LibTorch.
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <filesystem>
#include <functional>
#include <set>

#include "interpreter/inside.hpp"
#include "tests/folder.hpp"
#include "tests/rules/layers.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

constexpr double agreement = 1e-10;

std::filesystem::path seed(const std::string& name) {
  return std::filesystem::path(ASCRIBE_EXAMPLES) / "seed" / (name + ".rule");
}

// One layer with its parameters. All of them keep the shape, so that every rule fits.
struct Site {
  std::string name;
  at::Tensor x, weight, bias;  // without parameters: undefined
  std::function<at::Tensor(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias)> f;
  torch::nn::Sequential model;

  at::Tensor y() const { return f(x, weight, bias); }
  at::Tensor R() const { return random(x.sizes(), 90); }
  bool has_parameters() const { return weight.defined(); }

  // x · vᵀ without the x: γ through the layer's gradient at these inputs and parameters.
  at::Tensor back(const at::Tensor& gamma, const at::Tensor& at, const at::Tensor& w, const at::Tensor& b) const {
    auto leaf = at.detach().clone().requires_grad_();
    return torch::autograd::grad({f(leaf, w, b)}, {leaf}, {gamma}).front();
  }

  evaluate::Layer layer() const {
    evaluate::Layer out;
    out.operation = layering::as_operation([this](auto& inputs, auto& theta) {
      return has_parameters() ? f(inputs[0], theta[0], theta[1]) : f(inputs[0], {}, {});
    });
    out.inputs = {x};
    out.gets_relevance = {true};
    if (has_parameters()) out.parameters = {{"weight", weight}, {"bias", bias}};
    out.output = y();
    return out;
  }
};

template <typename Holder>
torch::nn::Sequential with(Holder holder, const at::Tensor& weight, const at::Tensor& bias) {
  holder->to(at::kDouble);
  at::NoGradGuard no_grad;
  holder->weight.copy_(weight);
  holder->bias.copy_(bias);
  return torch::nn::Sequential(holder);
}

std::vector<Site> sites() {
  auto weight = random({4, 4}, 91), bias = random({4}, 92), kernel = random({2, 2, 3, 3}, 93),
       channels = random({2}, 94);
  return {{"linear", random({3, 4}, 95), weight, bias, [](auto& x, auto& w, auto& b) { return at::linear(x, w, b); },
           with(torch::nn::Linear(4, 4), weight, bias)},
          {"conv2d", random({2, 2, 4, 3}, 96), kernel, channels,
           [](auto& x, auto& w, auto& b) { return at::conv2d(x, w, b, 1, 1); },
           with(torch::nn::Conv2d(torch::nn::Conv2dOptions(2, 2, 3).padding(1)), kernel, channels)},
          {"relu",
           random({3, 4}, 97),
           {},
           {},
           [](auto& x, auto&, auto&) { return at::relu(x); },
           torch::nn::Sequential(torch::nn::ReLU())}};
}

struct Expected {
  at::Tensor relevance;
  at::Tensor output = {};  // where it is not the layer's own
};
using ByHand = std::function<Expected(const Site&)>;

// The rule that `call` makes of a seed file, on the layer alone and attached to a model of this layer.
void check(const std::string& file, const std::string& call, const ByHand& by_hand,
           const std::set<std::string>& left_out = {}) {
  test::Folder folder;
  auto pack = Pack::load(
      {seed(file), folder.file("site.rule", "composite site { any => " + call + " }\nrule alone = " + call)});
  CHECK(pack.warnings().empty());
  auto rule = pack.rule("alone");
  for (auto& site : sites()) {
    if (left_out.contains(site.name)) continue;
    INFO(call << " on " << site.name);
    auto expected = by_hand(site);
    auto output = expected.output.defined() ? expected.output : site.y();
    CHECK(difference(test::forward(Inside::bound(rule), site.layer()), output) <= agreement);
    CHECK(difference(relevance(rule, site.layer(), site.R()), expected.relevance) <= agreement);

    auto input = site.x.clone().requires_grad_();
    auto attached = attach(pack.composite("site"), site.model);
    auto y = site.model->forward(input);
    CHECK(difference(y.detach(), output) <= agreement);
    y.backward(site.R());
    CHECK(difference(input.grad(), expected.relevance) <= agreement);
    CHECK(attached.report().size() == 1);
  }
}

at::Tensor stabilized(const at::Tensor& z) { return at::where(z < 0, z - 1e-6, z + 1e-6); }

// One term of LRP with the default map and reduce.
at::Tensor term(const Site& site, const at::Tensor& x, const at::Tensor& w, const at::Tensor& b) {
  return x * site.back(site.R() / stabilized(site.f(x, w, b)), x, w, b);
}

at::Tensor above_zero(const at::Tensor& t) { return t.defined() ? t.clamp_min(0) : t; }
at::Tensor zeroed(const at::Tensor& t) { return t.defined() ? at::zeros_like(t) : t; }

TEST_CASE("seed: ignore") {
  check("ignore", "ignore", [](const Site& site) { return Expected{site.R()}; });
}

TEST_CASE("seed: gradient times input") {
  check("grad_times_input", "grad_times_input",
        [](const Site& site) { return Expected{site.x * site.back(site.R(), site.x, site.weight, site.bias)}; });
}

TEST_CASE("seed: gradient times input with the negative part scaled, by the argument and by the default") {
  auto scaled = [](double scale) {
    return [scale](const Site& site) {
      auto factor = at::where(site.x < 0, scale * site.x, site.x);
      return Expected{factor * site.back(site.R(), site.x, site.weight, site.bias)};
    };
  };
  check("grad_times_scaled_negative_input", "grad_times_scaled_negative_input(scale = 0.23)", scaled(0.23));
  check("grad_times_scaled_negative_input", "grad_times_scaled_negative_input", scaled(0.2));
}

TEST_CASE("seed: a forward that replaces the output, which the gradient goes through") {
  check("halved_output", "halved_output", [](const Site& site) {
    return Expected{site.back(site.R() / 2, site.x, site.weight, site.bias), site.y() / 2};
  });
}

TEST_CASE("seed: LRP-0") {
  // A ReLU's outputs of 0 are divided by: nothing there is finite, here as there.
  check("lrp_zero", "lrp_zero",
        [](const Site& site) {
          return Expected{site.x * site.back(site.R() / site.y(), site.x, site.weight, site.bias)};
        },
        {"relu"});
}

TEST_CASE("seed: a rule that says nothing is LRP-epsilon") {
  check("lrp_epsilon", "lrp_epsilon",
        [](const Site& site) { return Expected{term(site, site.x, site.weight, site.bias)}; });
}

TEST_CASE("seed: of the parameters that are named the positive part, of the others nothing") {
  check("zplus_relu", "zplus_relu([\"weight\"])",
        [](const Site& site) { return Expected{term(site, site.x, above_zero(site.weight), zeroed(site.bias))}; });
  check("zplus_relu", "zplus_relu([\"weight\", \"bias\"])",
        [](const Site& site) { return Expected{term(site, site.x, above_zero(site.weight), above_zero(site.bias))}; });
  check("zplus_relu", "zplus_relu",
        [](const Site& site) { return Expected{term(site, site.x, zeroed(site.weight), zeroed(site.bias))}; });
}

TEST_CASE("seed: zero_params are zero whatever the modifier") {
  check("lrp_zplus", "lrp_zplus",
        [](const Site& site) { return Expected{term(site, site.x, above_zero(site.weight), zeroed(site.bias))}; });
  check("lrp_zplus", "lrp_zplus([])",
        [](const Site& site) { return Expected{term(site, site.x, above_zero(site.weight), above_zero(site.bias))}; });
}

TEST_CASE("seed: only the parameters of param_keys are modified") {
  check("param_keys", "positive_only",
        [](const Site& site) { return Expected{term(site, site.x, above_zero(site.weight), site.bias)}; });
  check("param_keys", "positive_only([\"bias\"])",
        [](const Site& site) { return Expected{term(site, site.x, site.weight, above_zero(site.bias))}; });
}

TEST_CASE("seed: a parameter that is required and there") {
  check("require_params", "positive_weight",
        [](const Site& site) { return Expected{term(site, site.x, above_zero(site.weight), site.bias)}; }, {"relu"});
}

TEST_CASE("seed: a parameter that is required and missing is an error that names the layer and the rule") {
  test::Folder folder;
  auto pack =
      Pack::load({seed("require_params"), folder.file("site.rule", "composite site { any => positive_weight }")});
  torch::nn::Sequential model(torch::nn::ReLU{});
  auto attached = attach(pack.composite("site"), model);
  auto x = random({2, 3}, 98).requires_grad_();
  std::vector<Diagnostic> diagnostics;
  try {
    model->forward(x);
  } catch (const Error& error) {
    diagnostics = error.diagnostics();
  }
  REQUIRE(diagnostics.size() == 1);
  CHECK(code_name(diagnostics[0].code) == "A0601");
  CHECK(diagnostics[0].message == "layer 'relu#1' (relu), rule `positive_weight`: it requires `has(\"weight\")`");
}

TEST_CASE("seed: two terms, with modifiers left out") {
  check("two_terms", "two_terms", [](const Site& site) {
    return Expected{term(site, site.x.clamp_min(0), above_zero(site.weight), site.bias) +
                    term(site, site.x, site.weight, zeroed(site.bias))};
  });
}

TEST_CASE("seed: every file has its test") {
  std::set<std::string> files;
  for (auto& each : std::filesystem::directory_iterator(std::filesystem::path(ASCRIBE_EXAMPLES) / "seed"))
    if (each.path().extension() == ".rule") files.insert(each.path().stem());
  CHECK(files == std::set<std::string>{"grad_times_input", "grad_times_scaled_negative_input", "halved_output",
                                       "ignore", "lrp_epsilon", "lrp_zero", "lrp_zplus", "param_keys", "require_params",
                                       "two_terms", "zplus_relu"});
}

}  // namespace
}  // namespace ascribe
