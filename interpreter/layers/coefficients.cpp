#include "interpreter/layers/coefficients.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <string_view>

#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::layering {
namespace {

using Of = Coefficient::Of;
using Numbers = std::vector<std::int64_t>;
using libtorch::base_name;

// What each of so many places gets.
at::Tensor shares_of(const at::Tensor& counts) { return counts.clamp_min(1).reciprocal(); }

// How many places each output's window has: the product over the dimensions of lengths along each.
at::Tensor outer(const std::vector<Numbers>& lengths, const at::TensorOptions& options) {
  at::Tensor out = at::ones({}, options);
  for (std::size_t d = 0; d < lengths.size(); ++d) {
    std::vector<std::int64_t> shape(lengths.size(), 1);
    shape[d] = -1;
    out = out * at::tensor(lengths[d], at::kLong).to(options).view(shape);
  }
  return out;
}

Numbers spread(const c10::IValue& argument, std::size_t dimensions, const Numbers& otherwise) {
  auto numbers = argument.isNone() || (argument.isIntList() && argument.toIntVector().empty()) ? otherwise
                 : argument.isInt() ? Numbers{argument.toInt()}
                                    : argument.toIntVector();
  if (numbers.size() == 1) numbers.resize(dimensions, numbers[0]);
  return numbers;
}

// As LibTorch's pooling has it: a window may reach beyond the padded input (ceil_mode), and what lies there never
// counts.
at::Tensor of_pool(const std::vector<c10::IValue>& arguments, std::size_t dimensions, const at::Tensor& x) {
  auto options = x.options().requires_grad(false);
  if (arguments.size() > 6 && arguments[6].isInt())
    return at::full({}, 1.0 / static_cast<double>(arguments[6].toInt()), options);  // divisor_override
  auto kernel = spread(arguments[1], dimensions, {}), stride = spread(arguments[2], dimensions, kernel),
       padding = spread(arguments[3], dimensions, {0});
  bool ceil = arguments[4].toBool(), counts_padding = arguments[5].toBool();
  bool pads = std::any_of(padding.begin(), padding.end(), [](auto p) { return p != 0; });
  if (!ceil && (!pads || counts_padding)) {
    double size = 1;
    for (auto k : kernel) size *= static_cast<double>(k);
    return at::full({}, 1 / size, options);
  }
  std::vector<Numbers> lengths(dimensions);
  for (std::size_t d = 0; d < dimensions; ++d) {
    auto size = x.size(x.dim() - static_cast<std::int64_t>(dimensions - d));
    auto free = size + 2 * padding[d] - kernel[d];
    auto outputs = (ceil ? (free + stride[d] - 1) / stride[d] : free / stride[d]) + 1;
    if (ceil && (outputs - 1) * stride[d] >= size + padding[d]) --outputs;  // no window begins behind the input
    for (std::int64_t o = 0; o < outputs; ++o) {
      auto begin = o * stride[d] - padding[d];
      auto end = std::min(begin + kernel[d], size + padding[d]);
      lengths[d].push_back(counts_padding ? end - begin : std::min(end, size) - std::max<std::int64_t>(begin, 0));
    }
  }
  return shares_of(outer(lengths, options));
}

at::Tensor of_adaptive_pool(const std::vector<c10::IValue>& arguments, std::size_t dimensions, const at::Tensor& x) {
  std::vector<Numbers> lengths(dimensions);
  auto outputs = spread(arguments[1], dimensions, {});
  for (std::size_t d = 0; d < dimensions; ++d) {
    auto size = x.size(x.dim() - static_cast<std::int64_t>(dimensions - d)), count = outputs[d];
    for (std::int64_t o = 0; o < count; ++o)
      lengths[d].push_back(((o + 1) * size + count - 1) / count - o * size / count);
  }
  return shares_of(outer(lengths, x.options().requires_grad(false)));
}

at::Tensor of_mean(const std::vector<c10::IValue>& arguments, const at::Tensor& x) {
  bool everything = !arguments[1].isIntList() || arguments[1].toIntVector().empty();
  double count = everything ? static_cast<double>(x.numel()) : 1;
  if (!everything)
    for (auto d : arguments[1].toIntVector()) count *= static_cast<double>(x.size(d));
  return at::full({}, 1 / count, x.options().requires_grad(false));
}

Coefficient of_summands(std::string_view name, const std::vector<c10::IValue>& arguments, const at::Tensor& x) {
  bool to_places = name.starts_with("index_add") || name.starts_with("scatter_add");
  auto& last = arguments.back();
  auto alpha = last.isScalar() ? last.toScalar().toDouble() : 1.0;
  bool reverse = name == "rsub", minus = name.starts_with("sub");
  auto first = reverse ? -alpha : 1.0, second = reverse ? 1.0 : minus ? -alpha : alpha;
  auto options = x.options().requires_grad(false);
  return {to_places ? Of::whole : Of::summands, at::tensor({first, second}, at::kDouble).to(options)};
}

Coefficient of_factor(std::string_view name, const std::vector<c10::IValue>& arguments, const at::Tensor& x) {
  auto options = x.options().requires_grad(false);
  if (name.starts_with("neg")) return {Of::factor, at::full({}, -1, options)};
  auto& other = arguments[1].isTensor() && arguments[1].toTensor().is_same(x) ? arguments[0] : arguments[1];
  auto factor = other.isTensor() ? other.toTensor().detach().to(options, /*non_blocking=*/false, /*copy=*/true)
                                 : at::scalar_tensor(other.toScalar(), options);
  return {Of::factor, name.starts_with("div") ? factor.reciprocal() : factor};
}

}  // namespace

// Weights of linear interpolation lie between 0 and 1, those of bicubic a little outside. Which of them a call has is
// no matter where all are scaled alike; and only that is allowed.
Coefficient coefficient_of_interpolation(std::string_view name, const at::Tensor& x) {
  at::NoGradGuard no_grad;
  constexpr std::int64_t steps = 4096;
  bool linear = name.find("linear") != name.npos;
  return {Of::whole,
          at::linspace(linear ? 1.0 / steps : -0.25, linear ? 1 : 1.25, steps, x.options().requires_grad(false))};
}

Coefficient coefficient_of(const language::Kind& kind, const c10::OperatorHandle& op,
                           const std::vector<c10::IValue>& arguments, const at::Tensor& x) {
  at::NoGradGuard no_grad;
  auto name = base_name(op.operator_name().name);
  if (kind.name == "add") return of_summands(name, arguments, x);
  if (kind.name == "scale") return of_factor(name, arguments, x);
  if (kind.name == "sum") return {Of::outputs, at::ones({}, x.options().requires_grad(false))};
  if (kind.name == "mean") return {Of::outputs, of_mean(arguments, x)};
  if (kind.name == "interpolate") return coefficient_of_interpolation(name, x);
  if (kind.group != "avg_pool") return {};
  auto dimensions = static_cast<std::size_t>(kind.name[kind.name.size() - 2] - '0');
  return {Of::outputs, kind.name.starts_with("adaptive") ? of_adaptive_pool(arguments, dimensions, x)
                                                         : of_pool(arguments, dimensions, x)};
}

}  // namespace ascribe::layering
