#include "interpreter/layers/attention.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <optional>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"

namespace ascribe::layering {

using Arguments = std::vector<c10::IValue>;

namespace {

// What is masked in a whole row gives zeros, as LibTorch has it.
at::Tensor masked_softmax(at::Tensor scores, const at::Tensor& masked) {
  if (!masked.defined()) return at::softmax(scores, -1);
  auto rows = masked.expand_as(scores).all(-1, /*keepdim=*/true);
  scores = at::masked_fill(scores, masked, -std::numeric_limits<double>::infinity());
  if (!rows.any().item<bool>()) return at::softmax(scores, -1);
  scores = at::masked_fill(scores, rows, 0);
  return at::masked_fill(at::softmax(scores, -1), rows, 0);
}

// The mask of a fast path, true where nothing is looked at, over [batch, heads, length, length]. 0: it is for all
// samples, 1: for the keys of each sample, 2: for everything.
at::Tensor mask_of_fast_path(const c10::IValue& mask, const c10::IValue& type) {
  if (!mask.isTensor() || !mask.toTensor().defined()) return {};
  auto out = mask.toTensor().to(at::kBool);
  return type.isInt() && type.toInt() == 1 ? out.unsqueeze(1).unsqueeze(1) : out;
}

struct Projections {
  at::Tensor weight, bias, out_weight, out_bias;
};

// As nn.MultiheadAttention computes it where gradients are wanted, so that both have one relevance: by one operator,
// or, where the weights of all heads are `wanted`, [batch, heads, length, length], step by step.
std::pair<at::Tensor, at::Tensor> of_heads(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                           std::int64_t heads, const Projections& own, const at::Tensor& masked,
                                           bool wanted) {
  at::Tensor parts[3];
  if (query.is_same(key) && key.is_same(value)) {
    auto all = at::linear(query, own.weight, own.bias).chunk(3, -1);
    std::copy(all.begin(), all.end(), std::begin(parts));
  } else {
    auto weights = own.weight.chunk(3), biases = own.bias.chunk(3);
    const at::Tensor* given[] = {&query, &key, &value};
    for (std::size_t i = 0; i < 3; ++i) parts[i] = at::linear(*given[i], weights[i], biases[i]);
  }
  for (auto& each : parts) each = each.unflatten(-1, {heads, -1}).transpose(1, 2);
  at::Tensor together, weights;
  if (wanted) {
    auto scores = at::matmul(at::mul(parts[0], 1 / std::sqrt(static_cast<double>(parts[0].size(-1)))),
                             at::transpose(parts[1], -2, -1));
    weights = masked_softmax(scores, masked);
    together = at::matmul(weights, parts[2]);
  } else {
    std::optional<at::Tensor> mask;
    if (masked.defined())
      mask = at::zeros(masked.sizes(), parts[0].options().requires_grad(false))
                 .masked_fill(masked, -std::numeric_limits<double>::infinity());
    together = at::scaled_dot_product_attention(parts[0], parts[1], parts[2], mask);
  }
  return {at::linear(together.transpose(1, 2).flatten(2), own.out_weight, own.out_bias), weights};
}

}  // namespace

// (query, key, value, mask, dropout, is causal, scale, several queries for each key)
Tensors attention(const Arguments& a) {
  auto query = a[0].toTensor(), key = a[1].toTensor(), value = a[2].toTensor();
  if (a[4].toDouble() > 0)
    throw Error({.code = Code::wrong_model,
                 .message = filled("attention drops a part of {} at random", a[4].toDouble()),
                 .help = "put the model into evaluation mode: model.eval()"});
  if (a[7].toBool()) {
    key = at::repeat_interleave(key, query.size(-3) / key.size(-3), -3);
    value = at::repeat_interleave(value, query.size(-3) / value.size(-3), -3);
  }
  auto scale = a[6].isNone() ? 1 / std::sqrt(static_cast<double>(query.size(-1))) : a[6].toScalar().toDouble();
  auto scores = at::mul(at::matmul(query, at::transpose(key, -2, -1)), scale);
  at::Tensor masked;
  if (a[5].toBool())
    masked = at::ones({query.size(-2), key.size(-2)}, query.options().dtype(at::kBool)).tril().logical_not();
  if (!a[3].isNone()) {
    auto mask = a[3].toTensor();
    if (mask.scalar_type() == at::kBool) {
      masked = masked.defined() ? masked.logical_or(mask.logical_not()) : mask.logical_not();
    } else {
      scores = at::add(scores, mask);
      auto infinite = mask.detach().eq(-std::numeric_limits<double>::infinity());
      masked = masked.defined() ? masked.logical_or(infinite) : infinite;
    }
  }
  return {at::matmul(masked_softmax(scores, masked), value)};
}

// (query, key, value, width, heads, qkv weight, qkv bias, out weight, out bias, mask, weights are wanted, their
// average, what the mask is for)
Tensors multi_head_attention(const Arguments& a) {
  auto [out, weights] = of_heads(a[0].toTensor(), a[1].toTensor(), a[2].toTensor(), a[4].toInt(),
                                 {a[5].toTensor(), a[6].toTensor(), a[7].toTensor(), a[8].toTensor()},
                                 mask_of_fast_path(a[9], a[12]), a[10].toBool());
  if (!a[10].toBool()) return {out, at::Tensor()};
  return {out, a[11].toBool() ? at::mean(weights, 1) : weights};
}

// (x, width, heads, qkv weight, qkv bias, out weight, out bias, GELU instead of ReLU, norms first, ε, weight and bias
// of both norms, of both linear layers, mask, what it is for)
Tensors encoder_layer(const Arguments& a) {
  auto x = a[0].toTensor();
  auto norm = [&](const at::Tensor& z, std::size_t place) {
    return at::layer_norm(z, {z.size(-1)}, a[place].toTensor(), a[place + 1].toTensor(), a[9].toDouble());
  };
  auto attended = [&](const at::Tensor& z) {
    Projections own{a[3].toTensor(), a[4].toTensor(), a[5].toTensor(), a[6].toTensor()};
    return of_heads(z, z, z, a[2].toInt(), own, mask_of_fast_path(a[18], a[19]), /*wanted=*/false).first;
  };
  auto forward = [&](const at::Tensor& z) {
    auto h = at::linear(z, a[14].toTensor(), a[15].toTensor());
    return at::linear(a[7].toBool() ? at::gelu(h) : at::relu(h), a[16].toTensor(), a[17].toTensor());
  };
  if (a[8].toBool()) {
    x = at::add(x, attended(norm(x, 10)));
    return {at::add(x, forward(norm(x, 12)))};
  }
  x = norm(at::add(x, attended(x)), 10);
  return {norm(at::add(x, forward(x)), 12)};
}

}  // namespace ascribe::layering
