#include "interpreter/layers/written_out.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <utility>

#include "interpreter/layers/attention.hpp"
#include "interpreter/layers/recurrent.hpp"
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

// (x, a, b, β, α): β · x + α · ab, where x is no bias
at::Tensor add_matrix_product(const Arguments& a) {
  auto scaled = [](const at::Tensor& z, const c10::IValue& factor) {
    return factor.toScalar().equal(1) ? z : at::mul(z, factor.toScalar());
  };
  auto product = at::matmul(a[1].toTensor(), a[2].toTensor());
  return at::add(scaled(a[0].toTensor(), a[3]), scaled(product, a[4]));
}

// The same, the products of a batch added up.
at::Tensor add_matrix_products(const Arguments& a) {
  auto arguments = a;
  arguments[1] = a[1].toTensor().transpose(0, 1).flatten(1);
  arguments[2] = a[2].toTensor().flatten(0, 1);
  return add_matrix_product(arguments);
}

// (x, dimension): one half of x, which the other one gates
at::Tensor gated_half(const Arguments& a) {
  auto halves = a[0].toTensor().chunk(2, a[1].toInt());
  return at::mul(halves[0], at::sigmoid(halves[1]));
}

// (…), one result
template <at::Tensor (*function)(const Arguments&)>
Tensors one(const Arguments& arguments) {
  return {function(arguments)};
}

struct Row {
  WrittenOut function;
  bool has_product = false;  // whether only rules for products reach into it
};

}  // namespace

WrittenOut find_written_out(std::string_view name, std::string_view overload, bool products) {
  static const std::map<std::pair<std::string_view, std::string_view>, Row> table{
      {{"lerp", "Scalar"}, {one<lerp_by_number>}},
      {{"lerp", "Tensor"}, {one<lerp_by_tensor>}},
      {{"addcmul", ""}, {one<add_product>}},
      {{"addcdiv", ""}, {one<add_quotient>}},
      {{"addmm", ""}, {one<add_matrix_product>}},
      {{"addmv", ""}, {one<add_matrix_product>}},
      {{"baddbmm", ""}, {one<add_matrix_product>}},
      {{"addbmm", ""}, {one<add_matrix_products>}},
      // These have no derivative.
      {{"_native_multi_head_attention", ""}, {multi_head_attention}},
      {{"_transformer_encoder_layer_fwd", ""}, {encoder_layer}},
      {{"scaled_dot_product_attention", ""}, {attention, true}},
      {{"glu", ""}, {one<gated_half>, true}},
      {{"lstm", "input"}, {lstm, true}},
      {{"gru", "input"}, {gru, true}},
      {{"rnn_tanh", "input"}, {rnn_tanh, true}},
      {{"rnn_relu", "input"}, {rnn_relu, true}},
  };
  auto found = table.find({libtorch::functional_name(name), overload});
  if (found == table.end() || (found->second.has_product && !products)) return nullptr;
  return found->second.function;
}

}  // namespace ascribe::layering
