#include "interpreter/layers/formula.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ascribe::layering {
namespace {

using Node = Formula::Form;

bool near(double found, double wanted) {
  constexpr double tolerance = 1e-5;  // constants are written with seven digits, and kept in float32
  return std::isnan(wanted) || found == wanted || std::abs(found - wanted) <= tolerance * std::abs(wanted);
}

Formula make(Node form, double value) {
  Formula out(value);
  out.form = form;
  return out;
}

bool equal(const Formula& a, const Formula& b) {
  return a.form == b.form && a.name == b.name && a.parts.size() == b.parts.size() && matches(a, b) && matches(b, a);
}

// A sum or product with another part; equal ones come together.
void add_part(Formula& whole, const Formula& part, double number) {
  for (std::size_t i = 0; i < whole.parts.size(); ++i)
    if (equal(whole.parts[i], part)) {
      whole.numbers[i] += number;
      if (whole.numbers[i] != 0) return;
      whole.parts.erase(whole.parts.begin() + static_cast<std::ptrdiff_t>(i));
      whole.numbers.erase(whole.numbers.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
  whole.parts.push_back(part);
  whole.numbers.push_back(number);
}

Formula simplified_sum(Formula sum) {
  if (sum.parts.empty()) return sum.value;
  if (sum.parts.size() == 1 && sum.value == 0) {
    if (sum.numbers[0] == 1) return sum.parts[0];
    return sum.parts[0] * Formula(sum.numbers[0]);
  }
  return sum;
}

void add_terms(Formula& sum, const Formula& term, double times) {
  if (term.form == Node::number) {
    sum.value += times * term.value;
  } else if (term.form == Node::sum) {
    sum.value += times * term.value;
    for (std::size_t i = 0; i < term.parts.size(); ++i) add_part(sum, term.parts[i], times * term.numbers[i]);
  } else if (term.form == Node::product) {  // its number is the sum's
    auto bare = term;
    bare.value = 1;
    if (bare.parts.size() == 1 && bare.numbers[0] == 1) bare = Formula(term.parts[0]);
    add_part(sum, bare, times * term.value);
  } else {
    add_part(sum, term, times);
  }
}

// The argument z of 1 / (1 + exp(z)).
std::optional<Formula> logistic(const Formula& part, double exponent) {
  if (exponent != -1 || part.form != Node::sum || part.parts.size() != 1 || part.value != 1 || part.numbers[0] != 1)
    return {};
  auto& inner = part.parts[0];
  if (inner.form != Node::call || inner.name != "exp") return {};
  return inner.parts[0];
}

// The number that a sum is divided by where it is a factor: its constant, or else its largest one. 1 + tanh(x) then is
// the same factor wherever a half of it stands.
double measure_of(const Formula& sum) {
  double measure = sum.value;
  if (measure == 0)
    for (auto number : sum.numbers) measure = std::abs(number) > std::abs(measure) ? number : measure;
  bool known = !std::isnan(measure) &&
               std::none_of(sum.numbers.begin(), sum.numbers.end(), [](auto number) { return std::isnan(number); });
  return known && measure != 0 ? measure : 1;
}

void add_factors(Formula& product, const Formula& factor, double exponent) {
  if (factor.form == Node::number) {
    product.value *= std::pow(factor.value, exponent);
  } else if (factor.form == Node::product) {
    product.value *= std::pow(factor.value, exponent);
    for (std::size_t i = 0; i < factor.parts.size(); ++i)
      add_part(product, factor.parts[i], exponent * factor.numbers[i]);
  } else if (auto z = logistic(factor, exponent)) {
    add_part(product, sigmoid(*z * -1.0), 1);
  } else if (factor.form == Node::sum) {
    auto measure = measure_of(factor);
    auto part = make(Node::sum, 0);
    add_terms(part, factor, 1 / measure);
    product.value *= std::pow(measure, exponent);
    add_part(product, part, exponent);
  } else {
    add_part(product, factor, exponent);
  }
}

// A product with one factor of power 1 is a sum's summand with a number; a sum times a number is a sum.
Formula simplified_product(const Formula& product) {
  if (product.value == 0) return 0.0;
  if (product.parts.empty()) return product.value;
  if (product.parts.size() != 1 || product.numbers[0] != 1) return product;
  auto& only = product.parts[0];
  if (product.value == 1) return only;
  if (only.form != Node::sum) return product;
  auto sum = make(Node::sum, 0);
  add_terms(sum, only, product.value);
  return sum;
}

// Whether each of some parts has one of its own among the others.
bool pair_up(const std::vector<Formula>& found, const std::vector<double>& found_numbers, const Formula& wanted,
             std::vector<bool>& taken, std::size_t next) {
  if (next == wanted.parts.size()) return true;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (taken[i] || !near(found_numbers[i], wanted.numbers[next]) || !matches(found[i], wanted.parts[next])) continue;
    taken[i] = true;
    if (pair_up(found, found_numbers, wanted, taken, next + 1)) return true;
    taken[i] = false;
  }
  return false;
}

// A formula as a sum or a product of what may be one part only.
Formula as(Node form, const Formula& formula) {
  if (formula.form == form) return formula;
  auto out = make(form, form == Node::product ? 1 : 0);
  if (form == Node::product)
    add_factors(out, formula, 1);
  else
    add_terms(out, formula, 1);
  return out;
}

bool matches_parts(const Formula& found, const Formula& wanted) {
  if (found.parts.size() != wanted.parts.size() || !near(found.value, wanted.value)) return false;
  std::vector<bool> taken(found.parts.size());
  return pair_up(found.parts, found.numbers, wanted, taken, 0);
}

}  // namespace

Formula Formula::variable() { return make(Node::variable, 0); }
Formula Formula::constant(std::size_t which) { return make(Node::constant, static_cast<double>(which)); }

std::size_t Formula::size() const {
  std::size_t out = 1;
  for (auto& part : parts) out += part.size();
  return out;
}

Formula operator+(const Formula& a, const Formula& b) {
  auto sum = make(Node::sum, 0);
  add_terms(sum, a, 1);
  add_terms(sum, b, 1);
  return simplified_sum(std::move(sum));
}

Formula operator-(const Formula& a, const Formula& b) {
  auto sum = make(Node::sum, 0);
  add_terms(sum, a, 1);
  add_terms(sum, b, -1);
  return simplified_sum(std::move(sum));
}

Formula operator*(const Formula& a, const Formula& b) {
  auto product = make(Node::product, 1);
  add_factors(product, a, 1);
  add_factors(product, b, 1);
  return simplified_product(product);
}

Formula operator/(const Formula& a, const Formula& b) {
  auto product = make(Node::product, 1);
  add_factors(product, a, 1);
  add_factors(product, b, -1);
  return simplified_product(product);
}

Formula power(const Formula& base, double exponent) {
  auto product = make(Node::product, 1);
  add_factors(product, base, exponent);
  return simplified_product(product);
}

Formula call(std::string name, const Formula& argument) {
  auto out = make(Node::call, 0);
  out.name = std::move(name);
  out.parts = {argument};
  return out;
}

Formula sigmoid(const Formula& argument) { return call("sigmoid", argument); }

Formula clamp(const Formula& argument, double low, double high) {
  auto out = call("clamp", argument);
  out.numbers = {low, high};
  if (argument.form == Node::call && argument.name == "clamp") {  // twice is once
    out.parts = argument.parts;
    auto within = [&](double z) { return std::min(std::max(z, low), high); };
    out.numbers = {within(argument.numbers[0]), within(argument.numbers[1])};
  }
  return out;
}

Formula negation(const Formula& condition) {
  bool negated = condition.form == Node::call && condition.name == "not";
  return negated ? condition.parts[0] : call("not", condition);
}

Formula greater(const Formula& a, const Formula& b) {
  if (a.is_number() && !b.is_number()) return negation(greater(b, a));
  return call("positive", a - b);
}

Formula where(const Formula& condition, const Formula& yes, const Formula& no) {
  auto out = make(Node::call, 0);
  out.name = "where";
  out.parts = {condition, yes, no};
  if (condition.form == Node::call && condition.name == "not") {
    out.parts = {condition.parts[0], no, yes};
  }
  return out;
}

bool matches(const Formula& found, const Formula& wanted) {
  if (wanted.is_number() && std::isnan(wanted.value)) return found.is_number() || found.form == Node::constant;
  if (wanted.form == Node::sum || wanted.form == Node::product) return matches_parts(as(wanted.form, found), wanted);
  if (found.form != wanted.form || found.parts.size() != wanted.parts.size() || found.name != wanted.name) return false;
  switch (found.form) {
    case Node::number:
      return near(found.value, wanted.value);
    case Node::variable:
      return true;
    case Node::constant:
      return found.value == wanted.value;
    case Node::sum:
    case Node::product:
      return false;  // compared above
    case Node::call:
      if (found.numbers.size() != wanted.numbers.size()) return false;
      for (std::size_t i = 0; i < found.numbers.size(); ++i)
        if (!near(found.numbers[i], wanted.numbers[i])) return false;
      for (std::size_t i = 0; i < found.parts.size(); ++i)
        if (!matches(found.parts[i], wanted.parts[i])) return false;
      return true;
  }
  return false;
}

}  // namespace ascribe::layering
