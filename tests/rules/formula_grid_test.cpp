// Every rule on every kind of linear layer, against its formula. The formulas are plain matrix products on the layer's
// dense matrix: nothing of them goes through the evaluator, through autograd, or through modified layers.
#include <functional>
#include <set>

#include "interpreter/inside.hpp"
#include "interpreter/language/definitions.hpp"
#include "tests/rules/modules.hpp"
#include "tests/table.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

constexpr double tolerance = 1e-10;

// -------------------------------------------------------------------------------------------------------- the formulas

at::Tensor above_zero(const at::Tensor& t) { return t.clamp_min(0); }
at::Tensor below_zero(const at::Tensor& t) { return t.clamp_max(0); }
at::Tensor stabilize(const at::Tensor& z, double epsilon) {
  return z + epsilon * (z >= 0).to(at::kDouble).mul(2).sub(1);
}

// x [N, in], W [out, in], b [out], R [N, out], all of it dense; `ones` is W with every weight 1. Arguments of a rule
// that depend on the layer are there, too.
struct Matrices {
  at::Tensor x, W, b, R, y, ones;
  std::vector<std::int64_t> x_shape;
  at::Tensor pattern, pattern_weight;  // of another weight; of its product with the weight, element by element
};

using Formula = std::function<at::Tensor(const Matrices&)>;

Formula epsilon_formula(double epsilon) {
  return [=](const Matrices& m) { return m.x * (m.R / stabilize(m.x.mm(m.W.t()) + m.b, epsilon)).mm(m.W); };
}

Formula gamma_formula(double gamma, double epsilon) {
  return [=](const Matrices& m) {
    auto more = m.W + gamma * above_zero(m.W), less = m.W + gamma * below_zero(m.W);
    auto x = above_zero(m.x), minus = below_zero(m.x);
    auto up = x.mm(more.t()) + minus.mm(less.t()) + m.b + gamma * above_zero(m.b);
    auto down = x.mm(less.t()) + minus.mm(more.t()) + m.b + gamma * below_zero(m.b);
    auto above = (m.y > 0).to(at::kDouble) * m.R / stabilize(up, epsilon),
         below = (m.y < 0).to(at::kDouble) * m.R / stabilize(down, epsilon);
    return x * above.mm(more) + minus * above.mm(less) + x * below.mm(less) + minus * below.mm(more);
  };
}

Formula gamma_classic_formula(double gamma, double epsilon) {
  return [=](const Matrices& m) {
    auto W = m.W + gamma * above_zero(m.W);
    return m.x * (m.R / stabilize(m.x.mm(W.t()) + m.b + gamma * above_zero(m.b), epsilon)).mm(W);
  };
}

Formula alpha_beta_formula(double alpha, double beta, double epsilon) {
  return [=](const Matrices& m) {
    auto x = above_zero(m.x), minus = below_zero(m.x), W = above_zero(m.W), V = below_zero(m.W);
    auto up = m.R / stabilize(x.mm(W.t()) + minus.mm(V.t()) + above_zero(m.b), epsilon);
    auto down = m.R / stabilize(x.mm(V.t()) + minus.mm(W.t()) + below_zero(m.b), epsilon);
    return alpha * (x * up.mm(W) + minus * up.mm(V)) - beta * (x * down.mm(V) + minus * down.mm(W));
  };
}

// `bound(shape)`: the lower or upper bound in the shape of the layer's input.
Formula zbox_formula(std::function<at::Tensor(at::IntArrayRef)> lower, std::function<at::Tensor(at::IntArrayRef)> upper,
                     double epsilon) {
  return [=](const Matrices& m) {
    auto l = lower(m.x_shape).reshape(m.x.sizes()), h = upper(m.x_shape).reshape(m.x.sizes());
    auto W = above_zero(m.W), V = below_zero(m.W);
    auto z = (m.x.mm(m.W.t()) + m.b) - (l.mm(W.t()) + above_zero(m.b)) - (h.mm(V.t()) + below_zero(m.b));
    auto s = m.R / stabilize(z, epsilon);
    return m.x * s.mm(m.W) - l * s.mm(W) - h * s.mm(V);
  };
}

