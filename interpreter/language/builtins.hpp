// The functions that the language has built in: one table, which the checker, the evaluators, completion and the
// documentation read. What a function makes of tensors stands in a table of the same order, where LibTorch is known:
// interpreter/evaluate/reference/builtins.cpp. A row that is missing in either does not compile.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "grammar/overloaded.hpp"
#include "interpreter/language/signs.hpp"

namespace ascribe::language {

enum class Builtin {
  abs,
  sign,
  sqrt,
  exp,
  log,
  tanh,
  sigmoid,
  min,
  max,
  stabilize,
  sum,
  mean,
  quantile,
  has,
  random,
  relevance,
  count  ///< how many there are
};
inline constexpr auto builtin_count = static_cast<std::size_t>(Builtin::count);

/// Where a built-in may be called.
enum class BuiltinPlace { anywhere, require, test };

// What sort of function a built-in is. The sort says which space its value lives in.

/// Of one value, element by element, in the same space.
struct EachElement {
  double (*number)(double z);
  signs::Signs (*sign)(signs::Signs z);
};

/// Of two values or more, from the first to the last, element by element, in the space that joins theirs.
struct Fold {
  double (*number)(double a, double b);
  signs::Signs (*sign)(signs::Signs a, signs::Signs b);  ///< of two values with one sign each
};

/// Of a whole value: one number per sample, of a parameter a scalar. Along dimensions, in the same space.
struct Reduction {
  double (*number)(std::vector<double> z, double share);
  signs::Signs (*sign)(signs::Signs z);
  bool takes_share = false;    ///< a number from 0 to 1 behind the value
  bool of_equal_is_it = true;  ///< of numbers that are all the same it is this number, however many there are

