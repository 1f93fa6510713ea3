// Every rule on every kind of linear layer, against its formula. The formulas are plain matrix products on the layer's
// dense matrix: nothing of them goes through the evaluator, through autograd, or through modified layers.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <functional>
#include <optional>

#include "tests/rules/layers.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

constexpr double tolerance = 1e-10;

// ------------------------------------------------------------------------------------------------------------ the
// modules

struct Geometry {
  int dimensions = 0;  ///< 0: a linear layer
  bool transposed = false;
  std::int64_t in = 5, out = 4, kernel = 1;
  bool bias = true;
  std::int64_t stride = 1, padding = 0, dilation = 1, groups = 1, output_padding = 0;
  bool same = false;                     ///< padding = "same"
  std::vector<std::int64_t> leading{4};  ///< of linear layers: the batch and what else stands before the features

  std::string shown() const {
    if (dimensions == 0)
      return fmt::format("linear {} -> {}, bias {}, leading [{}]", in, out, bias, fmt::join(leading, ", "));
    return fmt::format(
        "{}{}d {} -> {}, kernel {}, bias {}, stride {}, padding {}{}, dilation {}, groups {}, output padding {}",
        transposed ? "conv_transpose" : "conv", dimensions, in, out, kernel, bias, stride, padding,
        same ? " (same)" : "", dilation, groups, output_padding);
  }
};

std::vector<Geometry> grid() {
  std::vector<Geometry> out;
  for (bool bias : {true, false}) out.push_back({.bias = bias});
  for (int dimensions : {1, 2, 3})
    for (bool transposed : {false, true})
      for (std::int64_t in : {1, 3})
        for (std::int64_t channels : {1, 3})
          for (std::int64_t kernel : {2, 3})
            for (bool bias : {true, false})
              out.push_back({.dimensions = dimensions,
                             .transposed = transposed,
                             .in = in,
                             .out = channels,
                             .kernel = kernel,
                             .bias = bias});
  return out;
}

// What the grid leaves out: everything that moves a convolution's taps about.
std::vector<Geometry> beyond_the_grid() {
  std::vector<Geometry> out;
  for (int d : {1, 2, 3})
    for (bool transposed : {false, true}) {
      out.push_back(
          {.dimensions = d, .transposed = transposed, .in = 4, .out = 6, .kernel = 3, .padding = 1, .groups = 2});
      out.push_back(
          {.dimensions = d, .transposed = transposed, .in = 2, .out = 3, .kernel = 2, .stride = 2, .padding = 1});
      out.push_back(
          {.dimensions = d, .transposed = transposed, .in = 2, .out = 2, .kernel = 2, .bias = false, .dilation = 2});
      out.push_back({.dimensions = d,
                     .transposed = transposed,
                     .in = 3,
                     .out = 3,
                     .kernel = 3,
                     .stride = 2,
                     .padding = 2,
                     .dilation = 2,
                     .groups = 3});
      if (transposed)
        out.push_back({.dimensions = d,
                       .transposed = true,
                       .in = 2,
                       .out = 3,
                       .kernel = 3,
                       .stride = 2,
                       .padding = 1,
                       .output_padding = 1});
      else
        out.push_back({.dimensions = d, .in = 2, .out = 3, .kernel = 3, .dilation = 2, .same = true});
      if (!transposed)
        out.push_back({.dimensions = d, .in = 2, .out = 2, .kernel = 2, .same = true});  // one-sided padding
    }
  out.push_back({.leading = {4, 3}});
  out.push_back({.bias = false, .leading = {4, 3}});
  out.push_back({.leading = {2, 3, 2}});
  return out;
}

// A layer, and the same as a matrix: y = x·denseᵀ + shift, with x and y flattened per sample.
struct Module {
  Geometry geometry;
  at::Tensor x, weight, bias;
  evaluate::Layer layer;
  at::Tensor dense, taps;  ///< of the weight; of a weight of ones
  at::Tensor shift;        ///< one for each output element