Formula wsquare_formula(double epsilon) {
  return [=](const Matrices& m) {
    auto squares = m.W * m.W;
    return (m.R / stabilize(squares.sum(1) + m.b * m.b, epsilon)).mm(squares);
  };
}

Formula flat_formula(double epsilon) {
  return [=](const Matrices& m) { return (m.R / stabilize(m.ones.sum(1).expand_as(m.R), epsilon)).mm(m.ones); };
}

Formula zplus_fast_formula(double epsilon) {
  return [=](const Matrices& m) {
    return m.x * (m.R / stabilize(m.x.mm(above_zero(m.W).t()), epsilon)).mm(above_zero(m.W));
  };
}

Formula abs_formula(double epsilon) {
  return [=](const Matrices& m) {
    return m.x.abs() * (m.R / stabilize(m.x.abs().mm(m.W.abs().t()) + m.b.abs(), epsilon)).mm(m.W.abs());
  };
}

Formula sign_formula(double epsilon) {
  return [=](const Matrices& m) {
    return ((m.x >= 0).to(at::kDouble) * 2 - 1) * (m.R / stabilize(m.x.mm(m.W.t()) + m.b, epsilon)).mm(m.W);
  };
}

Formula without_bias(const Formula& formula) {
  return [=](Matrices m) {
    m.b = at::zeros_like(m.b);
    return formula(m);
  };
}

Formula sign_mu_formula(double mu, double epsilon) {
  return [=](const Matrices& m) {
    return ((m.x >= mu).to(at::kDouble) * 2 - 1) * (m.R / stabilize(m.x.mm(m.W.t()) + m.b, epsilon)).mm(m.W);
  };
}

Formula epsilon_std_formula(double factor) {
  return [=](const Matrices& m) {
    auto z = m.x.mm(m.W.t()) + m.b;
    return m.x * (m.R / (z + factor * (z * z).mean(1, true).sqrt() + 1e-9)).mm(m.W);
  };
}

Formula alpha_beta_x_formula(double a0, double a1, double b0, double b1, double epsilon) {
  return [=](const Matrices& m) {
    auto part = [&](const at::Tensor& x, const at::Tensor& W, const at::Tensor& b) {
      return x * (m.R / stabilize(x.mm(W.t()) + b, epsilon)).mm(W);
    };
    auto x = above_zero(m.x), minus = below_zero(m.x), W = above_zero(m.W), V = below_zero(m.W);
    auto b = above_zero(m.b), c = below_zero(m.b);
    return a0 * part(x, W, b) + a1 * part(minus, V, c) - b0 * part(x, V, c) - b1 * part(minus, W, b);
  };
}

Formula beta_adaptive_formula(double beta_max, double epsilon) {
  return [=](const Matrices& m) {
    auto x = above_zero(m.x), minus = below_zero(m.x), W = above_zero(m.W), V = below_zero(m.W);
    auto up = x.mm(W.t()) + minus.mm(V.t()) + above_zero(m.b), down = x.mm(V.t()) + minus.mm(W.t()) + below_zero(m.b);
    auto beta = at::where(m.y > 0, (-down / m.y).clamp_max(beta_max), 0.0);
    auto above = (1 + beta) * m.R / stabilize(up, epsilon), below = beta * m.R / stabilize(down, epsilon);
    return x * above.mm(W) + minus * above.mm(V) - x * below.mm(V) - minus * below.mm(W);
  };
}

Formula abs_lrp_formula() {
  return [](const Matrices& m) {
    auto share = m.R / ((m.x.mm(m.W.t()) + m.b).abs() + 1e-9);
    auto result = m.x * share.mm(m.W) + m.x.abs() * share.mm(m.W.abs());
    return result / result.abs().sum(1, true);
  };
}

