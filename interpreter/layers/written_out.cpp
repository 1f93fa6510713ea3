#include "interpreter/layers/written_out.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::layering {
namespace {

using Arguments = std::vector<c10::IValue>;

// (start, end, weight): from whichever is nearer, as LibTorch does it.
at::Tensor lerp_by_number(const Arguments& a) {
  auto start = a[0].toTensor(), end = a[1].toTensor();
  auto weight = a[2].toScalar().toDouble();
  bool from_end = std::abs(weight) >= 0.5;
  return at::add(from_end ? end : start, at::mul(at::sub(end, start), from_end ? weight - 1 : weight));
}

at::Tensor lerp_by_tensor(const Arguments& a) {
  auto start = a[0].toTensor(), end = a[1].toTensor(), weight = a[2].toTensor();
  auto from_end = at::ge(at::abs(weight.detach()), 0.5);
  auto coefficient = at::where(from_end, at::sub(weight, 1), weight);
  auto sizes = at::broadcast_tensors({start, end, from_end});
  return at::add(at::where(sizes[2], sizes[1], sizes[0]), at::mul(coefficient, at::sub(end, start)));
}

// (x, a, b, value): x + value · a · b
at::Tensor add_product(const Arguments& a) {
  return at::add(a[0].toTensor(), at::mul(at::mul(a[1].toTensor(), a[3].toScalar()), a[2].toTensor()));
}

at::Tensor add_quotient(const Arguments& a) {
  return at::add(a[0].toTensor(), at::div(at::mul(a[1].toTensor(), a[3].toScalar()), a[2].toTensor()));
}

// (x, dimension): one half of x, which the other one gates
at::Tensor gated_half(const Arguments& a) {
  auto halves = a[0].toTensor().chunk(2, a[1].toInt());
  return at::mul(halves[0], at::sigmoid(halves[1]));
}

// (query, key, value, mask, dropout, is causal, scale, several queries for each key). What is masked in a whole row
// gives zeros, as LibTorch has it.
at::Tensor attention(const Arguments& a) {
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
  if (!masked.defined()) return at::matmul(at::softmax(scores, -1), value);
  auto rows = masked.expand_as(scores).all(-1, /*keepdim=*/true);
  scores = at::masked_fill(scores, masked, -std::numeric_limits<double>::infinity());
  if (!rows.any().item<bool>()) return at::matmul(at::softmax(scores, -1), value);
  scores = at::masked_fill(scores, rows, 0);
  return at::matmul(at::masked_fill(at::softmax(scores, -1), rows, 0), value);
}

}  // namespace

WrittenOut find_product_inside(std::string_view name) {
  if (name == "aten::scaled_dot_product_attention") return attention;
  return name == "aten::glu" ? gated_half : nullptr;
}

WrittenOut find_written_out(std::string_view name, std::string_view overload) {
  static const std::map<std::pair<std::string_view, std::string_view>, WrittenOut> table{
      {{"lerp", "Scalar"}, lerp_by_number},
      {{"lerp", "Tensor"}, lerp_by_tensor},
      {{"addcmul", ""}, add_product},
      {{"addcdiv", ""}, add_quotient},
  };
  auto found = table.find({libtorch::functional_name(name), overload});
  return found == table.end() ? nullptr : found->second;
}

}  // namespace ascribe::layering
