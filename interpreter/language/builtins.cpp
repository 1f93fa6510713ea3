#include "interpreter/language/builtins.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ascribe::language {
namespace on_numbers {

double sign(double z) { return z >= 0 ? 1 : z < 0 ? -1 : z; }

double smaller(double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b); }
double larger(double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b); }

double sum(std::vector<double> values, double) { return std::accumulate(values.begin(), values.end(), 0.0); }
double mean(std::vector<double> values, double) {
  auto count = static_cast<double>(values.size());
  return sum(std::move(values), 0) / count;
}

// Between the two nearest values, in proportion; NaN where one is.
double quantile(std::vector<double> values, double share) {
  if (values.empty() || std::any_of(values.begin(), values.end(), [](double each) { return std::isnan(each); }))
    return NAN;
  std::sort(values.begin(), values.end());
  auto place = share * static_cast<double>(values.size() - 1);
  auto below = static_cast<std::size_t>(place);
  auto above = std::min(below + 1, values.size() - 1);
  auto part = place - static_cast<double>(below);
  if (part == 0 || values[below] == values[above]) return values[below];
  return std::min(values[below] + part * (values[above] - values[below]), values[above]);  // never above it
}

}  // namespace on_numbers

std::span<const BuiltinInfo, builtin_count> builtins() { return builtin_table; }

const BuiltinInfo* find_builtin(std::string_view name) {
  auto found =
      std::find_if(std::begin(builtin_table), std::end(builtin_table), [&](auto& row) { return row.name == name; });
  return found == std::end(builtin_table) ? nullptr : found;
}

const BuiltinInfo& info(Builtin builtin) { return builtin_table[static_cast<std::size_t>(builtin)]; }

}  // namespace ascribe::language
