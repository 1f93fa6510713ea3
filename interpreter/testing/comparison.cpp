#include "interpreter/testing/comparison.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <cmath>

#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"

namespace ascribe::testing {
namespace {

constexpr std::int64_t most_shown = 32;

std::string shown(double number) { return std::isnan(number) ? "nan" : filled("{:.8g}", number); }

std::string nested(const at::Tensor& tensor) {
  if (tensor.dim() == 0) return shown(tensor.item<double>());
  std::vector<std::string> parts;
  for (std::int64_t i = 0; i < tensor.size(0); ++i) parts.push_back(nested(tensor[i]));
  return filled("[{}]", fmt::join(parts, ", "));
}

std::string shown(const evaluate::Operand& operand) {
  if (auto* number = std::get_if<double>(&operand.value)) return shown(*number);
  return testing::shown(std::get<at::Tensor>(operand.value));
}

// The indices of a place in a tensor.
std::string shown_place(std::int64_t flat, at::IntArrayRef shape) {
  std::vector<std::int64_t> out(shape.size());
  for (auto d = shape.size(); d-- > 0; flat /= shape[d]) out[d] = flat % shape[d];
  return shown_shape(out);
}

}  // namespace

std::string shown(const at::Tensor& tensor) {
  if (tensor.numel() <= most_shown) return nested(tensor);
  return filled("a tensor of shape {} from {} to {}", shown_shape(tensor.sizes()), shown(tensor.min().item<double>()),
                shown(tensor.max().item<double>()));
}

std::string describe_difference(const language::Comparison& comparison, const evaluate::Operand& left,
                                const evaluate::Operand& right) {
  auto out = filled("left {}, right {}", shown(left), shown(right));
  auto [a, b] = evaluate::aligned(left, right, at::TensorOptions(at::kDouble));
  if (a.numel() == 0 || comparison.op == language::Operator::not_equal) return out;
  using language::Operator;
  auto difference = comparison.op == Operator::equal                                           ? (a - b).abs()
                    : comparison.op == Operator::less || comparison.op == Operator::less_equal ? a - b
                                                                                               : b - a;
  difference = at::where(difference.isnan(), at::full({}, INFINITY, at::kDouble), difference);
  auto flat = difference.flatten().argmax().item<std::int64_t>();
  auto at_left = a.flatten()[flat].item<double>(), at_right = b.flatten()[flat].item<double>();
  if (a.numel() > 1)
    out += filled("; they differ most at {}: {} and {}", shown_place(flat, a.sizes()), shown(at_left), shown(at_right));
  bool number = !std::isnan(at_left) && !std::isnan(at_right);
  if (comparison.op != Operator::equal || !number) return out;
  return out + filled("; the largest difference is {:.3g}", std::abs(at_left - at_right));
}

}  // namespace ascribe::testing
