// Pooling, sums, factors and activations, in every shape that LibTorch takes.
#pragma once

#include "grammar/error.hpp"
#include "tests/drawn/layers.hpp"

namespace ascribe::drawn {

// ---------------------------------------------------------------------------------------------------- fixed
// coefficients

/// A layer that is linear in x, with the coefficients that it is found to have: the largest entry in each output's row
/// of its matrix. `places`: how many of the output's last dimensions they differ along.
inline Layer averaging_layer(std::string shown, const Shape& shape, std::function<at::Tensor(const at::Tensor&)> f,
                             std::int64_t places) {
  auto out = function_layer(std::move(shown), shape, f);
  auto unit_shape = shape;
  unit_shape[0] = -1;
  Shape sample(shape.begin() + 1, shape.end());
  auto features = c10::multiply_integers(sample);
  auto rows = f(at::eye(features, at::kDouble).reshape(unit_shape)).amax(0);
  Shape over;
  for (std::int64_t d = 0; d < rows.dim() - places; ++d) over.push_back(d);
  auto own = over.empty() ? rows : rows.amax(over);
  own = at::where(own == 0, at::ones_like(own), own);
  out.parameters = {{"coefficient", own}};
  out.apply = [=](const Tensors& x, const Tensors& theta) {
    return f(x[0]) * (theta[0] / own.to(theta[0].scalar_type()));
  };
  return out;
}

// ------------------------------------------------------------------------------------------------------------- pooling

template <std::size_t D>
Layer avg_pool(Source& source) {
  auto w = window(source, D, false, true);
  for (std::size_t d = 0; d < D; ++d) w.size[d] = std::max(w.size[d], w.kernel[d]);
  bool ceil = source.chance(0.3), padded = source.chance(0.5);
  std::optional<std::int64_t> divisor;
  if (D > 1 && source.chance(0.2)) divisor = source.integer(2, 5);
  bool pads = std::any_of(w.padding.begin(), w.padding.end(), [](auto size) { return size != 0; });
  bool alike = divisor || (!ceil && (!pads || padded));
  auto f = [=](const at::Tensor& x) {
    if constexpr (D == 1) return at::avg_pool1d(x, w.kernel, w.stride, w.padding, ceil, padded);
    if constexpr (D == 2) return at::avg_pool2d(x, w.kernel, w.stride, w.padding, ceil, padded, divisor);
    if constexpr (D == 3) return at::avg_pool3d(x, w.kernel, w.stride, w.padding, ceil, padded, divisor);
  };
  return averaging_layer(fmt::format("average pooling {}d, {}, ceil {}, padding counts {}, divisor {}", D, w.shown(),
                                     ceil, padded, divisor.value_or(0)),
                         source.batch_and({{source.integer(1, 3)}, w.size}), f, alike ? 0 : D);
}

template <std::size_t D>
Layer max_pool(Source& source) {
  auto w = window(source, D, false, true);
  bool ceil = source.chance(0.3);
  return function_layer(fmt::format("max pooling {}d, {}, ceil {}", D, w.shown(), ceil),
                        source.batch_and({{source.integer(1, 3)}, w.size}), [=](const at::Tensor& x) {
                          if constexpr (D == 1)
                            return at::max_pool1d(x, w.kernel, w.stride, w.padding, w.dilation, ceil);
                          if constexpr (D == 2)
                            return at::max_pool2d(x, w.kernel, w.stride, w.padding, w.dilation, ceil);
                          if constexpr (D == 3)
                            return at::max_pool3d(x, w.kernel, w.stride, w.padding, w.dilation, ceil);
                        });
}

template <std::size_t D, bool average>
Layer adaptive_pool(Source& source) {
  auto out = source.draw.integers(D, 1, 3);
  auto shown = fmt::format("adaptive {} pooling to {}", average ? "average" : "max", out);
  auto shape = source.batch_and({{source.integer(1, 3)}, source.draw.integers(D, 1, D == 3 ? 3 : 5)});
  auto f = [=](const at::Tensor& x) {
    if constexpr (average) {
      if constexpr (D == 1) return at::adaptive_avg_pool1d(x, out);
      if constexpr (D == 2) return at::adaptive_avg_pool2d(x, out);
      if constexpr (D == 3) return at::adaptive_avg_pool3d(x, out);
    } else {
      if constexpr (D == 1) return std::get<0>(at::adaptive_max_pool1d(x, out));
      if constexpr (D == 2) return std::get<0>(at::adaptive_max_pool2d(x, out));
      if constexpr (D == 3) return std::get<0>(at::adaptive_max_pool3d(x, out));
    }
  };
  return average ? averaging_layer(shown, shape, f, D) : function_layer(shown, shape, f);
}

// Sums and means over dimensions; never over the batch.
template <bool mean>
Layer reduction(Source& source) {
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  auto rank = static_cast<std::int64_t>(shape.size());
  Shape over;
  for (std::int64_t d = 1; d < rank; ++d)
    if (source.chance(0.5)) over.push_back(source.chance(0.5) ? d : d - rank);
  if (over.empty()) over.push_back(-1);
  bool keep = source.chance(0.5);
  return averaging_layer(
      fmt::format("{} over {}, dimensions kept {}", mean ? "mean" : "sum", over, keep), shape,
      [=](const at::Tensor& x) { return mean ? x.mean(over, keep) : x.sum(over, keep); }, 0);
}

// ---------------------------------------------------------------------------------------------------- sums and factors

/// A shape that broadcasts to this one, with the same batch.
inline Shape smaller(Source& source, Shape shape) {
  for (std::size_t d = 1; d < shape.size(); ++d)
    if (source.chance(0.3)) shape[d] = 1;
  return shape;
}

inline Layer scale(Source& source) {
  auto large = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  bool number = source.chance(0.4);
  Shape shape = number || source.chance(0.5) ? large : smaller(source, large);
  auto constant = source.constant(number ? Shape{} : smaller(source, large));
  if (!number && source.chance(0.3)) constant = constant[0];  // of a smaller rank
  constant = at::where(constant.abs() < 0.2, at::full_like(constant, 0.7), constant);
  auto factor = constant.dim() == 0 ? constant.item<double>() : 0.0;
  struct Form {
    const char* shown;
    std::function<at::Tensor(const at::Tensor& x, const at::Tensor& c)> f;
  };
  std::vector<Form> forms{{"x * c", [](auto& x, auto& c) { return x * c; }},
                          {"c * x", [](auto& x, auto& c) { return c * x; }},
                          {"x / c", [](auto& x, auto& c) { return x / c; }}};
  if (number)
    forms = {{"x * number", [factor](auto& x, auto&) { return x * factor; }},
             {"number * x", [factor](auto& x, auto&) { return factor * x; }},
             {"x / number", [factor](auto& x, auto&) { return x / factor; }},
             {"-x", [](auto& x, auto&) { return -x; }}};
  auto form = source.draw.one_of(forms);
  auto out = function_layer(
      fmt::format("{}, c {}", form.shown, constant.sizes().vec()), {shape},
      [=](const Tensors& x) { return form.f(x[0], constant); },
      [](const Tensors& x, const Tensors& theta) { return x[0] * theta[0]; });
  auto exact = constant.to(at::kDouble);
  std::string_view shown = form.shown;
  out.parameters = {{"coefficient", shown == "-x"              ? at::full({}, -1, at::kDouble)
                                    : shown.starts_with("x /") ? exact.reciprocal()
                                                               : exact}};
  return out;
}

inline Layer add(Source& source) {
  auto large = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  struct Form {
    const char* shown;
    std::function<at::Tensor(const at::Tensor& a, const at::Tensor& b)> f;
    double of_a, of_b;  ///< their coefficients
  };
  auto form = source.draw.one_of(
      std::vector<Form>{{"a + b", [](auto& a, auto& b) { return a + b; }, 1, 1},
                        {"a - b", [](auto& a, auto& b) { return a - b; }, 1, -1},
                        {"a + 2b", [](auto& a, auto& b) { return at::add(a, b, 2); }, 1, 2},
                        {"b - 0.5a", [](auto& a, auto& b) { return at::rsub(a, b, 0.5); }, -0.5, 1}});
  auto coefficient = at::tensor({form.of_a, form.of_b}, at::kDouble);
  auto a = source.chance(0.7) ? large : smaller(source, large), b = source.chance(0.5) ? large : smaller(source, large);
  if (source.chance(0.6)) {
    auto out = function_layer(
        form.shown, {a, b}, [f = form.f](const Tensors& x) { return f(x[0], x[1]); },
        [](const Tensors& x, const Tensors& theta) { return x[0] * theta[0][0] + x[1] * theta[0][1]; });
    out.parameters = {{"coefficient", coefficient}};
    return out;
  }
  bool first = source.chance(0.5);  // where the constant stands
  auto constant = source.constant(b);
  if (source.chance(0.3)) constant = constant[0];
  // To a rule the constant is an input in the sum's shape.
  auto exact = constant.to(at::kDouble).expand(at::infer_size(constant.sizes(), a));
  auto out = function_layer(
      fmt::format("{}, {} constant {}", form.shown, first ? "a" : "b", constant.sizes().vec()), {a},
      [=](const Tensors& x) { return first ? form.f(constant, x[0]) : form.f(x[0], constant); },
      [=](const Tensors& x, const Tensors& theta) {
        return x[first ? 1 : 0] * theta[0][0] + x[first ? 0 : 1] * theta[0][1];
      });
  out.constants = {exact};
  out.parameters = {{"coefficient", coefficient}};
  return out;
}

// Its coefficients are many, and all that a rule may do is to scale them together.
inline Layer interpolation(Source& source) {
  bool cubic = source.chance(0.3), corners = source.chance(0.3);
  Shape size{source.integer(2, 4), source.integer(2, 4)}, to{source.integer(2, 7), source.integer(2, 7)};
  auto f = [=](const at::Tensor& x) {
    return cubic ? at::upsample_bicubic2d(x, to, corners) : at::upsample_bilinear2d(x, to, corners);
  };
  auto out = function_layer(fmt::format("{} interpolation from {} to {}", cubic ? "bicubic" : "bilinear", size, to),
                            source.batch_and({{source.integer(1, 2)}, size}), f);
  auto own = at::linspace(cubic ? -0.25 : 1.0 / 4096, cubic ? 1.25 : 1, 4096, at::kDouble);
  out.parameters = {{"coefficient", own}};
  out.apply = [=](const Tensors& x, const Tensors& theta) {
    at::Tensor number = theta[0][-1].detach() / own[-1];
    if (!at::allclose(theta[0].to(at::kDouble), number.to(at::kDouble) * own, 1e-2, 1e-5))
      throw Error({.code = Code::rule_does_not_fit, .message = "in different ways"});
    return f(x[0]) * number.to(x[0].scalar_type());
  };
  return out;
}

// --------------------------------------------------------------------------------------- two values, and everything
// else

inline Layer product(Source& source) {
  auto large = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  return function_layer(
      "a * b", {large, smaller(source, large)}, [](const Tensors& x) { return x[0] * x[1]; },
      [](const Tensors& x, const Tensors&) { return x[0] * x[1]; });
}

inline Layer matmul(Source& source) {
  auto batch = source.integer(1, 3), n = source.integer(1, 3), m = source.integer(1, 4), k = source.integer(1, 3);
  return function_layer(
      "a @ b", {{batch, n, m}, {batch, m, k}}, [](const Tensors& x) { return x[0].matmul(x[1]); },
      [](const Tensors& x, const Tensors&) { return x[0].matmul(x[1]); });
}

// The divisor depends on an input, too, and is held.
inline Layer quotient(Source& source) {
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  auto divisor = source.constant(shape);
  divisor = at::where(divisor.abs() < 0.2, at::full_like(divisor, 0.7), divisor);
  return function_layer(
      "a / b", {shape}, [=](const Tensors& x) { return x[0] / divisor.detach().requires_grad_(); },
      [=](const Tensors& x, const Tensors&) { return x[0] / divisor.to(x[0].scalar_type()); });
}

inline Layer any_operator(Source& source) {
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  struct Form {
    const char* shown;
    at::Tensor (*f)(const at::Tensor& x);
  };
  auto form = source.draw.one_of(std::vector<Form>{{"cumsum", [](const at::Tensor& x) { return x.cumsum(1); }},
                                                   {"sin", [](const at::Tensor& x) { return x.sin(); }},
                                                   {"pow", [](const at::Tensor& x) { return x.pow(2); }}});
  return function_layer(form.shown, shape, form.f);
}

// --------------------------------------------------------------------------------------------------------- activations

using Activation = at::Tensor (*)(const at::Tensor& x);
using InPlace = at::Tensor& (*)(at::Tensor& x);

/// One way to compute an activation; a kind may have several.
struct ActivationRow {
  const char* kind;
  Activation f;
  InPlace in_place = nullptr;
};

inline Layer activation(Source& source, const ActivationRow& row) {
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  auto out = function_layer(row.kind, shape, row.f);
  if (!row.in_place || !source.chance(0.4)) return out;
  out.shown += ", in place";
  out.in_place = true;
  out.model->run = [&row](const Tensors& x) {
    auto own = x[0];
    return row.in_place(own);
  };
  return out;
}

inline const ActivationRow activations[] = {
    {"relu", [](const at::Tensor& x) { return at::relu(x); }, [](at::Tensor& x) -> at::Tensor& { return x.relu_(); }},
    {"relu6", [](const at::Tensor& x) { return at::hardtanh(x, 0, 6); },
     [](at::Tensor& x) -> at::Tensor& { return at::hardtanh_(x, 0, 6); }},
    {"leaky_relu", [](const at::Tensor& x) { return at::leaky_relu(x, 0.3); },
     [](at::Tensor& x) -> at::Tensor& { return at::leaky_relu_(x, 0.3); }},
    {"rrelu", [](const at::Tensor& x) { return at::rrelu(x, 0.1, 0.3, false); },
     [](at::Tensor& x) -> at::Tensor& { return at::rrelu_(x, 0.1, 0.3, false); }},
    {"elu", [](const at::Tensor& x) { return at::elu(x, 0.8); },
     [](at::Tensor& x) -> at::Tensor& { return at::elu_(x, 0.8); }},
    {"selu", [](const at::Tensor& x) { return at::selu(x); },
     [](at::Tensor& x) -> at::Tensor& { return at::selu_(x); }},
    // Its gradient takes 1 / α in single precision in LibTorch 2.13: exact for this α.
    {"celu", [](const at::Tensor& x) { return at::celu(x, 0.75); },
     [](at::Tensor& x) -> at::Tensor& { return at::celu_(x, 0.75); }},
    {"gelu", [](const at::Tensor& x) { return at::gelu(x); }},
    {"gelu", [](const at::Tensor& x) { return at::gelu(x, "tanh"); }},
    {"silu", [](const at::Tensor& x) { return at::silu(x); },
     [](at::Tensor& x) -> at::Tensor& { return at::silu_(x); }},
    {"silu", [](const at::Tensor& x) { return x * x.sigmoid(); }},
    {"mish", [](const at::Tensor& x) { return at::mish(x); },
     [](at::Tensor& x) -> at::Tensor& { return at::mish_(x); }},
    {"sigmoid", [](const at::Tensor& x) { return x.sigmoid(); },
     [](at::Tensor& x) -> at::Tensor& { return x.sigmoid_(); }},
    {"log_sigmoid", [](const at::Tensor& x) { return at::log_sigmoid(x); }},
    {"tanh", [](const at::Tensor& x) { return x.tanh(); }, [](at::Tensor& x) -> at::Tensor& { return x.tanh_(); }},
    {"softplus", [](const at::Tensor& x) { return at::softplus(x, 2, 3); }},
    {"softsign", [](const at::Tensor& x) { return x / (x.abs() + 1); }},
    {"threshold", [](const at::Tensor& x) { return at::threshold(x, 0.1, -2); },
     [](at::Tensor& x) -> at::Tensor& { return at::threshold_(x, 0.1, -2); }},
    {"hardtanh", [](const at::Tensor& x) { return at::hardtanh(x, -0.75, 1); },
     [](at::Tensor& x) -> at::Tensor& { return at::hardtanh_(x, -0.75, 1); }},
    {"hardswish", [](const at::Tensor& x) { return at::hardswish(x); },
     [](at::Tensor& x) -> at::Tensor& { return at::hardswish_(x); }},
    {"hardsigmoid", [](const at::Tensor& x) { return at::hardsigmoid(x); },
     [](at::Tensor& x) -> at::Tensor& { return at::hardsigmoid_(x); }},
    {"hardshrink", [](const at::Tensor& x) { return at::hardshrink(x, 0.4); }},
    {"softshrink", [](const at::Tensor& x) { return at::softshrink(x, 0.4); }},
    {"tanhshrink", [](const at::Tensor& x) { return x - x.tanh(); }},
};

template <bool logarithm>
Layer softmax(Source& source) {
  auto shape = source.batch_and({source.draw.integers(static_cast<std::size_t>(source.integer(1, 3)), 1, 4)});
  auto dimension = source.integer(1, static_cast<std::int64_t>(shape.size()) - 1);
  return function_layer(
      fmt::format("{}softmax over {}", logarithm ? "log " : "", dimension), shape,
      [=](const at::Tensor& x) { return logarithm ? at::log_softmax(x, dimension) : at::softmax(x, dimension); });
}

}  // namespace ascribe::drawn