Formula epsilon_bias_formula(double factor, double epsilon) {
  return [=](const Matrices& m) {
    auto z = m.x.mm(m.W.t()) + m.b;
    auto inputs = m.ones.sum(1);  // of each unit
    // A unit at the border of a padded picture may see no input at all: nobody gets its bias's share.
    auto each = at::where(inputs > 0, factor * (m.b + stabilize(z, epsilon) - z) / inputs, 0.0);
    auto share = m.R / stabilize(z, epsilon);
    return m.x * share.mm(m.W) + (share * each).mm(m.ones);
  };
}

Formula pattern_net_formula() {
  return [](const Matrices& m) { return m.R.mm(m.pattern); };
}
Formula pattern_attribution_formula() {
  return [](const Matrices& m) { return m.R.mm(m.pattern_weight); };
}
Formula gradient_formula(bool times_input) {
  return [=](const Matrices& m) { return times_input ? m.x * m.R.mm(m.W) : m.R.mm(m.W); };
}

// ----------------------------------------------------------------------------------------------- rule and formula meet

struct Configuration {
  std::string rule;
  Arguments arguments;
  Formula formula;
  std::vector<std::string> zeroed{};  ///< parameters that the rule takes to be 0
  bool takes_pattern = false;         ///< `pattern` is the module's
};

constexpr double none = 1e-12;  // where no ε is named

std::function<at::Tensor(at::IntArrayRef)> everywhere(double value) {
  return [=](at::IntArrayRef shape) { return at::full(shape, value, at::kDouble); };
}