  at::Tensor run(const at::Tensor& input, const at::Tensor& w, const std::optional<at::Tensor>& b) const {
    auto& g = geometry;
    auto all = [&](std::int64_t value) {
      return std::vector<std::int64_t>(static_cast<std::size_t>(g.dimensions), value);
    };
    if (g.dimensions == 0) return at::linear(input, w, b);
    if (g.transposed)
      return at::convolution(input, w, b, all(g.stride), all(g.padding), all(g.dilation), true, all(g.output_padding),
                             g.groups);
    if (g.same) return at::_convolution_mode(input, w, b, all(g.stride), "same", all(g.dilation), g.groups);
    switch (g.dimensions) {
      case 1:
        return at::conv1d(input, w, b, all(g.stride), all(g.padding), all(g.dilation), g.groups);
      case 2:
        return at::conv2d(input, w, b, all(g.stride), all(g.padding), all(g.dilation), g.groups);
      default:
        return at::conv3d(input, w, b, all(g.stride), all(g.padding), all(g.dilation), g.groups);
    }
  }

  explicit Module(const Geometry& chosen, std::uint64_t seed) : geometry(chosen) {
    auto& g = geometry;
    std::vector<std::int64_t> x_shape = g.leading, weight_shape{g.out, g.in};
    if (g.dimensions == 0) {
      x_shape.push_back(g.in);
    } else {
      x_shape = {4, g.in};
      weight_shape = g.transposed ? std::vector{g.in, g.out / g.groups} : std::vector{g.out, g.in / g.groups};
      for (int i = 0; i < g.dimensions; ++i) {
        x_shape.push_back(g.dimensions == 1 ? 7 : g.dimensions == 2 ? 5 : 4);
        weight_shape.push_back(g.kernel);
      }
    }
    x = random(x_shape, seed);
    weight = random(weight_shape, seed + 1000);
    if (g.bias) bias = random({g.out}, seed + 2000);

    layer.apply = [this](auto& inputs, auto& theta) {
      return run(inputs[0], theta[0], theta.size() > 1 ? std::optional(theta[1]) : std::nullopt);
    };
    layer.inputs = {x};
    layer.gets_relevance = {true};
    layer.parameters = {{"weight", weight}};
    if (g.bias) layer.parameters.emplace_back("bias", bias);
    layer.output = run(x, weight, g.bias ? std::optional(bias) : std::nullopt);

    auto of_sample = x_shape;
    of_sample[0] = -1;
    auto features = x[0].numel();
    auto units = at::eye(features, at::kDouble).reshape(of_sample);
    auto matrix = [&](const at::Tensor& w) { return run(units, w, std::nullopt).reshape({features, -1}).t(); };
    dense = matrix(weight);
    taps = matrix(at::ones_like(weight));
    auto zero = run(at::zeros_like(x), weight, g.bias ? std::optional(bias) : std::nullopt);
    shift = zero[0].reshape({-1});
  }
  Module(const Module&) = delete;

