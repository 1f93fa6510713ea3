// What rules promise beyond their formulas, on random layers and networks: conservation, symmetries, limits, and rules
// that are special cases of others. Tables say which rule promises what. The seeds are fixed, and printed on failure.
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <functional>
#include <set>

#include "tests/rules/weighted.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

constexpr double tolerance = 1e-10;

// ------------------------------------------------------------------------------------------------------------- samples

TEST_CASE("every rule: the order of samples is that of their relevance") {
  auto order = at::tensor({2, 0, 3, 1}, at::kLong);
  for_all_rules([&](auto&, auto& rule, auto& it) {
    Weighted permuted{it.padding, it.x.index_select(0, order), it.W, it.b, it.R.index_select(0, order)};
    CHECK(difference(permuted.by(rule), it.by(rule).index_select(0, order)) <= tolerance);
  });
}

TEST_CASE("every rule: no sample influences another, stabilizers and filters included") {
  for_all_rules([&](auto&, auto& rule, auto& it) {
    auto others = it;
    others.x = it.x.clone();
    others.R = it.R.clone();
    others.x.slice(0, 1) *= -70;
    others.R.slice(0, 1) *= 300;
    CHECK(difference(others.by(rule)[0], it.by(rule)[0]) <= tolerance);
    Weighted alone{it.padding, it.x.slice(0, 0, 1), it.W, it.b, it.R.slice(0, 0, 1)};
    CHECK(difference(alone.by(rule)[0], it.by(rule)[0]) <= tolerance);
  });
}

// -------------------------------------------------------------------------------------------------- units and features

TEST_CASE("every rule: the order of output units is nobody's business, that of input features is relevance's") {
  for_all_rules([&](auto&, auto& rule, auto& it) {
    if (mixes_places(rule)) return;
    auto units = at::arange(it.W.size(0) - 1, -1, -1, at::kLong),
         features = at::arange(it.W.size(1), at::kLong).roll(1);
    Weighted permuted{it.padding, it.x, it.W.index_select(0, units), it.b.index_select(0, units),
                      it.R.index_select(1, units)};
    CHECK(difference(permuted.by(rule), it.by(rule)) <= tolerance);
    permuted = {it.padding, it.x.index_select(1, features), it.W.index_select(1, features), it.b, it.R};
    CHECK(difference(permuted.by(rule), it.by(rule).index_select(1, features)) <= tolerance);
  });
}

// ----------------------------------------------------------------------------------------------- linearity and scaling

TEST_CASE("every rule is linear in R, but for those that look at its values") {
  const std::set<std::string> not_additive{"relu_deconvnet", "relu_guided_backprop", "relevance_filter", "abs_lrp"};
  const std::set<std::string> without_scale{"abs_lrp"};
  std::set<std::string> differing;
  for_all_rules([&](auto& name, auto& rule, auto& it) {
    auto scaled = it, other = it, both = it;
    scaled.R = 2.5 * it.R;
    CHECK(difference(scaled.by(rule), without_scale.contains(name) ? it.by(rule) : 2.5 * it.by(rule)) <= tolerance);
    other.R = random(it.R.sizes(), 999);
    both.R = it.R + other.R;
    auto off = difference(both.by(rule), it.by(rule) + other.by(rule));
    if (not_additive.contains(name)) {
      if (off > 1e-3) differing.insert(name);
    } else {
      CHECK(off <= tolerance);
    }
  });
  CHECK(differing == not_additive);
}

