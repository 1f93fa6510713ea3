#include "interpreter/model/symbols.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "grammar/filled_text.hpp"

namespace ascribe::model {
namespace {

bool take_start(std::string_view& rest, std::string_view start) {
  if (!rest.starts_with(start)) return false;
  rest.remove_prefix(start.size());
  return true;
}

// ---------------------------------------------------------------------------------------------------------- arithmetic

using Numbers = std::vector<c10::IValue>;

bool whole(const c10::IValue& value) { return value.isInt() || value.isBool(); }
std::int64_t whole_number(const c10::IValue& value) {
  if (value.isBool()) return value.toBool();
  if (!value.isInt()) throw std::invalid_argument("a size is no whole number");
  return value.toInt();
}
double any_number(const c10::IValue& value) {
  if (value.isDouble()) return value.toDouble();
  return static_cast<double>(whole_number(value));
}
bool truth(const c10::IValue& value) { return value.isBool() ? value.toBool() : any_number(value) != 0; }

[[noreturn]] void overflow() { throw std::overflow_error("a size is larger than 64 bits"); }
std::int64_t truncated(double value) {
  if (!(value > -9.2e18 && value < 9.2e18)) overflow();
  return static_cast<std::int64_t>(value);
}

c10::IValue add(const Numbers& a) {
  if (!whole(a[0]) || !whole(a[1])) return any_number(a[0]) + any_number(a[1]);
  std::int64_t out = 0;
  if (__builtin_add_overflow(whole_number(a[0]), whole_number(a[1]), &out)) overflow();
  return out;
}
c10::IValue subtract(const Numbers& a) {
  if (!whole(a[0]) || !whole(a[1])) return any_number(a[0]) - any_number(a[1]);
  std::int64_t out = 0;
  if (__builtin_sub_overflow(whole_number(a[0]), whole_number(a[1]), &out)) overflow();
  return out;
}
c10::IValue multiply(const Numbers& a) {
  if (!whole(a[0]) || !whole(a[1])) return any_number(a[0]) * any_number(a[1]);
  std::int64_t out = 0;
  if (__builtin_mul_overflow(whole_number(a[0]), whole_number(a[1]), &out)) overflow();
  return out;
}

// Python divides towards minus infinity.
std::pair<std::int64_t, std::int64_t> divided(std::int64_t a, std::int64_t b) {
  if (b == 0) throw std::domain_error("a size is divided by zero");
  if (b == -1 && a == std::numeric_limits<std::int64_t>::min()) overflow();
  auto quotient = a / b, rest = a % b;
  if (rest != 0 && (rest < 0) != (b < 0)) --quotient, rest += b;
  return {quotient, rest};
}
c10::IValue floor_divide(const Numbers& a) {
  if (whole(a[0]) && whole(a[1])) return divided(whole_number(a[0]), whole_number(a[1])).first;
  if (any_number(a[1]) == 0) throw std::domain_error("a size is divided by zero");
  return std::floor(any_number(a[0]) / any_number(a[1]));
}
c10::IValue modulo(const Numbers& a) {
  if (whole(a[0]) && whole(a[1])) return divided(whole_number(a[0]), whole_number(a[1])).second;
  auto x = any_number(a[0]), y = any_number(a[1]);
  if (y == 0) throw std::domain_error("a size is divided by zero");
  return x - y * std::floor(x / y);
}
c10::IValue true_divide(const Numbers& a) {
  if (any_number(a[1]) == 0) throw std::domain_error("a size is divided by zero");
  return any_number(a[0]) / any_number(a[1]);
}
c10::IValue power(const Numbers& a) {
  if (!whole(a[0]) || !whole(a[1]) || whole_number(a[1]) < 0) return std::pow(any_number(a[0]), any_number(a[1]));
  std::int64_t out = 1, base = whole_number(a[0]), exponent = whole_number(a[1]);
  if (base >= -1 && base <= 1) return base == 0 ? std::int64_t{exponent == 0} : base == 1 || exponent % 2 == 0 ? 1 : -1;
  for (; exponent > 0; --exponent)
    if (__builtin_mul_overflow(out, base, &out)) overflow();
  return out;
}
c10::IValue shift_left(const Numbers& a) {
  auto count = whole_number(a[1]);
  std::int64_t out = 0;
  if (count < 0 || count > 62 || __builtin_mul_overflow(whole_number(a[0]), std::int64_t{1} << count, &out)) overflow();
  return out;
}
c10::IValue shift_right(const Numbers& a) {
  auto count = whole_number(a[1]);
  if (count < 0) throw std::domain_error("a size is shifted by less than nothing");
  return whole_number(a[0]) >> std::min<std::int64_t>(count, 63);
}

template <typename Compare>
bool compare(const Numbers& a, Compare comparison) {
  if (whole(a[0]) && whole(a[1])) return comparison(whole_number(a[0]), whole_number(a[1]));
  return comparison(any_number(a[0]), any_number(a[1]));
}

struct Named {
  std::string_view name;
  NumberOperator op;
};

const Named number_operators[] = {
    {"_operator.add", {2, add}},
    {"_operator.sub", {2, subtract}},
    {"_operator.mul", {2, multiply}},
    {"_operator.floordiv", {2, floor_divide}},
    {"_operator.truediv", {2, true_divide}},
    {"_operator.mod", {2, modulo}},
    {"_operator.pow", {2, power}},
    {"_operator.lshift", {2, shift_left}},
    {"_operator.rshift", {2, shift_right}},
    {"_operator.neg",
     {1,
      [](const Numbers& a) {
        return subtract({std::int64_t{0}, a[0]});
      }}},
    {"_operator.pos", {1, [](const Numbers& a) { return a[0]; }}},
    {"_operator.eq",
     {2, [](const Numbers& a) -> c10::IValue { return compare(a, [](auto x, auto y) { return x == y; }); }}},
    {"_operator.ne",
     {2, [](const Numbers& a) -> c10::IValue { return compare(a, [](auto x, auto y) { return x != y; }); }}},
    {"_operator.lt",
     {2, [](const Numbers& a) -> c10::IValue { return compare(a, [](auto x, auto y) { return x < y; }); }}},
    {"_operator.le",
     {2, [](const Numbers& a) -> c10::IValue { return compare(a, [](auto x, auto y) { return x <= y; }); }}},
    {"_operator.gt",
     {2, [](const Numbers& a) -> c10::IValue { return compare(a, [](auto x, auto y) { return x > y; }); }}},
    {"_operator.ge",
     {2, [](const Numbers& a) -> c10::IValue { return compare(a, [](auto x, auto y) { return x >= y; }); }}},
    {"_operator.and_",
     {2,
      [](const Numbers& a) -> c10::IValue {
        if (a[0].isBool() && a[1].isBool()) return a[0].toBool() && a[1].toBool();
        return whole_number(a[0]) & whole_number(a[1]);
      }}},
    {"_operator.or_",
     {2,
      [](const Numbers& a) -> c10::IValue {
        if (a[0].isBool() && a[1].isBool()) return a[0].toBool() || a[1].toBool();
        return whole_number(a[0]) | whole_number(a[1]);
      }}},
    {"math.trunc",
     {1,
      [](const Numbers& a) -> c10::IValue { return whole(a[0]) ? whole_number(a[0]) : truncated(any_number(a[0])); }}},
    {"torch.sym_int",
     {1,
      [](const Numbers& a) -> c10::IValue { return whole(a[0]) ? whole_number(a[0]) : truncated(any_number(a[0])); }}},
    {"torch.sym_float", {1, [](const Numbers& a) -> c10::IValue { return any_number(a[0]); }}},
    {"torch.sym_not", {1, [](const Numbers& a) -> c10::IValue { return !truth(a[0]); }}},
    {"torch.sym_ite", {3, [](const Numbers& a) { return truth(a[0]) ? a[1] : a[2]; }}},
    {"torch.sym_max",
     {2, [](const Numbers& a) { return compare(a, [](auto x, auto y) { return x >= y; }) ? a[0] : a[1]; }}},
    {"torch.sym_min",
     {2, [](const Numbers& a) { return compare(a, [](auto x, auto y) { return x <= y; }) ? a[0] : a[1]; }}},
    {"torch._sym_sqrt", {1, [](const Numbers& a) -> c10::IValue { return std::sqrt(any_number(a[0])); }}},
};

}  // namespace

const NumberOperator* find_number_operator(std::string_view name) {
  auto found = std::find_if(std::begin(number_operators), std::end(number_operators),
                            [&](auto& each) { return each.name == name; });
  return found == std::end(number_operators) ? nullptr : &found->op;
}

// --------------------------------------------------------------------------------------------------------- expressions

std::shared_ptr<const SizeExpression> SizeExpression::parse(std::string_view source) {
  auto out = parse(source, 0);
  return source.empty() ? out : nullptr;
}

std::shared_ptr<SizeExpression> SizeExpression::parse(std::string_view& rest, int depth) {
  if (depth > 50) return nullptr;
  auto out = std::make_shared<SizeExpression>();
  if (take_start(rest, "Integer(")) {
    auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out->integer_);
    if (error != std::errc()) return nullptr;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return take_start(rest, ")") ? out : nullptr;
  }
  if (take_start(rest, "Symbol('")) {
    auto end = rest.find('\'');
    if (end == rest.npos) return nullptr;
    out->kind_ = Kind::symbol;
    out->symbol_ = rest.substr(0, end);
    rest.remove_prefix(end);
    if ((end = rest.find(')')) == rest.npos) return nullptr;  // what SymPy assumes of it: positive=True, integer=True
    rest.remove_prefix(end + 1);
    return out;
  }
  if (take_start(rest, "Add("))
    out->kind_ = Kind::sum;
  else if (take_start(rest, "Mul("))
    out->kind_ = Kind::product;
  else
    return nullptr;
  do {
    auto part = parse(rest, depth + 1);
    if (!part) return nullptr;
    out->parts_.push_back(std::move(part));
  } while (take_start(rest, ", "));
  return take_start(rest, ")") ? out : nullptr;
}

