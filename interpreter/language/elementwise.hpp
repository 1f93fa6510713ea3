// Arithmetic on numbers and arrays of numbers, spread over each other's shapes.
#pragma once

#include <functional>
#include <span>
#include <variant>
#include <vector>

#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// A number counts for every element. Truth values are 1 and 0.
using NumberOrArray = std::variant<double, Array>;

std::size_t size(const NumberOrArray& value);

/// The shape that both have once sizes of 1 are spread; nothing where they do not fit. Arrays of different ranks do not
/// fit: how they lie on each other depends on the rank of what they are laid on.
std::optional<std::vector<std::int64_t>> common_shape(const NumberOrArray& a, const NumberOrArray& b);

NumberOrArray each_element(const NumberOrArray& a, const std::function<double(double)>& operation);
/// Their shapes fit.
NumberOrArray each_element(const NumberOrArray& a, const NumberOrArray& b,
                           const std::function<double(double, double)>& operation);
/// Where `condition` is not 0, `a`, elsewhere `b`; their shapes fit.
NumberOrArray choose(const NumberOrArray& condition, const NumberOrArray& a, const NumberOrArray& b);
/// Whether no element is 0.
bool all(const NumberOrArray& holds);
/// What `one` makes of the numbers along dimensions that it has, each named once; they are kept at size 1.
Array reduce_along(const Array& numbers, std::span<const std::size_t> dimensions,
                   const std::function<double(std::vector<double>)>& one);

}  // namespace ascribe::language