  at::Tensor through_attachment(const Composite& rules) const {
    auto& g = geometry;
    auto with = [&](auto holder) {
      holder->to(at::kDouble);
      {
        at::NoGradGuard no_grad;
        holder->weight.copy_(weight);
        if (g.bias) holder->bias.copy_(bias);
      }
      // Inside of another module, so that layers have names.
      torch::nn::Sequential model(holder);
      return attached_relevance(rules, *model, x);
    };
    auto convolution = [&]<std::size_t D>(auto chosen, std::integral_constant<std::size_t, D>) {
      if constexpr (requires { chosen.output_padding(0); }) {
        return chosen.stride(g.stride)
            .padding(g.padding)
            .dilation(g.dilation)
            .groups(g.groups)
            .bias(g.bias)
            .output_padding(g.output_padding);
      } else {
        chosen.stride(g.stride).dilation(g.dilation).groups(g.groups).bias(g.bias);
        return g.same ? chosen.padding(torch::kSame) : chosen.padding(g.padding);
      }
    };
    using std::integral_constant;
    auto first = integral_constant<std::size_t, 1>{};
    auto second = integral_constant<std::size_t, 2>{};
    auto third = integral_constant<std::size_t, 3>{};
    if (g.dimensions == 0) return with(torch::nn::Linear(torch::nn::LinearOptions(g.in, g.out).bias(g.bias)));
    if (!g.transposed) {
      if (g.dimensions == 1)
        return with(torch::nn::Conv1d(convolution(torch::nn::Conv1dOptions(g.in, g.out, g.kernel), first)));
      if (g.dimensions == 2)
        return with(torch::nn::Conv2d(convolution(torch::nn::Conv2dOptions(g.in, g.out, g.kernel), second)));
      return with(torch::nn::Conv3d(convolution(torch::nn::Conv3dOptions(g.in, g.out, g.kernel), third)));
    }
    if (g.dimensions == 1)
      return with(
          torch::nn::ConvTranspose1d(convolution(torch::nn::ConvTranspose1dOptions(g.in, g.out, g.kernel), first)));
    if (g.dimensions == 2)
      return with(
          torch::nn::ConvTranspose2d(convolution(torch::nn::ConvTranspose2dOptions(g.in, g.out, g.kernel), second)));
    return with(
        torch::nn::ConvTranspose3d(convolution(torch::nn::ConvTranspose3dOptions(g.in, g.out, g.kernel), third)));
  }
};

// ----------------------------------------------------------------------------------------------------------- the
// formulas

at::Tensor above_zero(const at::Tensor& t) { return t.clamp_min(0); }
at::Tensor below_zero(const at::Tensor& t) { return t.clamp_max(0); }
at::Tensor stabilize(const at::Tensor& z, double epsilon) {
  return z + epsilon * (z >= 0).to(at::kDouble).mul(2).sub(1);
}

