// Plans give what the reference gives: on numbers of every sort, in every layout, and from many threads.

#include <cmath>
#include <functional>

#include "tests/plan/layers.hpp"

namespace test {
namespace {

std::vector<Rule> rules_on_weights() {
  return {standard("epsilon"),
          standard("epsilon", {{"epsilon", 0}}),
          standard("zplus"),
          standard("zplus", {{"epsilon", 0}, {"zero_params", std::vector<std::string>{"bias"}}}),
          standard("alpha_beta", {{"alpha", 2}, {"beta", 1}}),
          standard("alpha_beta", {{"alpha", 1}, {"beta", 0}}),
          standard("alpha_beta", {{"alpha", 2}, {"beta", 1}, {"epsilon", 0}}),
          standard("gamma"),
          standard("gamma", {{"epsilon", 0}}),
          standard("gamma_classic"),
          standard("flat"),
          standard("wsquare"),
          standard("zbox", {{"low", -3}, {"high", 3}}),
          standard("alpha_beta_x", {{"a0", 0.9}, {"a1", 0.7}, {"b0", 0.6}, {"b1", 0.3}}),
          standard("epsilon_bias"),
          standard("abs"),
          standard("zplus_fast"),
          standard("pass"),
          written("rule r { map = R; term a { input = max(x, 0) } term b { input = min(x, 0) } }"),
          written("rule r { input = min(x, 0) }"),
          written("rule r { term a {} term b { input = 0 } }"),
          written("rule r { map = R }"),
          written("rule r { map = layer.y; param = max(w, 0) }")};
}

// A linear layer and a convolution, with and without bias.
std::vector<evaluate::Layer> layers_of(const at::Tensor& x, const at::Tensor& image) {
  auto type = x.scalar_type();
  auto w = drawn({5, 4}, 2, type), kernel = drawn({6, 3, 3, 3}, 4, type);
  return {linear_layer(x, w, drawn({5}, 3, type)), linear_layer(x, w),
          conv2d_layer(image, kernel, drawn({6}, 5, type), 1, 1), conv2d_layer(image, kernel, {}, 2, 0)};
}

void check_rules(const std::vector<evaluate::Layer>& layers, const std::function<at::Tensor(const at::Tensor& y)>& R) {
  for (auto& rule : rules_on_weights())
    for (auto& layer : layers) {
      INFO(layer.operation->kind->name << ", " << layer.parameters.size() << " parameters");
      if (Inside::bound(rule).rule->keeps_shape && layer.inputs[0].sizes() != layer.output.sizes()) continue;
      auto start = R(layer.output);
      if (rule.description().starts_with("pass") && start.sizes() != layer.inputs[0].sizes()) continue;
      check_plan(rule, layer, start);
    }
}

at::Tensor from_above(const at::Tensor& y) { return drawn(y.sizes(), 11, y.scalar_type()); }

TEST_CASE("plans equal the reference on inputs of either sign, and behind a ReLU") {
  for (auto type : {at::kDouble, at::kFloat})
    for (bool positive : {false, true}) {
      auto x = drawn({7, 4}, 1, type), image = drawn({2, 3, 6, 6}, 1, type);
      if (positive) x = x.clamp_min(0), image = image.clamp_min(0);
      check_rules(layers_of(x, image), from_above);
    }
}

TEST_CASE("NaN and infinities in the input come out where the reference has them") {
  for (double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL})
    for (bool positive : {false, true}) {
      INFO(bad << ", others positive " << positive);
      auto x = drawn({3, 4}, 1), image = drawn({2, 3, 6, 6}, 1);
      if (positive) x = x.clamp_min(0), image = image.clamp_min(0);
      x[1][2] = bad;
      image[1][1][3][4] = bad;
      check_rules(layers_of(x, image), from_above);
    }
}

TEST_CASE("NaN, infinities and zeros in the relevance come out where the reference has them") {
  for (double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL, 0.0})
    for (bool positive : {false, true}) {
      INFO(bad << ", inputs positive " << positive);
      auto x = drawn({3, 4}, 1), image = drawn({2, 3, 6, 6}, 1);
      if (positive) x = x.clamp_min(0), image = image.clamp_min(0);
      check_rules(layers_of(x, image), [&](const at::Tensor& y) {
        auto R = from_above(y);
        R[1][2] = bad;
        return R;
      });
    }
}

