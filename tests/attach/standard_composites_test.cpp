// The composites of the standard pack on networks: each layer gets the rule that the published composite has for it,
// with the arguments that are for it.
#include "tests/attach/models.hpp"

namespace test {
using namespace ascribe;
namespace {

const std::vector<std::string> bias{"bias"};
const Arguments arguments{{"epsilon", 0.1}, {"stabilizer", 0.2}, {"zero_params", bias}};

// A rule with what the composites' parameters come to.
Rule with(const std::string& name, double epsilon, Arguments more = {}) {
  more.emplace_back("epsilon", epsilon);
  more.emplace_back("zero_params", bias);
  return rule(name, more);
}

void equals(const std::string& name, const Arguments& given, const std::optional<Rule>& first,
            const std::optional<Rule>& second, const std::optional<Rule>& last, const std::optional<Rule>& activation) {
  INFO(name);
  Small model;
  auto x = small_input();
  auto found = attached_run(Pack::standard().composite(name, given), model, x);
  CHECK(difference(found.relevance, model.expected(x, first, second, last, activation).relevance) <= exact);
}

TEST_CASE("the standard composites for classifiers equal their rules, layer by layer") {
  auto pass = rule("pass"), epsilon = with("epsilon", 0.1), zplus = with("zplus", 0.2), flat = with("flat", 0.2),
       alpha_beta = with("alpha_beta", 0.2, {{"alpha", 2}, {"beta", 1}});
  equals("epsilon_plus", arguments, zplus, zplus, epsilon, pass);
  equals("epsilon_plus_flat", arguments, flat, zplus, epsilon, pass);
  equals("epsilon_alpha2_beta1", arguments, alpha_beta, alpha_beta, epsilon, pass);
  equals("epsilon_alpha2_beta1_flat", arguments, flat, alpha_beta, epsilon, pass);
  auto low = Numbers{{2}, {-4, -5}};
  auto with_box = arguments;
  with_box.emplace_back("low", low);
  with_box.emplace_back("high", 6);
  auto box = with("zbox", 0.2, {{"low", low}, {"high", 6}});
  equals("epsilon_gamma_box", with_box, box, with("gamma", 0.2, {{"gamma", 0.25}}), epsilon, pass);
  with_box.emplace_back("gamma", 3);
  equals("epsilon_gamma_box", with_box, box, with("gamma", 0.2, {{"gamma", 3}}), epsilon, pass);
  // The usual call.
  equals("epsilon_gamma_box", {{"low", -3}, {"high", 3}}, rule("zbox", {{"low", -3}, {"high", 3}}), rule("gamma"),
         rule("epsilon"), pass);
}

TEST_CASE("the standard composites of the gradient equal their rules, layer by layer") {
  equals("deconvnet", {}, {}, {}, {}, rule("relu_deconvnet"));
  equals("guided_backprop", {}, {}, {}, {}, rule("relu_guided_backprop"));
  equals("beta_smooth", {}, {}, {}, {}, rule("relu_beta_smooth"));
  equals("beta_smooth", {{"beta", 2}}, {}, {}, {}, rule("relu_beta_smooth", {{"beta", 2}}));
}

TEST_CASE("excitation backprop is z-plus for all layers with weights, and the gradient of activations") {
  auto zplus = rule("zplus"), without_bias = with("zplus", 0.2);
  equals("excitation_backprop", {}, zplus, zplus, zplus, {});
  equals("excitation_backprop", {{"stabilizer", 0.2}, {"zero_params", bias}}, without_bias, without_bias, without_bias,
         {});
}

// A residual block with what the composites treat as sums: an addition, a factor, and average pooling.
struct Residual : Net {
  Residual() {
    at::manual_seed(31);
    conv = add("conv", nn::Conv2d(2, 3, 2));
    classifier = add("classifier", nn::Linear(3 * 2 * 2, 4));
    run = [this](const at::Tensor& x) {
      auto h = conv(x), a = at::relu(h);
      return classifier(pool_of({a + scale_of({h}, {})}, {}).flatten(1));
    };
  }
  static at::Tensor scale_of(const Tensors& x, const Tensors&) { return x[0] * 1.5; }
  static at::Tensor pool_of(const Tensors& x, const Tensors&) { return at::avg_pool2d(x[0], 2); }

  at::Tensor expected(const at::Tensor& x, const Rule& first, const Rule& last, const Rule& norm,
                      bool passes_activations) {
    auto h = conv(x).detach(), a = at::relu(h), scaled = 1.5 * h, pooled = at::avg_pool2d(a + scaled, 2);
    auto y = classifier(pooled.flatten(1)).detach();
    auto R = through(last, linear_of, {pooled.flatten(1)}, weight_and_bias(classifier), start(y))[0];
    R = through(norm, pool_of, {a + scaled}, {}, R.view(pooled.sizes()))[0];
    auto shares = through(norm, sum_of, {a, scaled}, {}, R);
    if (!passes_activations) shares[0] = shares[0] * (h > 0);
    return through(first, conv_of, {x}, weight_and_bias(conv),
                   shares[0] + through(norm, scale_of, {h}, {}, shares[1])[0])[0];
  }

  nn::Conv2d conv{nullptr};
  nn::Linear classifier{nullptr};
};

TEST_CASE("in the standard composites sums, factors and average pooling share relevance in proportion") {
  Residual model;
  at::manual_seed(32);
  auto x = random({2, 2, 5, 5});
  auto& standard = Pack::standard();
  auto norm = rule("norm", {{"epsilon", 0.2}}), epsilon = with("epsilon", 0.1);
  CHECK(difference(attached_run(standard.composite("epsilon_alpha2_beta1", arguments), model, x).relevance,
                   model.expected(x, with("alpha_beta", 0.2), epsilon, norm, true)) <= exact);
  CHECK(difference(attached_run(standard.composite("epsilon_plus_flat", arguments), model, x).relevance,
                   model.expected(x, with("flat", 0.2), epsilon, norm, true)) <= exact);
  auto found =
      attached_run(standard.composite("excitation_backprop", {{"stabilizer", 0.2}, {"zero_params", bias}}), model, x);
  CHECK(difference(found.relevance, model.expected(x, with("zplus", 0.2), with("zplus", 0.2), norm, false)) <= exact);
  CHECK(rows(found.report) == std::vector<std::string>{"conv conv2d zplus", "relu#1 relu gradient",
                                                       "scale#1 scale norm", "add#1 add norm",
                                                       "avg_pool2d#1 avg_pool2d norm", "classifier linear zplus"});
}

}  // namespace
}  // namespace test