// x [N, in], W [out, in], b [out], R [N, out], all of it dense; `ones` is W with every weight 1.
struct Matrices {
  at::Tensor x, W, b, R, y, ones;
  std::vector<std::int64_t> x_shape;
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

// ------------------------------------------------------------------------------------------------- rule and formula
// meet

struct Configuration {
  std::string rule;
  Arguments arguments;
  Formula formula;
  std::vector<std::string> zeroed{};  ///< parameters that the rule takes to be 0
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
  add("abs_rule", {{"epsilon", none}}, abs_formula(none), {nothing, bias});
  add("sign_rule", {{"epsilon", 0.1}}, sign_formula(0.1), {nothing});
  return out;
}

Rule rule_of(const Configuration& configuration) {
  return published().rule(configuration.rule, configuration.arguments);
}

at::Tensor expected(const Configuration& configuration, const Module& module) {
  auto rows = module.x.size(0);
  auto is_zeroed = [&](const char* name) {
    return std::find(configuration.zeroed.begin(), configuration.zeroed.end(), name) != configuration.zeroed.end();
  };
  auto y = module.layer.output.reshape({rows, -1});
  Matrices m{module.x.reshape({rows, -1}), module.dense, module.shift, y, y, module.taps, module.x.sizes().vec()};
  if (is_zeroed("weight")) m.W = m.ones = at::zeros_like(m.W);
  if (is_zeroed("bias")) m.b = at::zeros_like(m.b);
  return configuration.formula(m).reshape(module.x.sizes());
}

// By the number of a configuration, so that a test case is a part of the grid.
void check_configurations(const std::vector<Geometry>& geometries,
                          const std::function<bool(const std::string&)>& wanted, bool attached) {
  double largest = 0;
  std::size_t count = 0;
  std::uint64_t seed = 0;
  for (auto& geometry : geometries) {
    Module module(geometry, ++seed);
    // The matrix is that of the layer.
    REQUIRE(difference((module.x.reshape({module.x.size(0), -1}).mm(module.dense.t()) + module.shift)
                           .reshape(module.layer.output.sizes()),
                       module.layer.output) <= 1e-12);
    for (auto& configuration : configurations()) {
      if (!wanted(configuration.rule)) continue;
      auto rule = rule_of(configuration);
      INFO(geometry.shown());
      INFO(rule.description());
      auto wanted_relevance = expected(configuration, module);
      auto found = difference(relevance(rule, module.layer, module.layer.output), wanted_relevance);
      CHECK(found <= tolerance);
      largest = std::max(largest, found);
      ++count;
      if (!attached) continue;
      found = difference(module.through_attachment(rule), wanted_relevance);
      CHECK(found <= tolerance);
      largest = std::max(largest, found);
      ++count;
    }
  }
  REQUIRE(count > 0);
  INFO(count << " comparisons, largest difference " << largest);
  CHECK(largest <= tolerance);
}

auto named(std::vector<std::string> names) {
  return [names = std::move(names)](const std::string& rule) {
    return std::find(names.begin(), names.end(), rule) != names.end();
  };
}

const auto epsilon_rules = named({"epsilon", "norm"});
const auto gamma_rules = named({"gamma", "gamma_classic"});
const auto split_rules = named({"zplus", "zplus_fast", "alpha_beta", "abs_rule", "sign_rule"});
const auto input_rules = named({"zbox", "wsquare", "flat"});

TEST_CASE("the grid has 98 modules") { CHECK(grid().size() == 98); }

TEST_CASE("the grid: LRP-epsilon by its formula") { check_configurations(grid(), epsilon_rules, true); }
TEST_CASE("the grid: LRP-gamma by its formula") { check_configurations(grid(), gamma_rules, true); }
TEST_CASE("the grid: rules that split positive from negative, by their formulas") {
  check_configurations(grid(), split_rules, true);
}
TEST_CASE("the grid: rules for input layers by their formulas") { check_configurations(grid(), input_rules, true); }

TEST_CASE("strided, dilated, padded and grouped: LRP-epsilon by its formula") {
  check_configurations(beyond_the_grid(), epsilon_rules, true);
}
TEST_CASE("strided, dilated, padded and grouped: LRP-gamma by its formula") {
  check_configurations(beyond_the_grid(), gamma_rules, true);
}
TEST_CASE("strided, dilated, padded and grouped: rules that split positive from negative") {
  check_configurations(beyond_the_grid(), split_rules, true);
}
TEST_CASE("strided, dilated, padded and grouped: rules for input layers") {
  check_configurations(beyond_the_grid(), input_rules, true);
}

// ------------------------------------------------------------------------------------------------------- bounds with
// shapes

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
      auto numbers = [&](const at::Tensor& t) {
        auto values = t.contiguous();
        return Numbers{bound.shape, {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()}};
      };
      auto rule =
          published().rule("zbox", {{"low", numbers(-3 - spread)}, {"high", numbers(3 + spread)}, {"epsilon", none}});
      Configuration configuration{"",
                                  {},
                                  zbox_formula([&](at::IntArrayRef full) { return (-3 - spread).expand(full); },
                                               [&](at::IntArrayRef full) { return (3 + spread).expand(full); }, none)};
      INFO(geometry.shown());
      INFO(bound.what);
      auto wanted = expected(configuration, module);
      CHECK(difference(relevance(rule, module.layer, module.layer.output), wanted) <= tolerance);
      CHECK(difference(module.through_attachment(rule), wanted) <= tolerance);
    }
  }
}

// --------------------------------------------------------------------------------------------------------------------
// pass

TEST_CASE("pass hands on what arrives where the layer keeps its shape, and is refused elsewhere") {
  auto pass = Pack::standard().rule("pass");
  for (auto& geometry :
       {Geometry{.in = 5, .out = 5}, Geometry{.dimensions = 1, .in = 3, .out = 3, .kernel = 3, .padding = 1},
        Geometry{.dimensions = 2, .transposed = true, .in = 3, .out = 3, .kernel = 3, .padding = 1},
        Geometry{.dimensions = 3, .in = 2, .out = 2, .kernel = 2, .same = true},
        Geometry{.in = 5, .out = 5, .leading = {4, 3}}}) {
    INFO(geometry.shown());
    Module module(geometry, 3);
    CHECK(at::equal(relevance(pass, module.layer, module.layer.output), module.layer.output));
    CHECK(at::equal(module.through_attachment(pass), module.layer.output));
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
