#include "interpreter/language/elementwise.hpp"

#include <algorithm>

namespace ascribe::language {
namespace {

Array make(std::vector<std::int64_t> shape, std::vector<double> values) {
  return {std::move(shape), std::make_shared<const std::vector<double>>(std::move(values))};
}

std::size_t count(const std::vector<std::int64_t>& shape) {
  std::size_t out = 1;
  for (auto each : shape) out *= static_cast<std::size_t>(each);
  return out;
}

// The values of an array in a larger shape.
std::vector<double> spread(const Array& numbers, const std::vector<std::int64_t>& shape) {
  if (numbers.shape == shape) return *numbers.values;
  std::vector<double> out(count(shape));
  std::vector<std::size_t> strides(shape.size());
  for (std::size_t d = shape.size(), stride = 1; d-- > 0;) {
    strides[d] = numbers.shape[d] == 1 ? 0 : stride;
    stride *= static_cast<std::size_t>(numbers.shape[d]);
  }
  std::vector<std::int64_t> index(shape.size());
  for (auto& value : out) {
    std::size_t at = 0;
    for (std::size_t d = 0; d < shape.size(); ++d) at += static_cast<std::size_t>(index[d]) * strides[d];
    value = (*numbers.values)[at];
    for (std::size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];) index[d] = 0;
  }
  return out;
}

}  // namespace

std::size_t size(const NumberOrArray& value) {
  auto* numbers = std::get_if<Array>(&value);
  return numbers ? numbers->values->size() : 1;
}

std::optional<std::vector<std::int64_t>> common_shape(const NumberOrArray& a, const NumberOrArray& b) {
  auto *left = std::get_if<Array>(&a), *right = std::get_if<Array>(&b);
  if (!left) return right ? right->shape : std::vector<std::int64_t>{};
  if (!right) return left->shape;
  if (left->shape.size() != right->shape.size()) return {};
  auto out = left->shape;
  for (std::size_t d = 0; d < out.size(); ++d) {
    if (out[d] == 1) out[d] = right->shape[d];
    if (right->shape[d] != 1 && right->shape[d] != out[d]) return {};
  }
  return out;
}

NumberOrArray each_element(const NumberOrArray& a, const std::function<double(double)>& operation) {
  if (auto* number = std::get_if<double>(&a)) return operation(*number);
  auto& numbers = std::get<Array>(a);
  std::vector<double> values(numbers.values->size());
  std::transform(numbers.values->begin(), numbers.values->end(), values.begin(), operation);
  return make(numbers.shape, std::move(values));
}

NumberOrArray each_element(const NumberOrArray& a, const NumberOrArray& b,
                           const std::function<double(double, double)>& operation) {
  auto *left = std::get_if<double>(&a), *right = std::get_if<double>(&b);
  if (left && right) return operation(*left, *right);
  if (right) return each_element(a, [&](double each) { return operation(each, *right); });
  if (left) return each_element(b, [&](double each) { return operation(*left, each); });
  auto &first = std::get<Array>(a), &second = std::get<Array>(b);
  if (first.shape == second.shape) {
    std::vector<double> values(first.values->size());
    std::transform(first.values->begin(), first.values->end(), second.values->begin(), values.begin(), operation);
    return make(first.shape, std::move(values));
  }
  auto shape = common_shape(a, b).value();
  auto values = spread(std::get<Array>(a), shape), others = spread(std::get<Array>(b), shape);
  std::transform(values.begin(), values.end(), others.begin(), values.begin(), operation);
  return make(std::move(shape), std::move(values));
}

NumberOrArray choose(const NumberOrArray& condition, const NumberOrArray& a, const NumberOrArray& b) {
  if (auto* known = std::get_if<double>(&condition)) return *known != 0 ? a : b;
  // NaN and infinity of the side that is not taken must not show, so nothing is multiplied here.
  auto& holds = std::get<Array>(condition);
  auto both = common_shape(a, b).value();
  auto shape = both.empty() ? holds.shape
                            : common_shape(condition, Array{both, std::make_shared<std::vector<double>>()}).value();
  auto laid = [&](const NumberOrArray& value) {
    auto* numbers = std::get_if<Array>(&value);
    return numbers ? spread(*numbers, shape) : std::vector<double>(count(shape), std::get<double>(value));
  };
  auto yes = laid(a), no = laid(b), which = laid(condition);
  for (std::size_t i = 0; i < yes.size(); ++i)
    if (which[i] == 0) yes[i] = no[i];
  return make(std::move(shape), std::move(yes));
}

bool all(const NumberOrArray& holds) {
  if (auto* number = std::get_if<double>(&holds)) return *number != 0;
  auto& values = *std::get<Array>(holds).values;
  return std::all_of(values.begin(), values.end(), [](double each) { return each != 0; });
}

Array reduce_along(const Array& numbers, std::span<const std::size_t> dimensions,
                   const std::function<double(std::vector<double>)>& one) {
  auto shape = numbers.shape;
  for (auto d : dimensions) shape[d] = 1;
  std::vector<std::vector<double>> groups(count(shape));
  std::vector<std::size_t> strides(shape.size());
  for (std::size_t d = shape.size(), stride = 1; d-- > 0;) {
    strides[d] = shape[d] == 1 ? 0 : stride;
    stride *= static_cast<std::size_t>(shape[d]);
  }
  std::vector<std::int64_t> index(shape.size());
  for (auto value : *numbers.values) {
    std::size_t at = 0;
    for (std::size_t d = 0; d < shape.size(); ++d) at += static_cast<std::size_t>(index[d]) * strides[d];
    groups[at].push_back(value);
    for (std::size_t d = shape.size(); d-- > 0 && ++index[d] == numbers.shape[d];) index[d] = 0;
  }
  std::vector<double> out;
  for (auto& group : groups) out.push_back(one(std::move(group)));
  return make(std::move(shape), std::move(out));
}

}  // namespace ascribe::language