std::vector<Configuration> configurations() {
  std::vector<Configuration> out;
  auto add = [&](const std::string& rule, Arguments arguments, const Formula& formula,
                 std::vector<std::vector<std::string>> variants) {
    for (auto& zeroed : variants) {
      auto each = arguments;
      if (!zeroed.empty()) each.emplace_back("zero_params", zeroed);
      out.push_back({rule, std::move(each), formula, zeroed});
    }
  };
  std::vector<std::string> nothing, bias{"bias"}, weight{"weight"}, both{"weight", "bias"};
  for (double epsilon : {none, 1e-6, 0.25, 1.0})
    add("epsilon", {{"epsilon", epsilon}}, epsilon_formula(epsilon), {nothing, bias});
  add("epsilon", {{"epsilon", 0.5}}, epsilon_formula(0.5), {weight, both});
  add("norm", {{"epsilon", none}}, epsilon_formula(none), {nothing});
  for (double gamma : {0.0, 0.25, 0.5, 10.0})
    add("gamma", {{"gamma", gamma}, {"epsilon", none}}, gamma_formula(gamma, none), {nothing, bias});
  add("gamma", {{"gamma", 1}, {"epsilon", 0.1}}, gamma_formula(1, 0.1), {nothing, weight, both});
  add("gamma_classic", {{"gamma", 0.25}, {"epsilon", 1e-3}}, gamma_classic_formula(0.25, 1e-3), {nothing, bias});
  add("zplus", {{"epsilon", none}}, alpha_beta_formula(1, 0, none), {nothing, bias, weight, both});
  add("zplus", {{"epsilon", 0.25}}, alpha_beta_formula(1, 0, 0.25), {nothing});
  add("zplus_fast", {{"epsilon", 0.25}}, zplus_fast_formula(0.25), {nothing});
  for (double beta : {0.0, 1.0})
    add("alpha_beta", {{"alpha", 1 + beta}, {"beta", beta}, {"epsilon", none}},
        alpha_beta_formula(1 + beta, beta, none), {nothing, bias});
  add("alpha_beta", {{"alpha", 1.5}, {"beta", 0.5}, {"epsilon", 0.1}}, alpha_beta_formula(1.5, 0.5, 0.1),
      {nothing, weight, both});
  add("zbox", {{"low", -3}, {"high", 4}, {"epsilon", none}}, zbox_formula(everywhere(-3), everywhere(4), none),
      {nothing, bias, both});
  add("wsquare", {{"epsilon", none}}, wsquare_formula(none), {nothing, bias, weight, both});
  add("flat", {{"epsilon", none}}, flat_formula(none), {nothing, bias, weight});
  add("abs", {{"epsilon", none}}, abs_formula(none), {nothing, bias});
  add("sign", {{"epsilon", 0.1}}, sign_formula(0.1), {nothing, bias});
  add("sign_mu", {{"mu", 0.3}, {"epsilon", 0.1}}, sign_mu_formula(0.3, 0.1), {nothing, bias});
  add("epsilon_std", {}, epsilon_std_formula(0.1), {nothing, bias});
  add("epsilon_std", {{"factor", 2.5}}, epsilon_std_formula(2.5), {nothing});
  add("alpha_beta_without_bias", {{"epsilon", none}}, without_bias(alpha_beta_formula(2, 1, none)), {nothing});
  add("alpha_beta_x", {{"a0", 1}, {"a1", 0.5}, {"b0", 0.25}, {"b1", 0.75}, {"epsilon", 1e-3}},
      alpha_beta_x_formula(1, 0.5, 0.25, 0.75, 1e-3), {nothing, bias});
  for (double beta_max : {0.5, 3.0})
    add("beta_adaptive", {{"beta_max", beta_max}, {"epsilon", none}}, beta_adaptive_formula(beta_max, none), {nothing});
  add("abs_lrp", {}, abs_lrp_formula(), {nothing, bias});
  add("epsilon_bias", {{"epsilon", 0.1}}, epsilon_bias_formula(1, 0.1), {nothing, bias});
  add("epsilon_bias", {{"factor", 0.5}, {"epsilon", none}}, epsilon_bias_formula(0.5, none), {nothing});
  add("bounded", {{"epsilon", 0.1}}, without_bias(zbox_formula(everywhere(-1), everywhere(1), 0.1)), {nothing});
  add("bounded", {{"low", -3}, {"high", 4}, {"epsilon", none}},
      without_bias(zbox_formula(everywhere(-3), everywhere(4), none)), {nothing});
  add("gradient", {}, gradient_formula(false), {nothing});
  add("gradient_times_input", {}, gradient_formula(true), {nothing});
  out.push_back({"pattern_net", {}, pattern_net_formula(), {}, true});
  out.push_back({"pattern_attribution", {}, pattern_attribution_formula(), {}, true});
  return out;
}

Numbers numbers(const at::Tensor& t) {
  auto values = t.contiguous();
  return {t.sizes().vec(), {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()}};
}

Rule rule_of(const Configuration& configuration, const Module& module) {
  auto arguments = configuration.arguments;
  if (configuration.takes_pattern) arguments.emplace_back("pattern", numbers(module.pattern));
  return Pack::standard().rule(configuration.rule, arguments);
}

at::Tensor expected(const Configuration& configuration, const Module& module) {
  auto rows = module.x.size(0);
  auto is_zeroed = [&](const char* name) {
    return std::find(configuration.zeroed.begin(), configuration.zeroed.end(), name) != configuration.zeroed.end();
  };
  auto y = module.layer.output.reshape({rows, -1});
  Matrices m{module.x.reshape({rows, -1}),
             module.dense,
             module.shift,
             module.R.reshape({rows, -1}),
             y,
             module.taps,
             module.x.sizes().vec(),
             module.matrix(module.pattern),
             module.matrix(module.pattern * module.weight)};
  if (is_zeroed("weight")) m.W = m.ones = at::zeros_like(m.W);
  if (is_zeroed("bias")) m.b = at::zeros_like(m.b);
  return configuration.formula(m).reshape(module.x.sizes());
}

