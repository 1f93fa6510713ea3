#include "interpreter/layers/written_out.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <utility>

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

}  // namespace

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