// By which power of c relevance scales where all inputs and the bias, or all parameters, are scaled by c > 0.
constexpr int no_promise = 99;
struct Scaling {
  const char* call;
  int inputs, parameters;
};
const Scaling scalings[] = {
    {"epsilon(0)", 0, 0},
    {"epsilon(relative(0.1))", 0, 0},
    {"epsilon(relative_clipped(0.1))", 0, 0},
    {"epsilon(relative_over_channels(0.1))", 0, 0},
    {"norm(0)", 0, 0},
    {"gamma(0.25, 0)", 0, 0},
    {"gamma_classic(0.25, 0)", 0, 0},
    {"zplus(0)", 0, 0},
    {"zplus_fast(0)", 0, 0},
    {"alpha_beta(2, 1, 0)", 0, 0},
    {"alpha_beta_without_bias(2, 1, 0)", 0, 0},
    {"alpha_beta_x(1, 0.5, 0.3, 0.2, 0)", 0, 0},
    {"beta_adaptive(1, 0)", 0, 0},
    {"abs(0)", 0, 0},
    {"abs_lrp(0)", 0, 0},
    {"epsilon_bias(1, 0)", 0, 0},
    {"sign(0)", -1, 0},
    {"wsquare(0)", no_promise, 0},  // the bias is scaled, and the inputs do not count
    {"wsquare(0, [\"bias\"])", 0, 0},
    {"flat(0)", 0, 0},
    {"zbox(-3, 4, 0)", no_promise, 0},  // the box stays
    {"bounded(epsilon = 0)", no_promise, 0},
    {"gradient", 0, 1},
    {"gradient_times_input", 1, 1},
    {"pattern_net(0.7)", 0, 0},
    {"pattern_attribution(0.7)", 0, 1},
};

TEST_CASE("rules without a stabilizer of fixed size do not see the scale of inputs and of parameters") {
  for (std::uint64_t seed : {11, 12, 13})
    for (auto& it : wide_layers(seed, true)) {
      for (auto& row : scalings) {
        INFO(row.call << ", seed " << seed << ", weight of " << it.W.dim() << " dimensions");
        constexpr double c = 3.7;
        auto before = it.by(row.call);
        if (row.inputs != no_promise)
          CHECK(difference(Weighted{0, c * it.x, it.W, c * it.b, it.R}.by(row.call),
                           std::pow(c, row.inputs) * before) <= tolerance);
        CHECK(difference(Weighted{0, it.x, c * it.W, c * it.b, it.R}.by(row.call),
                         std::pow(c, row.parameters) * before) <= tolerance);
      }
    }
}

// -------------------------------------------------------------------------------------------------------- conservation

// Without biases, and with biases that zero_params takes out, what arrives at a layer arrives at its inputs.
struct Conserving {
  std::string rule;
  std::string arguments;
  bool zero_params = true;  ///< whether the rule has it; otherwise it takes the bias out by itself
};
const Conserving conserving[] = {
    {"epsilon", "0"},
    {"gamma", "0.25, 0"},
    {"gamma", "3, 0"},
    {"gamma_classic", "0.25, 0"},
    {"zplus", "0"},
    {"zplus_fast", "0", false},
    {"alpha_beta", "2, 1, 0"},
    {"alpha_beta", "1.5, 0.5, 0"},
    {"alpha_beta_without_bias", "2, 1, 0", false},
    {"alpha_beta_x", "1, 0.5, 0.3, 0.2, 0"},
    {"beta_adaptive", "1, 0"},
    {"abs", "0"},
    {"zbox", "-3, 4, 0"},
    {"bounded", "-3, 4, 0", false},
    {"wsquare", "0"},
    {"flat", "0"},
    {"epsilon_bias", "1, 0.3", false},  // hands on what bias and stabilizer take, too
};

TEST_CASE("rules that promise it hand on all relevance, sample by sample") {
  for (std::uint64_t seed : {21, 22, 23})
    for (bool bias : {false, true})
      for (auto& it : wide_layers(seed, bias))
        for (auto& row : conserving) {
          auto call = fmt::format("{}({}{})", row.rule, row.arguments,
                                  bias && row.zero_params ? ", zero_params = [\"bias\"]" : "");
          INFO(call << ", seed " << seed << ", bias " << bias << ", weight of " << it.W.dim() << " dimensions");
          CHECK(difference(sums(it.by(call)), sums(it.R)) <= tolerance);
        }
}

TEST_CASE("what the stabilizer takes is its share of the stabilized output") {
  for (auto& it : wide_layers(24, false)) {
    auto y = it.layer().output;
    constexpr double e = 0.3;
    auto taken = it.R * e / (y.abs() + e);  // R (1 - y / (y + e sign y))
    CHECK(difference(sums(it.by("epsilon(0.3)")), sums(it.R - taken)) <= tolerance);
  }
}