TEST_CASE("zeros as inputs, weights and outputs come out where the reference has them") {
  check_rules(layers_of(at::zeros({3, 4}, at::kDouble), at::zeros({2, 3, 6, 6}, at::kDouble)), from_above);
  auto x = drawn({3, 4}, 1).clamp_min(0);
  x[1].zero_();
  for (auto& layer : {linear_layer(x, at::zeros({5, 4}, at::kDouble), at::zeros({5}, at::kDouble)),
                      linear_layer(x, drawn({5, 4}, 2).clamp_max(0)), linear_layer(-x, drawn({5, 4}, 2)),
                      linear_layer(x, drawn({5, 4}, 2), at::zeros({5}, at::kDouble))})
    check_rules({layer}, from_above);
}

TEST_CASE("biases that are not finite, and weights that are no number, come out where the reference has them") {
  for (bool positive : {false, true}) {
    INFO("inputs positive " << positive);
    auto x = drawn({3, 4}, 1), w = drawn({5, 4}, 2), b = drawn({5}, 3);
    if (positive) x = x.clamp_min(0);
    for (double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      auto spoiled = b.clone();
      spoiled[2] = bad;
      check_rules({linear_layer(x, w, spoiled)}, from_above);
    }
    w[1][2] = std::nan("");
    check_rules({linear_layer(x, w, b)}, from_above);
  }
}

TEST_CASE("an empty batch has an empty relevance") {
  auto layers = layers_of(at::empty({0, 4}, at::kDouble), at::empty({0, 3, 6, 6}, at::kDouble));
  check_rules({layers[0], layers[1]}, from_above);
  for (auto* name : {"epsilon", "zplus", "alpha_beta", "gamma"})
    for (std::size_t i : {2, 3}) {
      auto found = by(evaluate::planner(), standard(name), layers[i], layers[i].output);
      CHECK(found[0].sizes() == layers[i].inputs[0].sizes());
    }
}

TEST_CASE("models in bfloat16 are as near to the reference as their type allows") {
  for (bool positive : {false, true}) {
    auto x = drawn({7, 4}, 1, at::kBFloat16), image = drawn({2, 3, 6, 6}, 1, at::kBFloat16);
    if (positive) x = x.clamp_min(0), image = image.clamp_min(0);
    for (auto& layer : layers_of(x, image))
      for (auto& rule : {standard("epsilon", {{"epsilon", 0.5}}), standard("zplus", {{"epsilon", 0.5}}),
                         standard("flat"), standard("gamma_classic", {{"epsilon", 0.5}}), standard("wsquare")}) {
        INFO(layer.operation->kind->name);
        auto R = layer.output;
        check_plan(rule, layer, R);
        CHECK(by(evaluate::planner(), rule, layer, R)[0].scalar_type() == at::kBFloat16);
      }
  }
}

TEST_CASE("layouts of inputs, weights and relevance do not matter") {
  auto last = [](const at::Tensor& t) { return t.contiguous(at::MemoryFormat::ChannelsLast); };
  auto turned = [](const at::Tensor& t) { return t.transpose(0, -1).contiguous().transpose(0, -1); };
  auto sliced = [](const at::Tensor& t) { return at::stack({at::full_like(t, 1e3), t}, -1).select(-1, 1); };
  auto spread = [](const at::Tensor& t) { return t.narrow(0, 0, 1).expand_as(t); };
  std::vector<std::function<at::Tensor(const at::Tensor&)>> layouts{[](auto& t) { return t; }, last, turned, sliced,
                                                                    spread};
  for (auto type : {at::kDouble, at::kFloat})
    for (std::size_t i = 0; i < layouts.size(); ++i)
      for (bool positive : {false, true}) {
        INFO("layout " << i << ", positive " << positive);
        auto image = drawn({3, 3, 6, 6}, 1, type), w = drawn({6, 3, 3, 3}, 2, type), b = drawn({6}, 3, type);
        if (positive) image = image.abs();
        check_rules(
            {conv2d_layer(layouts[i](image), w, b, 1, 1), conv2d_layer(image, i == 4 ? w : layouts[i](w), b, 1, 1)},
            from_above);
        check_rules({conv2d_layer(image, w, b, 1, 1), conv2d_layer(last(image), last(w), b, 1, 1)},
                    [&](const at::Tensor& y) { return layouts[i](from_above(y)); });
        if (i == 1) continue;
        auto x = drawn({3, 5, 4}, 1, type), dense = drawn({5, 4}, 2, type);
        if (positive) x = x.abs();
        check_rules({linear_layer(layouts[i](x), dense), linear_layer(x, i == 4 ? dense : layouts[i](dense))},
                    from_above);
        check_rules({linear_layer(x, dense)}, [&](const at::Tensor& y) { return layouts[i](from_above(y)); });
      }
}

