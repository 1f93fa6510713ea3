#include "interpreter/evaluate/reference/operand.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "grammar/error.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"
#include "grammar/shown_shape.hpp"

namespace ascribe::evaluate {

using namespace language;

Space joined(Space a, Space b) {
  // In `backward` input and output are one space, and anything may meet there.
  return join(a, b).value_or(Space::input);
}

at::Tensor spread(const at::Tensor& value, Space space, std::int64_t rank, const layering::SamplePlace& place) {
  if (space != Space::sample || rank <= 1) return value;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(rank), 1);
  auto each = value.reshape({1, -1, 1}).expand({place.outer, value.numel(), place.inner}).reshape(-1);
  shape.at(static_cast<std::size_t>(place.dimension)) = each.numel();
  return each.reshape(shape);
}

namespace {

// Refuses shapes that do not fit before LibTorch sees them, and those that would become gigabytes.
void check_broadcast(std::vector<std::int64_t>& shape, at::IntArrayRef other) {
  if (other.size() > shape.size()) shape.insert(shape.begin(), other.size() - shape.size(), 1);
  auto skipped = shape.size() - other.size();
  double elements = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i >= skipped) {
      auto size = other[i - skipped];
      if (size != 1 && shape[i] != 1 && size != shape[i])
        throw Error({.code = Code::rule_does_not_fit,
                     .message = filled("a tensor of shape {} does not meet one of shape {}", shown_shape(other),
                                       shown_shape(shape)),
                     .help = "shapes are equal, or 1 where a value is to be spread"});
      if (shape[i] == 1) shape[i] = size;
    }
    elements *= static_cast<double>(shape[i]);
  }
  if (elements > static_cast<double>(limits.broadcast_elements))
    throw Error({.code = Code::too_large,
                 .message = filled("values would be spread to the shape {}", shown_shape(shape)),
                 .help = filled("{} elements are the limit", limits.broadcast_elements)});
}

}  // namespace

std::vector<at::Tensor> aligned(std::initializer_list<const Operand*> operands) {
  std::int64_t rank = 0;
  const at::Tensor* model = nullptr;
  layering::SamplePlace place;
  for (auto* each : operands)
    if (is_tensor(*each)) {
      if (each->space != Space::sample && tensor(*each).dim() > rank) {
        rank = tensor(*each).dim();
        place = each->samples;
      }
      if (!model || (model->scalar_type() == at::kBool && tensor(*each).scalar_type() != at::kBool))
        model = &tensor(*each);
    }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(rank), 1);
  for (auto* each : operands)
    if (is_tensor(*each)) check_broadcast(shape, spread(tensor(*each), each->space, rank, place).sizes());
  std::vector<at::Tensor> out;
  for (auto* each : operands) {
    if (is_tensor(*each))
      out.push_back(spread(tensor(*each), each->space, rank, place));
    else if (auto* truth_value = std::get_if<bool>(&each->value))
      out.push_back(at::scalar_tensor(*truth_value, model->options().dtype(at::kBool)));
    else
      out.push_back(at::scalar_tensor(std::get<double>(each->value), model->options()));
  }
  return out;
}

Operand arithmetic(Operator op, const Operand& a, const Operand& b) {
  switch (op) {
    case Operator::add:
      return combine(a, b, std::plus<>(), [](auto& s, auto& t) { return s + t; });
    case Operator::subtract:
      return combine(a, b, std::minus<>(), [](auto& s, auto& t) { return s - t; });
    case Operator::multiply:
      return combine(a, b, std::multiplies<>(), [](auto& s, auto& t) { return s * t; });
    case Operator::divide:
      return combine(a, b, std::divides<>(), [](auto& s, auto& t) { return s / t; });
    case Operator::power:
      return combine(
          a, b, [](double s, double t) { return std::pow(s, t); }, [](auto& s, auto& t) { return at::pow(s, t); });
    case Operator::equal:
    case Operator::not_equal:
    case Operator::less:
    case Operator::less_equal:
    case Operator::greater:
    case Operator::greater_equal:
    case Operator::logical_and:
    case Operator::logical_or:
    case Operator::negate:
    case Operator::logical_not:
      break;
  }
  throw std::logic_error("no operator of arithmetic");
}

Operand compare(Operator op, const Operand& a, const Operand& b, const Operand* tolerance) {
  if (op == Operator::not_equal || (op == Operator::equal && tolerance)) {
    Operand equal;
    if (tolerance) {
      auto difference = arithmetic(Operator::subtract, a, b);
      auto magnitude = [](const Operand& z) {
        return is_tensor(z) ? Operand{tensor(z).abs(), z.space, z.samples}
                            : Operand{std::abs(std::get<double>(z.value)), z.space};
      };
      auto largest = combine(
          magnitude(b), {1.0}, [](double s, double t) { return std::max(s, t); },
          [](auto& s, auto& t) { return at::maximum(s, t); });
      equal = compare(Operator::less_equal, magnitude(difference), arithmetic(Operator::multiply, *tolerance, largest),
                      nullptr);
    } else {
      equal = compare(Operator::equal, a, b, nullptr);
    }
    if (op == Operator::equal) return equal;
    if (is_tensor(equal)) return {tensor(equal).logical_not(), equal.space, equal.samples};
    return {!std::get<bool>(equal.value), Space::scalar};
  }
  switch (op) {
    case Operator::equal:
      return combine(a, b, std::equal_to<>(), [](auto& s, auto& t) { return s == t; });
    case Operator::less:
      return combine(a, b, std::less<>(), [](auto& s, auto& t) { return s < t; });
    case Operator::less_equal:
      return combine(a, b, std::less_equal<>(), [](auto& s, auto& t) { return s <= t; });
    case Operator::greater:
      return combine(a, b, std::greater<>(), [](auto& s, auto& t) { return s > t; });
    case Operator::greater_equal:
      return combine(a, b, std::greater_equal<>(), [](auto& s, auto& t) { return s >= t; });
    case Operator::not_equal:  // above, from `equal`
    case Operator::add:
    case Operator::subtract:
    case Operator::multiply:
    case Operator::divide:
    case Operator::power:
    case Operator::logical_and:
    case Operator::logical_or:
    case Operator::negate:
    case Operator::logical_not:
      break;
  }
  throw std::logic_error("no comparison");
}

Operand logical(Operator op, const Operand& a, const Operand& b) {
  bool conjunction = op == Operator::logical_and;
  if (!is_tensor(a) && !is_tensor(b)) {
    auto s = std::get<bool>(a.value), t = std::get<bool>(b.value);
    return {conjunction ? s && t : s || t, Space::scalar};
  }
  auto both = aligned({&a, &b});
  return {conjunction ? both[0].logical_and(both[1]) : both[0].logical_or(both[1]), joined(a.space, b.space),
          place_of_both(a, b)};
}

std::pair<at::Tensor, at::Tensor> aligned(const Operand& left, const Operand& right, const at::TensorOptions& options) {
  auto held = [&](const Operand& operand) -> Operand {
    if (is_tensor(operand)) return operand;
    return {at::full({}, std::get<double>(operand.value), options), operand.space};
  };
  auto a = held(left), b = held(right);
  auto both = aligned({&a, &b});
  auto same = at::broadcast_tensors(both);
  return {same[0], same[1]};
}

}  // namespace ascribe::evaluate