TEST_CASE("a unit without positive contributions keeps its relevance under z-plus, and has no negative to give back") {
  // The second unit has negative contributions only, the third positive ones only.
  auto W = tensor({3, 2}, {1, -1, -1, -2, 2, 1});
  Weighted it{0, tensor({1, 2}, {1, 2}), W, {}, tensor({1, 3}, {5, 7, 11})};
  CHECK(it.by("zplus").sum().item<double>() == Approx(5 + 11).epsilon(1e-5));
  // α for each positive part, -β for each negative: conserved where there are both.
  CHECK(it.by("alpha_beta(2, 1)").sum().item<double>() == Approx(5 - 7 + 2 * 11).epsilon(1e-5));
  CHECK(!it.by("zplus(0)").isfinite().all().item<bool>());  // 0 / 0 is not repaired
  // The generalised γ goes by the output's sign, and is never empty.
  CHECK(it.by("gamma(0.5, 0)").sum().item<double>() == Approx(5 + 7 + 11).epsilon(1e-10));
}

TEST_CASE("absolute LRP hands on one unit of relevance, whatever comes in") {
  for (auto& it : wide_layers(25, true))
    CHECK(difference(sums(it.by("abs_lrp").abs()), at::ones({3}, at::kDouble)) <= tolerance);
}

// ---------------------------------------------------------------------------------- rules that are others in disguise

struct Same {
  std::string one, other;
  enum class Where { everywhere, inputs_not_negative, nothing_negative, without_bias } where = Where::everywhere;
};
using Where = Same::Where;
const Same same[] = {
    {"zplus(0.1)", "alpha_beta(1, 0, 0.1)"},
    {"zplus(relative(0.1))", "alpha_beta(1, 0, relative(0.1))"},
    {"zplus(0.1, [\"bias\"])", "alpha_beta_without_bias(1, 0, 0.1)"},
    {"zplus(0.1)", "beta_adaptive(0, 0.1)"},
    {"zplus(0.1, [\"bias\"])", "zplus_fast(0.1)", Where::inputs_not_negative},
    {"zplus(0.1, [\"bias\"])", "alpha_beta_x(1, 0, 0, 0, 0.1, [\"bias\"])", Where::inputs_not_negative},
    {"gamma(0, 0.1)", "epsilon(0.1)"},
    {"gamma(0, 0)", "epsilon(0)"},
    {"gamma_classic(0, 0.1)", "epsilon(0.1)"},
    {"epsilon_bias(0, 0.1)", "epsilon(0.1)"},
    {"epsilon_bias(1, 0)", "epsilon(0)", Where::without_bias},
    {"norm(0.1)", "epsilon(0.1)"},
    {"sign(0.1)", "sign_mu(0, 0.1)"},
    {"bounded(-2, 3, 0.1)", "zbox(-2, 3, 0.1, [\"bias\"])"},
    {"zbox(0, 0, 0.1)", "epsilon(0.1)", Where::without_bias},
    {"abs(0.1)", "epsilon(0.1)", Where::nothing_negative},
    {"gradient", "pattern_attribution(1)"},
    {"alpha_beta_without_bias(3, 2, 0.1)", "alpha_beta(3, 2, 0.1)", Where::without_bias},
};

TEST_CASE("rules that are special cases of others") {
  for (std::uint64_t seed : {31, 32, 33})
    for (auto& row : same)
      for (auto& it : wide_layers(seed, row.where != Where::without_bias)) {
        INFO(row.one << " and " << row.other << ", seed " << seed << ", weight of " << it.W.dim() << " dimensions");
        bool nothing_negative = row.where == Where::nothing_negative;
        if (nothing_negative || row.where == Where::inputs_not_negative) it.x = it.x.abs();
        if (nothing_negative) {
          it.W = it.W.abs();
          it.b = it.b.abs();
        }
        CHECK(difference(it.by(row.one), it.by(row.other)) <= tolerance);
      }
}

TEST_CASE("LRP-w2 with weights of size 1 is LRP-flat") {
  for (auto& it : wide_layers(34, false)) {
    it.W = it.W.sign();
    CHECK(difference(it.by("wsquare(0.1)"), it.by("flat(0.1)")) <= tolerance);
  }
}

