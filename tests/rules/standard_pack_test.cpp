// Rules and stabilizers of the standard pack that the grid has no formula for: those for activations, and each
// stabilizer.
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>

#include "tests/rules/expressions.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

// Every pair of a negative, a zero and a positive input with a negative, a zero and a positive relevance.
struct Signs {
  at::Tensor x = tensor({3, 3}, {-2, -2, -2, 0, 0, 0, 0.5, 0.5, 0.5}),
             R = tensor({3, 3}, {-3, 0, 4, -3, 0, 4, -3, 0, 4});

  // On a ReLU alone, and on a model of a ReLU.
  void check(const std::string& call, const at::Tensor& expected) {
    INFO(call);
    auto pack = Pack::parse("rule alone = " + call + "\ncomposite on_relu { relu => " + call + " }");
    auto layer = plain_layer({x}, [](const std::vector<at::Tensor>& inputs) { return at::relu(inputs[0]); });
    CHECK(difference(relevance(pack.rule("alone"), layer, R), expected) <= exact);
    torch::nn::Sequential model(torch::nn::ReLU{});
    CHECK(difference(attached_relevance(pack.composite("on_relu"), *model, x, R), expected) <= exact);
  }
};

TEST_CASE("deconvnet's ReLU hands positive relevance on, whatever the input") {
  Signs().check("relu_deconvnet", tensor({3, 3}, {0, 0, 4, 0, 0, 4, 0, 0, 4}));
}

TEST_CASE("guided backpropagation's ReLU hands positive relevance on where the input is positive") {
  Signs().check("relu_guided_backprop", tensor({3, 3}, {0, 0, 0, 0, 0, 0, 0, 0, 4}));
}

TEST_CASE("the smooth ReLU's gradient is a sigmoid") {
  Signs signs;
  for (double beta : {10.0, 1.0, 0.25}) {
    auto expected = signs.R / (1 + (-beta * signs.x).exp());
    signs.check("relu_beta_smooth(" + std::to_string(beta) + ")", expected);
    if (beta == 10) signs.check("relu_beta_smooth", expected);
  }
}

TEST_CASE("the rule gradient is the layer's own gradient") {
  Signs().check("gradient", tensor({3, 3}, {0, 0, 0, 0, 0, 0, -3, 0, 4}));
  Dense dense;
  CHECK(difference(dense.by("rule r = gradient"), dense.R.mm(dense.W)) <= exact);
  Convolution conv;
  CHECK(difference(conv.by("rule r = gradient"), conv.back(conv.W, conv.R)) <= tolerance);
}

TEST_CASE("the relevance filter keeps the largest values of each sample") {
  for (auto shape : {std::vector<std::int64_t>{3, 40}, {2, 4, 5, 5}, {5, 1}}) {
    auto R = random(shape, 1), x = random(shape, 2);
    auto rows = R.flatten(1);
    for (int percent : {5, 10, 25, 50, 100}) {
      auto kept = std::max<std::int64_t>(1, rows.size(1) * percent / 100);
      auto [values, places] = rows.topk(kept, 1);
      auto expected = at::zeros_like(rows).scatter(1, places, values).reshape(shape);
      INFO(percent);
      auto rule = Pack::standard().rule("relevance_filter", {{"percent", percent}});
      auto layer = plain_layer({x}, [](const std::vector<at::Tensor>& inputs) { return at::relu(inputs[0]); });
      CHECK(at::equal(relevance(rule, layer, R), expected));
    }
  }
}

TEST_CASE("the relevance filter keeps values that are equal to the smallest one kept") {
  for (auto type : {at::kFloat, at::kDouble})
    for (int count : {1, 2, 3, 33, 64, 100, 784})
      for (int percent : {10, 14, 30}) {
        auto R = random({50, 1}, 7).to(type).expand({50, count}).contiguous();
        auto layer = plain_layer({R}, [](const std::vector<at::Tensor>& inputs) { return at::relu(inputs[0]); });
        INFO(count << " values, " << percent << " %");
        CHECK(at::equal(relevance(Pack::standard().rule("relevance_filter", {{"percent", percent}}), layer, R), R));
      }
}

TEST_CASE("the stabilizers of the standard pack, by their formulas") {
  Dense dense;
  Convolution conv;
  auto sign = [](const at::Tensor& z) { return at::where(z < 0, -at::ones_like(z), at::ones_like(z)); };
  auto size = [](const at::Tensor& z, const std::vector<std::int64_t>& over) {
    return (z * z).mean(over, true).sqrt();
  };
  struct Row {
    const char* stabilizer;
    std::function<at::Tensor(const at::Tensor& z, const std::vector<std::int64_t>& all)> formula;
  };
  for (auto& row :
       {Row{"0.5", [&](auto&z, auto&) { return z + 0.5 * sign(z); }},
        Row{"clipped", [&](auto&z, auto&) { return sign(z) * z.abs().clamp_min(1e-6); }},
        Row{"clipped(1.5)", [&](auto&z, auto&) { return sign(z) * z.abs().clamp_min(1.5); }},
        Row{"relative", [&](auto&z, auto&all) { return z + 1e-6 * size(z, all) * sign(z); }},
        Row{"relative(0.5)", [&](auto&z, auto&all) { return z + 0.5 * size(z, all) * sign(z); }},
        Row{"relative_clipped", [&](auto&z, auto&all) { return sign(z) * at::maximum(z.abs(), 1e-6 * size(z, all)); }},
        Row{"relative_clipped(0.75)",
            [&](auto&z, auto&all) { return sign(z) * at::maximum(z.abs(), 0.75 * size(z, all)); }},
        Row{"relative_unsigned", [&](auto&z, auto&all) { return z + 0.1 * size(z, all) + 1e-9; }},
        Row{"relative_unsigned(4)", [&](auto&z, auto&all) { return z + 4 * size(z, all) + 1e-9; }},
        Row{"relative_over_channels", [&](auto&z, auto&) { return z + 1e-6 * size(z, {1}) * sign(z); }},
        Row{"relative_over_channels(0.5)", [&](auto&z, auto&) { return z + 0.5 * size(z, {1}) * sign(z); }}}) {
    INFO(row.stabilizer);
    auto text = std::string("rule r = epsilon(") + row.stabilizer + ")";
    CHECK(difference(dense.by(text), dense.x * (dense.R / row.formula(dense.y, {1})).mm(dense.W)) <= tolerance);
    CHECK(difference(conv.by(text), conv.x * conv.back(conv.W, conv.R / row.formula(conv.y, {1, 2, 3}))) <= tolerance);
  }
}

TEST_CASE("every rule of the standard pack that takes a stabilizer takes each of them") {
  Dense dense;
  for (auto rule : {"epsilon", "norm", "gamma", "gamma_classic", "zplus", "zplus_fast", "alpha_beta", "zbox", "bounded",
                    "wsquare", "flat", "abs", "sign", "epsilon_bias"})
    for (auto stabilizer : {"0.5", "clipped(0.5)", "relative(0.5)", "relative_clipped", "relative_over_channels"}) {
      auto bounds = std::string(rule) == "zbox" ? "low = -3, high = 4, " : "";
      auto call = std::string("rule r = ") + rule + "(" + bounds + "epsilon = " + stabilizer + ")";
      INFO(call);
      CHECK(dense.by(call).isfinite().all().item<bool>());
    }
}

}  // namespace
}  // namespace ascribe