TEST_CASE("relevance from above, inputs and outputs are left as they were") {
  for (bool positive : {false, true}) {
    auto x = drawn({7, 4}, 1), image = drawn({2, 3, 6, 6}, 1);
    if (positive) x = x.abs(), image = image.abs();
    for (auto& rule : rules_on_weights())
      for (auto& layer : layers_of(x, image)) {
        if (rule.description().starts_with("pass")) continue;
        INFO(rule.description());
        auto R = from_above(layer.output);
        auto before = R.clone(), input = layer.inputs[0].clone(), output = layer.output.clone(),
             w = layer.parameters[0].second.clone();
        evaluate::Shares shares;
        by(evaluate::planner(), rule, layer, R);
        by(evaluate::planner(), rule, layer, R, &shares);
        CHECK(at::equal(R, before));
        CHECK(at::equal(layer.inputs[0], input));
        CHECK(at::equal(layer.output, output));
        CHECK(at::equal(layer.parameters[0].second, w));
      }
  }
}

TEST_CASE("weights of any rank and spelling are served") {
  auto x = depending(drawn({4, 3}, 1).abs()), batches = depending(drawn({2, 4, 3}, 1).abs());
  std::vector<Called> calls{{"matmul", "", {x, drawn({3}, 2)}},         {"mv", "", {x, drawn({3}, 2)}},
                            {"linear", "", {x, drawn({3}, 2)}},         {"matmul", "", {batches, drawn({2, 3, 5}, 2)}},
                            {"matmul", "", {x, drawn({2, 3, 5}, 2)}},   {"bmm", "", {batches, drawn({2, 3, 5}, 2)}},
                            {"mm", "", {x, drawn({3, 5}, 2)}},          {"mm", "", {drawn({5, 4}, 2), x}},
                            {"matmul", "", {batches, drawn({3, 5}, 2)}}};
  for (auto& bias : {Sizes{5}, Sizes{1, 5}, Sizes{4, 5}, Sizes{4, 1}, Sizes{1}, Sizes{}})
    calls.push_back({"addmm", "", {drawn(bias, 3), x, drawn({3, 5}, 2)}});
  calls.push_back({"addmm", "", {drawn({5}, 3), x, drawn({3, 5}, 2), 2, 3}});
  for (auto& called : calls)
    for (auto& rule : rules_on_weights()) {
      if (rule.description().starts_with("pass")) continue;
      auto layer = layer_of(called);
      INFO(called.op.operator_name().name << " with a weight of " << layer.parameters[0].second.dim() << " dimensions, "
                                          << rule.description());
      auto R = from_above(layer.output);
      REQUIRE_NOTHROW(check_plan(rule, layer, R));
      evaluate::Shares shares, wanted;
      REQUIRE_NOTHROW(by(evaluate::planner(), rule, layer, R, &shares));
      by(evaluate::reference(), rule, layer, R, &wanted);
      REQUIRE(shares.bias.has_value() == wanted.bias.has_value());
      if (wanted.bias && std::isfinite(*wanted.bias)) CHECK(*shares.bias == Approx(*wanted.bias).margin(1e-9));
    }
}

TEST_CASE("layers without weights are served as the reference does") {
  auto a = depending(drawn({2, 3, 4}, 1)), b = depending(drawn({2, 3, 4}, 2)), c = depending(drawn({3, 1}, 3));
  auto image = depending(drawn({2, 3, 6, 6}, 4));
  for (auto& called : std::vector<Called>{{"add", "Tensor", {a, b, 0.3}},
                                          {"rsub", "Tensor", {a, b, 2}},
                                          {"add", "Tensor", {a, c}},
                                          {"mul", "Tensor", {a, b}},
                                          {"mul", "Tensor", {c, a}},
                                          {"mul", "Scalar", {a, -2}},
                                          {"matmul", "", {a, depending(drawn({4, 5}, 5))}},
                                          {"mean", "dim", {image, Sizes{2, 3}}},
                                          {"sum", "dim_IntList", {image, Sizes{1}, true}},
                                          {"avg_pool2d", "", {image, Sizes{2, 2}}},
                                          {"adaptive_avg_pool2d", "", {image, Sizes{1, 1}}},
                                          {"softmax", "int", {a, -1}},
                                          {"relu", "", {image}}})
    for (auto& rule : {standard("epsilon"), standard("uniform"), standard("half"), written("rule r { reduce = v }"),
                       written("rule r { map = R }"), written("rule r { map = R; reduce = 2 * x * v }")}) {
      INFO(called.op.operator_name().name);
      auto layer = layer_of(called);
      if (rule.description().starts_with("half") && layer.inputs[0].sizes() != layer.output.sizes()) continue;
      check_plan(rule, layer, from_above(layer.output));
    }
}

}  // namespace
}  // namespace test