// (z + γ z⁺) / (1 + γ) → z⁺, with what is left of z going as 1 / γ.
TEST_CASE("the larger gamma, the nearer LRP-gamma is to z-plus, where inputs are not negative and outputs positive") {
  for (auto name : {"gamma", "gamma_classic"})
    for (auto& it : wide_layers(35, true)) {
      it.x = it.x.abs();
      auto layer = it.layer();
      it.R = it.R * (layer.output > 0);
      auto off = [&](const char* gamma) {
        return difference(it.by(fmt::format("{}({}, 0)", name, gamma)), it.by("zplus(0)"));
      };
      INFO(name);
      CHECK(off("1") > 1e-3);
      CHECK(off("1e4") <= 1.1e-3 * off("1e1"));
      CHECK(off("1e6") <= 1.1e-2 * off("1e4"));
      CHECK(off("1e12") <= tolerance);
    }
}

TEST_CASE("alpha-beta is alpha times the positive half less beta times the negative, and neither half changes a sign") {
  for (std::uint64_t seed : {36, 37})
    for (auto& it : wide_layers(seed, true)) {
      it.R = it.R.abs();
      auto positive = it.by("alpha_beta(1, 0, 0.1)"), negative = 2 * positive - it.by("alpha_beta(2, 1, 0.1)");
      CHECK(positive.ge(0).all().template item<bool>());
      CHECK(negative.ge(-tolerance).all().template item<bool>());
      CHECK(negative.sum().template item<double>() > 1);
      CHECK(difference(it.by("alpha_beta(4.5, 3.5, 0.1)"), 4.5 * positive - 3.5 * negative) <= tolerance);
      for (auto call : {"zplus", "wsquare", "flat", "abs"}) {
        INFO(call);
        CHECK(it.by(call).ge(0).all().template item<bool>());
      }
    }
}

TEST_CASE("LRP-flat spreads a unit's relevance evenly over the inputs that it sees") {
  auto layers = square_layers(38);
  auto& linear = layers[0];
  CHECK(difference(linear.by("flat(0)"), (linear.R.sum(1, true) / 5).expand({4, 5})) <= tolerance);
  // At the border of the padding, a unit sees fewer.
  auto& conv = layers[1];
  auto ones = at::ones({2, 2, 3, 3}, at::kDouble);
  auto seen = at::conv2d(at::ones_like(conv.x), ones, {}, 1, 1);
  CHECK(difference(conv.by("flat(0)"), at::conv_transpose2d(conv.R / seen, ones, {}, 1, 1)) <= tolerance);
  CHECK(difference(sums(conv.by("flat(0)")), sums(conv.R)) <= tolerance);
}

// ------------------------------------------------------------------------------------------------- layers cut in two

TEST_CASE("a layer whose units are two layers' hands down what both hand down") {
  for (auto& it : wide_layers(41, true))
    for (auto& row : scalings) {
      std::string call = row.call;
      // These measure a unit by the others of its sample.
      if (call.find("relative") != std::string::npos || call.starts_with("abs_lrp")) continue;
      INFO(call << ", weight of " << it.W.dim() << " dimensions");
      auto half = [&](std::int64_t from, std::int64_t to) {
        return Weighted{it.padding, it.x, it.W.slice(0, from, to), it.b.slice(0, from, to), it.R.slice(1, from, to)};
      };
      CHECK(difference(half(0, 1).by(call) + half(1, 4).by(call), it.by(call)) <= tolerance);
    }
}