std::optional<std::int64_t> SizeExpression::value(const Symbols& symbols) const {
  if (kind_ == Kind::integer) return integer_;
  if (kind_ == Kind::symbol) {
    auto found = symbols.find(symbol_);
    return found == symbols.end() ? std::nullopt : std::optional(found->second);
  }
  std::int64_t out = kind_ == Kind::product;
  for (auto& part : parts_) {
    auto each = part->value(symbols);
    if (!each) return {};
    if (kind_ == Kind::sum ? __builtin_add_overflow(out, *each, &out) : __builtin_mul_overflow(out, *each, &out))
      return {};
  }
  return out;
}

void SizeExpression::collect_unknown(const Symbols& symbols, std::vector<std::string>& into) const {
  if (kind_ == Kind::symbol && !symbols.contains(symbol_) && std::find(into.begin(), into.end(), symbol_) == into.end())
    into.push_back(symbol_);
  for (auto& part : parts_) part->collect_unknown(symbols, into);
}

std::optional<std::pair<std::string, std::int64_t>> SizeExpression::solve(const Symbols& symbols,
                                                                          std::int64_t size) const {
  std::vector<std::string> unknown;
  collect_unknown(symbols, unknown);
  if (unknown.size() != 1) return {};
  // Exporters write factor * symbol + offset; anything else fails the comparison at the end.
  auto at = [&](std::int64_t guess) {
    auto known = symbols;
    known[unknown[0]] = guess;
    return value(known);
  };
  auto offset = at(0), next = at(1);
  std::int64_t factor = 0, rest = 0;
  if (!offset || !next || __builtin_sub_overflow(*next, *offset, &factor) || factor == 0 ||
      __builtin_sub_overflow(size, *offset, &rest) ||
      (factor == -1 && rest == std::numeric_limits<std::int64_t>::min()) || rest % factor != 0 ||
      at(rest / factor) != size)
    return {};
  return std::pair(unknown[0], rest / factor);
}

std::string SizeExpression::shown() const {
  if (kind_ == Kind::integer) return std::to_string(integer_);
  if (kind_ == Kind::symbol) return symbol_;
  std::vector<std::string> parts;
  for (auto& part : parts_)
    parts.push_back(kind_ == Kind::product && part->kind_ == Kind::sum ? "(" + part->shown() + ")" : part->shown());
  return filled("{}", fmt::join(parts, kind_ == Kind::sum ? " + " : "*"));
}

}  // namespace ascribe::model
