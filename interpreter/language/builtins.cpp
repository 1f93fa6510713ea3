#include "interpreter/language/builtins.hpp"

#include <algorithm>
#include <cstdint>

namespace ascribe::language {
namespace {

constexpr std::size_t any_number = SIZE_MAX;
constexpr BuiltinInfo table[] = {
    {Builtin::abs, "abs", "abs(z)", 1, 1, "the magnitude, element by element"},
    {Builtin::sign, "sign", "sign(z)", 1, 1, "1 where z >= 0, -1 elsewhere: sign(0) is 1"},
    {Builtin::sqrt, "sqrt", "sqrt(z)", 1, 1, "the square root"},
    {Builtin::exp, "exp", "exp(z)", 1, 1, "e to the power of z"},
    {Builtin::log, "log", "log(z)", 1, 1, "the natural logarithm"},
    {Builtin::tanh, "tanh", "tanh(z)", 1, 1, "the hyperbolic tangent"},
    {Builtin::sigmoid, "sigmoid", "sigmoid(z)", 1, 1, "1 / (1 + exp(-z))"},
    {Builtin::min, "min", "min(a, b, …)", 2, any_number, "the smaller, element by element"},
    {Builtin::max, "max", "max(a, b, …)", 2, any_number, "the larger, element by element"},
    {Builtin::stabilize, "stabilize", "stabilize(z, e = 1e-6)", 1, 2,
     "z + e * sign(z) for a number e, e(z) for a stabilizer e: no longer zero"},
    {Builtin::sum, "sum", "sum(z, dimension…)", 1, any_number,
     "the sum of each sample (of a whole parameter), or along dimensions, kept at size 1", BuiltinPlace::anywhere, 1},
    {Builtin::mean, "mean", "mean(z, dimension…)", 1, any_number,
     "the mean of each sample (of a whole parameter), or along dimensions, kept at size 1", BuiltinPlace::anywhere, 1},
    {Builtin::quantile, "quantile", "quantile(z, share, dimension…)", 2, any_number,
     "the value that this share of each sample (of a whole parameter) lies below, or along dimensions, kept at size 1",
     BuiltinPlace::anywhere, 2},
    {Builtin::has, "has", "has(\"weight\")", 1, 1, "whether the layer has this parameter; in `require` only",
     BuiltinPlace::require},
    {Builtin::random, "random", "random(size…, seed = 0)", 1, any_number,
     "normally distributed numbers, the same for the same seed; in tests only", BuiltinPlace::test},
    {Builtin::relevance, "relevance", "relevance(rule or composite)", 1, 1,
     "the relevance of the test's input x; a bare rule goes to a single layer, or to all linear and convolution "
     "layers; in tests only",
     BuiltinPlace::test},
};
static_assert(std::is_sorted(std::begin(table), std::end(table), [](auto& a, auto& b) { return a.id < b.id; }),
              "rows stand in the order of the ids");

}  // namespace

std::span<const BuiltinInfo> builtins() { return table; }

const BuiltinInfo* find_builtin(std::string_view name) {
  auto found = std::find_if(std::begin(table), std::end(table), [&](auto& row) { return row.name == name; });
  return found == std::end(table) ? nullptr : found;
}

const BuiltinInfo& info(Builtin builtin) { return table[static_cast<std::size_t>(builtin)]; }

}  // namespace ascribe::language