  /// How many arguments stand in front of the dimensions.
  constexpr std::size_t before_dimensions() const { return takes_share ? 2 : 1; }
};

/// What has a node of its own in the tree of an expression, which says what it means.
enum class OwnNode { stabilize, has, random, relevance };

struct BuiltinInfo {
  Builtin id;
  std::string_view name;
  std::string_view signature;
  std::size_t least, most;  ///< how many arguments it takes
  std::string_view documentation;
  std::variant<EachElement, Fold, Reduction, OwnNode> sort;
  BuiltinPlace place = BuiltinPlace::anywhere;
};

/// The functions of numbers that take more than one line. Those of the whole take the values and a share.
namespace on_numbers {
double sign(double z);
/// NaN where one is, as the larger is.
double smaller(double a, double b);
double larger(double a, double b);
double sum(std::vector<double> values, double share);
double mean(std::vector<double> values, double share);
double quantile(std::vector<double> values, double share);
}  // namespace on_numbers

inline constexpr std::size_t any_number = SIZE_MAX;  ///< of arguments
inline constexpr BuiltinInfo builtin_table[] = {
    {Builtin::abs, "abs", "abs(z)", 1, 1, "the magnitude, element by element",
     EachElement{[](double z) { return std::abs(z); }, signs::of_magnitude}},
    {Builtin::sign, "sign", "sign(z)", 1, 1, "1 where z >= 0, -1 elsewhere: sign(0) is 1",
     EachElement{on_numbers::sign, signs::of_sign}},
    {Builtin::sqrt, "sqrt", "sqrt(z)", 1, 1, "the square root",
     EachElement{[](double z) { return std::sqrt(z); }, signs::of_root}},
    {Builtin::exp, "exp", "exp(z)", 1, 1, "e to the power of z",
     EachElement{[](double z) { return std::exp(z); }, signs::always_positive}},
    {Builtin::log, "log", "log(z)", 1, 1, "the natural logarithm",
     EachElement{[](double z) { return std::log(z); }, signs::unknown}},
    {Builtin::tanh, "tanh", "tanh(z)", 1, 1, "the hyperbolic tangent",
     EachElement{[](double z) { return std::tanh(z); }, signs::same}},
    {Builtin::sigmoid, "sigmoid", "sigmoid(z)", 1, 1, "1 / (1 + exp(-z))",
     EachElement{[](double z) { return 1 / (1 + std::exp(-z)); }, signs::always_positive}},
    {Builtin::min, "min", "min(a, b, …)", 2, any_number, "the smaller, element by element",
     Fold{on_numbers::smaller, signs::smaller}},
    {Builtin::max, "max", "max(a, b, …)", 2, any_number, "the larger, element by element",
     Fold{on_numbers::larger, signs::larger}},
    {Builtin::stabilize, "stabilize", "stabilize(z, e = 1e-6)", 1, 2,
     "z + e * sign(z) for a number e, e(z) for a stabilizer e: no longer zero", OwnNode::stabilize},
    {Builtin::sum, "sum", "sum(z, dimension…)", 1, any_number,
     "the sum of each sample (of a whole parameter), or along dimensions, kept at size 1",
     Reduction{.number = on_numbers::sum, .sign = signs::summed, .of_equal_is_it = false}},
    {Builtin::mean, "mean", "mean(z, dimension…)", 1, any_number,
     "the mean of each sample (of a whole parameter), or along dimensions, kept at size 1",
     Reduction{.number = on_numbers::mean, .sign = signs::summed}},
    {Builtin::quantile, "quantile", "quantile(z, share, dimension…)", 2, any_number,
     "the value that this share of each sample (of a whole parameter) lies below, or along dimensions, kept at size 1",
     Reduction{.number = on_numbers::quantile, .sign = signs::summed, .takes_share = true}},
    {Builtin::has, "has", "has(\"weight\")", 1, 1, "whether the layer has this parameter; in `require` only",
     OwnNode::has, BuiltinPlace::require},
    {Builtin::random, "random", "random(size…, seed = 0)", 1, any_number,
     "normally distributed numbers, the same for the same seed; in tests only", OwnNode::random, BuiltinPlace::test},
    {Builtin::relevance, "relevance", "relevance(rule or composite)", 1, 1,
     "the relevance of the test's input x; a bare rule goes to a single layer, or to all linear and convolution "
     "layers; in tests only",
     OwnNode::relevance, BuiltinPlace::test},
};

namespace table_check {
constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(builtin_table); ++i)
    if (static_cast<std::size_t>(builtin_table[i].id) != i) return false;
  return true;
}
constexpr bool is_whole(const BuiltinInfo& row) {
  return !row.name.empty() && !row.signature.empty() && !row.documentation.empty() &&
         std::visit(overloaded{[&](const EachElement& it) { return it.number && it.sign && row.most == 1; },
                               [&](const Fold& it) { return it.number && it.sign && row.least == 2; },
                               [&](const Reduction& it) {
                                 return it.number && it.sign && row.least == it.before_dimensions();
                               },
                               [](OwnNode) { return true; }},
                    row.sort);
}
}  // namespace table_check
static_assert(std::size(builtin_table) == builtin_count, "every built-in has a row");
static_assert(table_check::in_order(), "rows stand in the order of the ids");
// GCC's undefined-behaviour sanitizer takes no function's address for a constant: other builds hold the table whole.
#if !defined(__SANITIZE_ADDRESS__) || defined(__clang__)
static_assert(std::all_of(std::begin(builtin_table), std::end(builtin_table), table_check::is_whole),
              "every row says what its function makes of numbers, and of which sign that is");
#endif

std::span<const BuiltinInfo, builtin_count> builtins();
/// Null where there is none of this name.
const BuiltinInfo* find_builtin(std::string_view name);
const BuiltinInfo& info(Builtin builtin);

/// Calls `visit` with what sort of function a BuiltinCall is: an EachElement, a Fold or a Reduction.
template <typename Visit>
auto visit_sort(Builtin builtin, Visit visit) {
  using Out = std::invoke_result_t<Visit&, const EachElement&>;
  return std::visit(
      [&](auto& sort) -> Out {
        if constexpr (std::is_same_v<decltype(sort), const OwnNode&>)
          throw std::logic_error("a built-in with a node of its own");
        else
          return visit(sort);
      },
      info(builtin).sort);
}

/// The ε of a stabilizer that nobody gave one.
inline constexpr double default_epsilon = 1e-6;

}  // namespace ascribe::language