TEST_CASE("a layer whose inputs are two layers' and are added is one layer to LRP-0") {
  for (auto& it : wide_layers(42, false)) {
    auto half = [&](std::int64_t from, std::int64_t to) {
      auto features = it.W.size(1) / 2;
      return Weighted{0, it.x.slice(1, from * features, to * features), it.W.slice(1, from * features, to * features)};
    };
    auto lower = half(0, 1), upper = half(1, 2);
    auto add = plain_layer({lower.layer().output, upper.layer().output},
                           [](const std::vector<at::Tensor>& x) { return x[0] + x[1]; });
    auto shares = relevances(drawn::rule_of("norm(0)").rule, add, it.R);
    lower.R = shares[0];
    upper.R = shares[1];
    CHECK(difference(at::cat({lower.by("epsilon(0)"), upper.by("epsilon(0)")}, 1), it.by("epsilon(0)")) <= tolerance);
    // A stabilizer counts once in the one, and twice in the other.
    shares = relevances(drawn::rule_of("norm(0.5)").rule, add, it.R);
    lower.R = shares[0];
    upper.R = shares[1];
    CHECK(difference(at::cat({lower.by("epsilon(0.5)"), upper.by("epsilon(0.5)")}, 1), it.by("epsilon(0.5)")) > 1e-3);
  }
}

// ------------------------------------------------------------------------------------------------------------ networks

// Convolution, ReLU, average pooling, convolution, ReLU, linear layer.
struct Network : torch::nn::Module {
  explicit Network(std::uint64_t seed, bool bias = false)
      : first(torch::nn::Conv2dOptions(3, 6, 3).bias(bias)),
        second(torch::nn::Conv2dOptions(6, 8, 3).bias(bias)),
        last(torch::nn::LinearOptions(8 * 2 * 2, 4).bias(bias)) {
    register_module("first", first);
    register_module("second", second);
    register_module("last", last);
    for (auto& each : parameters()) each.set_data(random(each.sizes(), ++seed * 7919));
  }
  at::Tensor forward(const at::Tensor& x) {
    auto h = at::avg_pool2d(at::relu(first(x)), 2);
    return last(at::relu(second(h)).flatten(1));
  }
  torch::nn::Conv2d first, second;
  torch::nn::Linear last;
};

// A stabilizer of 1e-12 takes 1e-12 |R / z| of a unit's relevance: 1e-9, where outputs are not below 1e-3 of what they
// are to be given.
TEST_CASE("composites of conserving rules hand all relevance down to the input of a network without biases") {
  for (std::uint64_t seed : {51, 52, 53})
    for (auto call : {"epsilon_plus(1e-12, 1e-12)", "epsilon_plus_flat(1e-12, 1e-12)",
                      "epsilon_alpha2_beta1(1e-12, 1e-12)", "epsilon_alpha2_beta1_flat(1e-12, 1e-12)",
                      "epsilon_gamma_box(-4, 4, 1e-12, 0.25, 1e-12)", "excitation_backprop(1e-12)"}) {
      INFO(call << ", seed " << seed);
      Network network(seed);
      auto x = random({3, 3, 10, 10}, seed + 500), R = random({3, 4}, seed + 600);
      auto found = attached_relevance(Pack::standard().call(call), network, x, R);
      CHECK(at::allclose(sums(found), sums(R), 0, 1e-8));
    }
}

// Ancona et al. 2018, proposition 1.
TEST_CASE("LRP-0 on a network of ReLUs is gradient times input") {
  auto rules = Pack::parse("composite c { activation => pass; any => epsilon(1e-30) }").composite("c");
  for (std::uint64_t seed : {54, 55, 56}) {
    // What biases take is missing in both.
    bool bias = seed == 56;
    INFO("seed " << seed << ", bias " << bias);
    Network network(seed, bias);
    auto x = random({3, 3, 10, 10}, seed + 500).requires_grad_();
    auto y = network.forward(x);
    y.sum().backward();
    auto found = attached_relevance(rules, network, x);
    CHECK(difference(found, (x * x.grad()).detach()) <= tolerance);
    CHECK((difference(sums(found), sums(y.detach())) <= tolerance) == !bias);
  }
}

