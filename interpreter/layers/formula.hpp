// Elementwise formulas of one variable in a canonical form, so that spellings of one function are equal: what
// decomposed programs compute, and the functions that they are compared with.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace ascribe::layering {

/// Sums are Σ c_i·t_i + c, products c·Π f_i^e_i; nested ones are flat, numbers folded, in no certain order. `x - y` is
/// a sum, `x / y` and `sqrt(x)` are products, `sigmoid(x)` is what 1 / (1 + exp(-x)) becomes, `relu(x)` a clamp.
class Formula {
 public:
  enum class Form {
    number,    ///< value
    variable,  ///< x
    constant,  ///< a tensor that is a parameter, `value` says which
    sum,       ///< of parts[i] times numbers[i], and value
    product,   ///< of parts[i] to the power numbers[i], times value
    call       ///< name of parts, with numbers that are no formulas (the limits of a clamp)
  };
  Form form = Form::number;
  double value = 0;
  std::string name{};
  std::vector<Formula> parts{};
  std::vector<double> numbers{};

  Formula(double number) : value(number) {}  // NOLINT: formulas are written with numbers in them
  static Formula variable();
  static Formula constant(std::size_t which);
  bool is_number() const { return form == Form::number; }
  /// Of how many parts it is.
  std::size_t size() const;
};

/// In a formula to compare with, any number; in the place of a constant, a number or a tensor.
inline constexpr double any_number = std::numeric_limits<double>::quiet_NaN();

Formula operator+(const Formula& a, const Formula& b);
Formula operator-(const Formula& a, const Formula& b);
Formula operator*(const Formula& a, const Formula& b);
Formula operator/(const Formula& a, const Formula& b);
Formula power(const Formula& base, double exponent);
/// One of exp, log, tanh, erf, abs, sign.
Formula call(std::string name, const Formula& argument);
Formula sigmoid(const Formula& argument);
Formula clamp(const Formula& argument, double low, double high);
/// a > b, which stands for ≥, too: where the two differ, a and b are equal.
Formula greater(const Formula& a, const Formula& b);
Formula negation(const Formula& condition);
Formula where(const Formula& condition, const Formula& yes, const Formula& no);

/// Whether they are the same function, numbers within 1e-5 of each other; `wanted` may hold any_number.
bool matches(const Formula& found, const Formula& wanted);

}  // namespace ascribe::layering
