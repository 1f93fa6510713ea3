// What an expression's parts are worth, and how two of them meet.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <variant>
#include <vector>

#include "interpreter/language/resolved.hpp"
#include "interpreter/layers/sample_place.hpp"

namespace ascribe::evaluate {

using language::Space;

/// A number, a truth value, or a tensor of either (bool for truth). A tensor in the space `sample` has shape [N]; one
/// in any other space has the rank of what lives there, and may have size 1 where it is to be spread.
struct Operand {
  std::variant<double, bool, at::Tensor> value;
  Space space = Space::scalar;
  layering::SamplePlace samples{};  ///< of a tensor in a space of whole batches: where it holds them
};

inline bool is_tensor(const Operand& operand) { return std::holds_alternative<at::Tensor>(operand.value); }
inline const at::Tensor& tensor(const Operand& operand) { return std::get<at::Tensor>(operand.value); }

/// The space of what two operands make.
Space joined(Space a, Space b);

/// One number per sample, laid over a tensor of any rank that holds its samples at a place; other values as they are.
at::Tensor spread(const at::Tensor& value, Space space, std::int64_t rank, const layering::SamplePlace& place);

/// Where what two operands make holds its samples.
inline const layering::SamplePlace& place_of_both(const Operand& a, const Operand& b) {
  return is_tensor(a) && a.space != Space::sample && a.space != Space::scalar ? a.samples : b.samples;
}

/// Operands as tensors that broadcast against each other. At least one of them is a tensor, and gives type and device.
/// Throws Error: rule_does_not_fit, too_large.
std::vector<at::Tensor> aligned(std::initializer_list<const Operand*> operands);

/// Both sides of a comparison as tensors of one shape; sizes of 1 are spread.
std::pair<at::Tensor, at::Tensor> aligned(const Operand& left, const Operand& right, const at::TensorOptions& options);

/// One operation on two numbers, however each is held.
template <typename OnNumbers, typename OnTensors>
Operand combine(const Operand& a, const Operand& b, OnNumbers on_numbers, OnTensors on_tensors) {
  if (!is_tensor(a) && !is_tensor(b))
    return {on_numbers(std::get<double>(a.value), std::get<double>(b.value)), Space::scalar};
  auto both = aligned({&a, &b});
  return {on_tensors(both[0], both[1]), joined(a.space, b.space), place_of_both(a, b)};
}

/// `+ - * / ^`.
Operand arithmetic(language::Operator op, const Operand& a, const Operand& b);

/// Comparisons; `==` and `!=` within a tolerance where there is one, relative to b and at least to 1.
Operand compare(language::Operator op, const Operand& a, const Operand& b, const Operand* tolerance);

/// `and`, `or`.
Operand logical(language::Operator op, const Operand& a, const Operand& b);

}  // namespace ascribe::evaluate