struct Normalised : torch::nn::Module {
  explicit Normalised(std::uint64_t seed, bool bias)
      : conv(torch::nn::Conv2dOptions(6, 4, 3).bias(bias)), norm(4), folded(torch::nn::Conv2dOptions(6, 4, 3)) {
    register_module("conv", conv);
    register_module("norm", norm);
    register_module("folded", folded);
    for (auto& each : parameters()) each.set_data(random(each.sizes(), ++seed * 7919));
    norm->running_mean.set_data(random({4}, seed + 1));
    norm->running_var.set_data(random({4}, seed + 2).abs() + 0.2);
    auto scale = (norm->weight / (norm->running_var + norm->options.eps()).sqrt()).detach();
    auto shift = bias ? conv->bias.detach() - norm->running_mean : -norm->running_mean;
    folded->weight.set_data(conv->weight.detach() * scale.view({4, 1, 1, 1}));
    folded->bias.set_data(shift * scale + norm->bias.detach());
    eval();
  }
  at::Tensor forward(const at::Tensor& x) { return at::relu(folds ? folded(x) : norm(conv(x))); }
  torch::nn::Conv2d conv;
  torch::nn::BatchNorm2d norm;
  torch::nn::Conv2d folded;
  bool folds = false;
};

TEST_CASE("every rule takes merged batch norm for the convolution that somebody folds by hand") {
  for (std::uint64_t seed : {61, 62})
    for (bool bias : {false, true})
      for (auto& row : scalings) {
        INFO(row.call << ", seed " << seed << ", bias " << bias);
        auto rules =
            Pack::parse(fmt::format("composite c {{ activation => pass; batch_norm => merge; any => {} }}", row.call))
                .composite("c");
        Normalised network(seed, bias);
        auto x = random({2, 6, 5, 5}, seed + 500), R = random({2, 4, 3, 3}, seed + 600);
        auto merged = attached_relevance(rules, network, x, R);
        network.folds = true;
        CHECK(difference(merged, attached_relevance(rules, network, x, R)) <= tolerance);
      }
}

// ---------------------------------------------------------------------------------------------------- places in memory

// LibTorch's own batch norm and instance norm do not keep this where dimensions have one element.
TEST_CASE("relevance does not depend on the memory format in which it arrives") {
  auto x = random({2, 4, 1, 1, 2}, 71), mean = random({4}, 72), variance = random({4}, 73).abs() + 0.3,
       R = random({2, 4, 1, 1, 2}, 74);
  auto elsewhere = R.transpose(1, 4).contiguous().transpose(1, 4);
  auto norm = plain_layer({x}, [&](const std::vector<at::Tensor>& in) {
    return at::batch_norm(in[0], {}, {}, mean, variance, false, 0.1, 1e-5, false);
  });
  auto expected = R / (variance + 1e-5).sqrt().view({1, 4, 1, 1, 1});
  for (auto& each : {R, elsewhere})
    CHECK(difference(relevance(Pack::standard().rule("gradient"), norm, each), expected) <= tolerance);
  auto of_samples = plain_layer({x}, [&](const std::vector<at::Tensor>& in) {
    return at::instance_norm(in[0], {}, {}, {}, {}, true, 0.1, 1e-5, false);
  });
  for (auto name : {"gradient", "epsilon", "zplus"}) {
    INFO(name);
    auto rule = Pack::standard().rule(name);
    CHECK(difference(relevance(rule, of_samples, elsewhere), relevance(rule, of_samples, R)) <= tolerance);
  }
}

// Some operators read their parameters' memory as it is.
TEST_CASE("a number for a parameter stands at each of its places, in any memory format of the input") {
  auto x = random({3, 3, 2, 4}, 75), weight = random({3}, 76), mean = random({3}, 77),
       variance = random({3}, 78).abs() + 0.3, R = random({3, 3, 2, 4}, 79);
  auto expected = 1.5 * R / (variance + 1e-5).sqrt().view({1, 3, 1, 1});
  for (auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    auto norm = plain_layer({x.contiguous(format)}, [&](const std::vector<at::Tensor>& in) { return in[0]; });
    norm.parameters = {{"weight", weight}};
    norm.operation =
        layering::as_operation([&](const std::vector<at::Tensor>& in, const std::vector<at::Tensor>& theta) {
          return at::batch_norm(in[0], theta[0], {}, mean, variance, false, 0.1, 1e-5, false);
        });
    CHECK(difference(relevance(drawn::rule_of("pattern_net(1.5)").rule, norm, R.contiguous(format)), expected) <=
          tolerance);
  }
}

}  // namespace
}  // namespace ascribe
