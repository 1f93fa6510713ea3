#include "interpreter/layers/operation.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "ascribe/error.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::layering {
namespace {

using libtorch::is_tensor;

at::Tensor run_step(const Step& step, const Tensors& inputs, const Tensors& parameters, const Tensors& results) {
  torch::jit::Stack stack(step.arguments.begin(), step.arguments.end());
  for (auto& [place, constant] : step.constants) {
    auto value = constant.get([] { return "a constant of the layer"; });
    stack[place] = step.in_place && place == 0 ? value.clone() : value;
  }
  for (auto& slot : step.slots) {
    auto value = slot.from == Slot::From::input       ? inputs.at(slot.index)
                 : slot.from == Slot::From::parameter ? parameters.at(slot.index)
                                                      : results.at(slot.index);
    if (slot.transposed) value = value.t();
    // An in-place operator needs something that it may write into, and that is no leaf of the graph.
    if (step.in_place && slot.argument == 0) value = value.clone();
    auto& argument = stack[slot.argument];
    if (slot.element < 0) {
      argument = value;
      continue;
    }
    auto place = static_cast<std::size_t>(slot.element);
    if (argument.isTensorList()) {  // copied: a list is shared by all that hold it
      auto list = argument.toTensorVector();
      list.at(place) = value;
      argument = list;
    } else {
      c10::List<std::optional<at::Tensor>> list = argument.toOptionalTensorList().copy();
      list.set(place, value);
      argument = list;
    }
  }
  step.op.callBoxed(&stack);
  return libtorch::output_of(step.op, stack).toTensor();
}

// All coefficients of `own` times one number are `modified`; nothing where they are not.
std::optional<double> scaling(const at::Tensor& modified, const at::Tensor& own) {
  at::NoGradGuard no_grad;
  auto m = modified.to(at::kDouble).flatten(), w = own.to(at::kDouble).flatten();
  auto largest = w.abs().argmax().item<std::int64_t>();
  auto number = (m[largest] / w[largest]).item<double>();
  constexpr double roundings = 16;
  auto precision = own.scalar_type() == at::kDouble ? 0x1p-52 : own.scalar_type() == at::kFloat ? 0x1p-23 : 0x1p-7;
  bool same = (m - number * w).abs().max().item<double>() <= roundings * precision * m.abs().max().item<double>();
  return same ? std::optional(number) : std::nullopt;
}

}  // namespace

bool same_memory(const at::Tensor& a, const at::Tensor& b) {
  return a.defined() && b.defined() && a.const_data_ptr() == b.const_data_ptr() && a.sizes() == b.sizes() &&
         a.strides() == b.strides();
}

std::shared_ptr<const Operation> as_operation(decltype(Operation::function) function) {
  auto out = std::make_shared<Operation>();
  out->function = std::move(function);
  return out;
}

at::Tensor Operation::run(const Tensors& inputs, const Tensors& parameters) const {
  using Of = Coefficient::Of;
  auto of = coefficient.of;
  // Unmodified, the operator has its own coefficients.
  if (of != Of::none && same_memory(parameters.at(0), coefficient.value)) of = Of::none;
  if (of == Of::summands) {
    auto& c = parameters[0];
    return inputs.at(0) * c[0] + inputs.at(1) * c[1];
  }
  if (of == Of::factor) return inputs.at(0) * parameters[0];
  Tensors results;
  if (function) results.push_back(function(inputs, coefficient.of == Of::none ? parameters : Tensors()));
  for (auto& step : steps) results.push_back(run_step(step, inputs, parameters, results));
  auto output = results.back();
  if (of == Of::outputs) output = output * (parameters[0] / coefficient.value);
  if (of == Of::whole) {
    auto number = scaling(parameters[0], coefficient.value);
    if (!number)
      throw Error({.code = Code::rule_does_not_fit,
                   .message = "its coefficients are many, which the rule modifies in different ways",
                   .help = "give this layer a rule without `param`: `norm`"});
    output = output * *number;
  }
  if (adds_bias_along) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(output.dim()), 1);
    (*adds_bias_along < 0 ? shape.back() : shape.at(static_cast<std::size_t>(*adds_bias_along))) = -1;
    output = output + parameters.back().view(shape);
  }
  if (view) output = output.contiguous().as_strided(view->sizes, view->strides);
  return output;
}

}  // namespace ascribe::layering
