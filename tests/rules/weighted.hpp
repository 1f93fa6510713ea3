// What tests of properties share: random layers with weights, and all rules on them.
#pragma once

#include <functional>

#include "interpreter/inside.hpp"
#include "tests/drawn/rules.hpp"
#include "tests/rules/layers.hpp"

namespace ascribe::testing {

/// A linear layer, or a convolution with a kernel of 3 and a padding.
struct Weighted {
  std::int64_t padding = 0;
  at::Tensor x, W, b{}, R{};

  evaluate::Layer layer() const {
    if (W.dim() == 2) return linear_layer(x, W, b);
    evaluate::Layer out;
    out.operation = layering::as_operation([padding = padding](auto& inputs, auto& theta) {
      return at::conv2d(inputs[0], theta[0], theta.size() > 1 ? std::optional(theta[1]) : std::nullopt, 1, padding);
    });
    out.inputs = {x};
    out.gets_relevance = {true};
    out.parameters = {{"weight", W}};
    if (b.defined()) out.parameters.emplace_back("bias", b);
    out.output = at::conv2d(x, W, b.defined() ? std::optional(b) : std::nullopt, 1, padding);
    return out;
  }
  at::Tensor by(const Rule& rule) const { return relevance(rule, layer(), R); }
  at::Tensor by(const std::string& call) const { return by(drawn::rule_of(call).rule); }
};

/// Layers that keep their shape, so that every rule fits; four samples.
inline std::vector<Weighted> square_layers(std::uint64_t seed, bool bias = true) {
  auto part = [&](at::IntArrayRef shape, std::uint64_t i) { return random(shape, 100 * seed + i); };
  return {{0, part({4, 5}, 1), part({5, 5}, 2), bias ? part({5}, 3) : at::Tensor(), part({4, 5}, 4)},
          {1, part({4, 2, 4, 3}, 5), part({2, 2, 3, 3}, 6), bias ? part({2}, 7) : at::Tensor(), part({4, 2, 4, 3}, 8)}};
}

/// Layers whose units have so many inputs, 54 each, that each of a contribution's four sign patterns is among them.
inline std::vector<Weighted> wide_layers(std::uint64_t seed, bool bias) {
  auto part = [&](at::IntArrayRef shape, std::uint64_t i) { return random(shape, 100 * seed + 50 + i); };
  return {{0, part({3, 54}, 1), part({4, 54}, 2), bias ? part({4}, 3) : at::Tensor(), part({3, 4}, 4)},
          {0, part({3, 6, 5, 4}, 5), part({4, 6, 3, 3}, 6), bias ? part({4}, 7) : at::Tensor(), part({3, 4, 3, 2}, 8)}};
}

/// One sum for each sample.
inline at::Tensor sums(const at::Tensor& t) { return t.flatten(1).sum(1); }

/// Every rule of the standard pack, with drawn numbers as arguments (tensors would belong to certain samples, features
/// and units), on every square layer, for some seeds. What divides 0 by 0 there (ε = 0, and all parameters zeroed) is
/// drawn anew.
inline void for_all_rules(
    const std::function<void(const std::string& name, const Rule& rule, const Weighted& it)>& check) {
  for (auto& name : drawn::rule_names())
    for (std::uint64_t seed : {1, 2, 3, 4}) {
      if (drawn::definition_of(name).uses_other) continue;  // for layers with two inputs
      auto layers = square_layers(seed);
      drawn::Draw draw(fmt::format("{} {}", name, seed));
      auto call = [&] {
        for (int attempt = 0; attempt < 50; ++attempt) {
          auto out = drawn::ArgumentDraw(draw, {{{1}}, {1}, {}}, /*tensors=*/false).call(drawn::definition_of(name));
          if (std::all_of(layers.begin(), layers.end(),
                          [&](auto& it) { return it.by(out).isfinite().all().template item<bool>(); }))
            return out;
        }
        FAIL("no arguments give " << name << " a finite result");
        return name;
      }();
      auto rule = drawn::rule_of(call).rule;
      for (auto& it : layers) {
        INFO(call << ", seed " << seed << ", weight of " << it.W.dim() << " dimensions");
        check(name, rule, it);
      }
    }
}

/// Where input and output are one space, an output unit has its place among the inputs.
inline bool mixes_places(const Rule& rule) { return Inside::bound(rule).rule->keeps_shape; }

}  // namespace ascribe::testing
