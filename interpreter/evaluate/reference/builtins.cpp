#include "interpreter/evaluate/reference/builtins.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace ascribe::evaluate {
namespace {

using language::Builtin, language::OwnNode;

// Between the two nearest values, in proportion; NaN where one is. (at::quantile refuses large tensors and halves.)
at::Tensor quantile(const at::Tensor& z, double share, at::IntArrayRef dimensions, bool keep) {
  std::vector<std::int64_t> order, shape = z.sizes().vec();
  for (std::int64_t d = 0; d < z.dim(); ++d)
    if (std::find(dimensions.begin(), dimensions.end(), d) == dimensions.end()) order.push_back(d);
  auto kept = order.size();
  order.insert(order.end(), dimensions.begin(), dimensions.end());
  auto rows = z.permute(order).flatten(static_cast<std::int64_t>(kept), -1);
  auto values = std::get<0>(rows.sort(-1));
  auto last = values.size(-1) - 1;
  auto place = share * static_cast<double>(last);
  auto below = static_cast<std::int64_t>(place);
  auto part = place - static_cast<double>(below);
  auto out = last < 0 ? values.mean(-1) : values.select(-1, below);
  if (part > 0) {  // never above the next value, and exactly it where both are equal
    auto next = values.select(-1, below + 1);
    out = at::where(out == next, out, at::minimum(out + part * (next - out), next));
  }
  out = at::where(rows.isnan().any(-1), at::full({}, NAN, z.options()), out);
  if (!keep) return out;
  for (auto d : dimensions) shape[static_cast<std::size_t>(d)] = 1;
  return out.reshape(shape);
}

struct Row {
  Builtin id;
  OnTensors function;
};
constexpr Row table[] = {
    {Builtin::abs, EachElement{[](const at::Tensor& z) { return z.abs(); }}},
    {Builtin::sign, EachElement{sign_of}},
    {Builtin::sqrt, EachElement{[](const at::Tensor& z) { return z.sqrt(); }}},
    {Builtin::exp, EachElement{[](const at::Tensor& z) { return z.exp(); }}},
    {Builtin::log, EachElement{[](const at::Tensor& z) { return z.log(); }}},
    {Builtin::tanh, EachElement{[](const at::Tensor& z) { return z.tanh(); }}},
    {Builtin::sigmoid, EachElement{[](const at::Tensor& z) { return z.sigmoid(); }}},
    {Builtin::min, Fold{[](const at::Tensor& a, const at::Tensor& b) { return at::minimum(a, b); }}},
    {Builtin::max, Fold{[](const at::Tensor& a, const at::Tensor& b) { return at::maximum(a, b); }}},
    {Builtin::stabilize, OwnNode::stabilize},
    {Builtin::sum, Reduction{[](const at::Tensor& z, double, at::IntArrayRef dimensions, bool keep) {
       return at::sum(z, dimensions, keep);
     }}},
    {Builtin::mean, Reduction{[](const at::Tensor& z, double, at::IntArrayRef dimensions, bool keep) {
       return at::mean(z, dimensions, keep);
     }}},
    {Builtin::quantile, Reduction{quantile}},
    {Builtin::has, OwnNode::has},
    {Builtin::random, OwnNode::random},
    {Builtin::relevance, OwnNode::relevance},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(table); ++i)
    if (static_cast<std::size_t>(table[i].id) != i) return false;
  return true;
}
// Alternatives are listed in the same order on both sides, so that their indices are the sorts.
constexpr bool of_the_same_sorts() {
  for (std::size_t i = 0; i < std::size(table); ++i)
    if (table[i].function.index() != language::builtin_table[i].sort.index()) return false;
  return true;
}
static_assert(std::size(table) == language::builtin_count, "every built-in has a row");
static_assert(in_order(), "rows stand in the order of the ids");
static_assert(of_the_same_sorts(), "a built-in is of one sort, on numbers and on tensors");

}  // namespace

const OnTensors& on_tensors(Builtin builtin) { return table[static_cast<std::size_t>(builtin)].function; }

at::Tensor sign_of(const at::Tensor& z) {
  return at::where(z >= 0, at::ones({}, z.options()), at::where(z < 0, at::full({}, -1, z.options()), z));
}

}  // namespace ascribe::evaluate
