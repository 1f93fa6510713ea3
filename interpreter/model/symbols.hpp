// Sizes that are only known when an exported program runs: their expressions, and arithmetic on them.
#pragma once

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ascribe::model {

using Symbols = std::map<std::string, std::int64_t, std::less<>>;

/// A size as a file declares it: `Add(Mul(Integer(2), Symbol('s0', …)), Integer(1))`, SymPy's way to write 2*s0 + 1.
class SizeExpression {
 public:
  /// Sums and products of symbols and integers; nothing for other expressions.
  static std::shared_ptr<const SizeExpression> parse(std::string_view text);

  /// The value; nothing where a symbol is not known yet or the value is no 64-bit integer.
  std::optional<std::int64_t> value(const Symbols& symbols) const;
  /// The only symbol that is not known yet, and its value where the expression has the value `size`; nothing where
  /// there is no such whole number, or more than one symbol is unknown.
  std::optional<std::pair<std::string, std::int64_t>> solve(const Symbols& symbols, std::int64_t size) const;
  /// The symbol where the expression is nothing else.
  const std::string& symbol() const { return symbol_; }
  /// As people write it: `2*s0 + 1`.
  std::string shown() const;

 private:
  enum class Kind { integer, symbol, sum, product };
  static std::shared_ptr<SizeExpression> parse(std::string_view& rest, int depth);
  void collect_unknown(const Symbols& symbols, std::vector<std::string>& into) const;

  Kind kind_ = Kind::integer;
  std::int64_t integer_ = 0;
  std::string symbol_;
  std::vector<std::shared_ptr<const SizeExpression>> parts_;
};

/// An operation on such numbers, as Python does it: `floordiv`, `sym_max`, … Throws Error (model_failed) where the
/// result is no number of its type, std::exception for arguments that it does not take.
using NumberOperation = c10::IValue (*)(const std::vector<c10::IValue>&);
struct NumberOperator {
  std::size_t arguments;
  NumberOperation run;
};
/// By its Python name (`_operator.floordiv`); null for others.
const NumberOperator* find_number_operator(std::string_view name);

}  // namespace ascribe::model