// By the number of a configuration, so that a test case is a part of the grid.
void check_configurations(const std::string& title, const std::vector<Geometry>& geometries,
                          const std::function<bool(const std::string&)>& wanted) {
  std::map<std::string, test::Largest> differences;
  std::uint64_t seed = 0;
  for (auto& geometry : geometries) {
    Module module(geometry, ++seed);
    // The matrix is that of the layer.
    REQUIRE(difference((module.x.reshape({module.x.size(0), -1}).mm(module.dense.t()) + module.shift)
                           .reshape(module.layer.output.sizes()),
                       module.layer.output) <= 1e-12);
    for (auto& configuration : configurations()) {
      if (!wanted(configuration.rule)) continue;
      auto rule = rule_of(configuration, module);
      INFO(geometry.shown());
      INFO(rule.description());
      auto wanted_relevance = expected(configuration, module);
      auto found = difference(relevance(rule, module.layer, module.R), wanted_relevance);
      CHECK(found <= tolerance);
      differences[configuration.rule].add(found);
      found = difference(module.through_attachment(rule), wanted_relevance);
      CHECK(found <= tolerance);
      differences[configuration.rule].add(found);
    }
  }
  REQUIRE(!differences.empty());
  test::Table table("formulas " + title);
  table.line("{}: rule, comparisons with its formula, largest difference", title);
  for (auto& [rule, largest] : differences)
    table.line("  {:<24} {:>5}  {:.1e}", rule, largest.cases, largest.difference);
}

auto named(std::vector<std::string> names) {
  return [names = std::move(names)](const std::string& rule) {
    return std::find(names.begin(), names.end(), rule) != names.end();
  };
}

const auto epsilon_rules = named({"epsilon", "norm", "epsilon_std", "epsilon_bias"});
const auto gamma_rules = named({"gamma", "gamma_classic"});
const auto split_rules =
    named({"zplus", "zplus_fast", "alpha_beta", "alpha_beta_without_bias", "alpha_beta_x", "beta_adaptive"});
const auto input_rules = named({"zbox", "bounded", "wsquare", "flat", "sign", "sign_mu"});
const auto other_rules = [](const std::string& rule) {
  return !epsilon_rules(rule) && !gamma_rules(rule) && !split_rules(rule) && !input_rules(rule);
};

TEST_CASE("the grid has every rule of the standard pack but those for activations") {
  std::set<std::string> names;
  for (auto& configuration : configurations()) names.insert(configuration.rule);
  for (auto& [name, target] : Inside::definitions(Pack::standard()).targets) {
    if (!std::holds_alternative<std::shared_ptr<const language::Rule>>(target)) continue;
    bool for_activations = name == "pass" || name == "relevance_filter" || name.starts_with("relu_") ||
                           std::set<std::string>{"uniform", "half", "by_size", "taylor"}.contains(name);
    INFO(name);
    CHECK(names.contains(name) != for_activations);
  }
}

TEST_CASE("the grid has 98 modules") { CHECK(grid().size() == 98); }

TEST_CASE("the grid: LRP-epsilon by its formula") { check_configurations("grid, LRP-epsilon", grid(), epsilon_rules); }
TEST_CASE("the grid: LRP-gamma by its formula") { check_configurations("grid, LRP-gamma", grid(), gamma_rules); }
TEST_CASE("the grid: rules that split positive from negative, by their formulas") {
  check_configurations("grid, positive and negative apart", grid(), split_rules);
}
TEST_CASE("the grid: rules for input layers by their formulas") {
  check_configurations("grid, input layers", grid(), input_rules);
}

TEST_CASE("the grid: the other rules by their formulas") {
  check_configurations("grid, the others", grid(), other_rules);
}

TEST_CASE("strided, dilated, padded and grouped: the other rules by their formulas") {
  check_configurations("beyond the grid, the others", beyond_the_grid(), other_rules);
}
TEST_CASE("strided, dilated, padded and grouped: LRP-epsilon by its formula") {
  check_configurations("beyond the grid, LRP-epsilon", beyond_the_grid(), epsilon_rules);
}
TEST_CASE("strided, dilated, padded and grouped: LRP-gamma by its formula") {
  check_configurations("beyond the grid, LRP-gamma", beyond_the_grid(), gamma_rules);
}
TEST_CASE("strided, dilated, padded and grouped: rules that split positive from negative, by their formulas") {
  check_configurations("beyond the grid, positive and negative apart", beyond_the_grid(), split_rules);
}
TEST_CASE("strided, dilated, padded and grouped: rules for input layers by their formulas") {
  check_configurations("beyond the grid, input layers", beyond_the_grid(), input_rules);
}

// -------------------------------------------------------------------------------------------------- bounds with shapes

TEST_CASE("the bounds of the z-box by channel, by element and by sample") {
  for (auto& geometry : {Geometry{}, Geometry{.dimensions = 1, .in = 3, .out = 2, .kernel = 2},
                         Geometry{.dimensions = 2, .in = 3, .out = 2, .kernel = 3},
                         Geometry{.dimensions = 2, .transposed = true, .in = 3, .out = 2, .kernel = 2},
                         Geometry{.dimensions = 3, .in = 3, .out = 2, .kernel = 2}}) {
    Module module(geometry, 77);
    auto shape = module.x.sizes().vec();
    auto sample = shape;
    sample.erase(sample.begin());
    auto single = shape;
    single[0] = 1;
    std::vector<std::int64_t> per_channel(shape.size(), 1);
    per_channel[1] = shape[1];
    struct Bound {
      const char* what;
      std::vector<std::int64_t> shape, at_full_rank;
    };
    for (auto& bound : {Bound{"by channel", {shape[1]}, per_channel}, Bound{"by element", sample, single},
                        Bound{"by element, with a batch of 1", single, single}, Bound{"by sample", shape, shape},
                        Bound{"by channel, at the full rank", per_channel, per_channel}}) {
      auto spread = random(bound.at_full_rank, 5).abs();
      auto low = numbers(-3 - spread), high = numbers(3 + spread);
      low.shape = high.shape = bound.shape;
      auto rule = Pack::standard().rule("zbox", {{"low", low}, {"high", high}, {"epsilon", none}});
      Configuration configuration{"",
                                  {},
                                  zbox_formula([&](at::IntArrayRef full) { return (-3 - spread).expand(full); },
                                               [&](at::IntArrayRef full) { return (3 + spread).expand(full); }, none)};
      INFO(geometry.shown());
      INFO(bound.what);
      auto wanted = expected(configuration, module);
      CHECK(difference(relevance(rule, module.layer, module.R), wanted) <= tolerance);
      CHECK(difference(module.through_attachment(rule), wanted) <= tolerance);
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------- pass

TEST_CASE("pass hands on what arrives where the layer keeps its shape, and is refused elsewhere") {
  auto pass = Pack::standard().rule("pass");
  for (auto& geometry :
       {Geometry{.in = 5, .out = 5}, Geometry{.dimensions = 1, .in = 3, .out = 3, .kernel = 3, .padding = 1},
        Geometry{.dimensions = 2, .transposed = true, .in = 3, .out = 3, .kernel = 3, .padding = 1},
        Geometry{.dimensions = 3, .in = 2, .out = 2, .kernel = 2, .same = true},
        Geometry{.in = 5, .out = 5, .leading = {4, 3}}}) {
    INFO(geometry.shown());
    Module module(geometry, 3);
    CHECK(at::equal(relevance(pass, module.layer, module.R), module.R));
    CHECK(at::equal(module.through_attachment(pass), module.R));
  }
  for (auto& geometry : {Geometry{}, Geometry{.dimensions = 2, .in = 3, .out = 3, .kernel = 3}}) {
    INFO(geometry.shown());
    Module module(geometry, 3);
    CHECK_THROWS_AS(relevance(pass, module.layer, module.layer.output), Error);
    CHECK_THROWS_AS(module.through_attachment(pass), Error);
  }
}

}  // namespace
}  // namespace ascribe
