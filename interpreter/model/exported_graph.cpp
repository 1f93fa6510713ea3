#include "interpreter/model/exported_graph.hpp"

#include <ATen/ScalarOps.h>
#include <ATen/core/List.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/stack.h>

#include <stdexcept>

#include "grammar/filled_text.hpp"
#include "interpreter/libtorch/module_scope.hpp"
#include "interpreter/libtorch/recurrent.hpp"
#include "interpreter/model/archive.hpp"

namespace ascribe::model {
namespace {

[[noreturn]] void mismatch(const char* wanted) {
  throw std::invalid_argument(filled("a value that should be a {} is none", wanted));
}

at::Tensor to_tensor(const c10::IValue& value) {
  if (value.isTensor() && value.toTensor().defined()) return value.toTensor();
  if (value.isInt() || value.isDouble() || value.isBool() || value.isComplexDouble())
    return at::native::wrapped_scalar_tensor(value.toScalar());
  mismatch("tensor");
}
std::int64_t to_integer(const c10::IValue& value) {
  if (value.isInt()) return value.toInt();
  if (value.isBool()) return value.toBool();
  mismatch("whole number");
}
double to_floating(const c10::IValue& value) {
  if (value.isDouble()) return value.toDouble();
  return static_cast<double>(to_integer(value));
}
bool to_boolean(const c10::IValue& value) {
  if (!value.isBool()) mismatch("truth value");
  return value.toBool();
}
bool nothing(const c10::IValue& value) { return value.isNone() || (value.isTensor() && !value.toTensor().defined()); }

c10::IValue single(const GraphArgument& argument, const c10::IValue& value) {
  if (argument.optional && nothing(value)) return {};
  switch (argument.wants) {
    case Wants::tensor:
      return to_tensor(value);
    case Wants::integer:
      return to_integer(value);
    case Wants::floating:
      return to_floating(value);
    case Wants::boolean:
      return to_boolean(value);
    case Wants::number:
      if (!value.isScalar() && !value.isBool()) mismatch("number");
      return value;
    case Wants::text:
      if (!value.isString()) mismatch("text");
      return value;
    case Wants::device:
      if (!value.isDevice()) mismatch("device");
      return value;
    case Wants::anything:
      return value;
  }
  mismatch("value");
}

template <typename Element, typename Convert>
c10::IValue list_of(const Values& values, Convert convert) {
  c10::List<Element> out;
  out.reserve(values.size());
  for (auto& each : values) out.push_back(convert(each));
  return out;
}

}  // namespace

c10::IValue make_argument(const GraphArgument& argument, const Values& found) {
  if (!argument.is_list) return single(argument, found.at(0));
  switch (argument.wants) {
    case Wants::tensor:
      if (!argument.optional) return list_of<at::Tensor>(found, to_tensor);
      return list_of<std::optional<at::Tensor>>(
          found, [](auto& each) { return nothing(each) ? std::nullopt : std::optional(to_tensor(each)); });
    case Wants::integer:
      return list_of<std::int64_t>(found, to_integer);
    case Wants::floating:
      return list_of<double>(found, to_floating);
    case Wants::boolean:
      return list_of<bool>(found, to_boolean);
    case Wants::text:
      return list_of<std::string>(found, [](auto& each) {
        if (!each.isString()) mismatch("text");
        return each.toStringRef();
      });
    default:
      mismatch("list");
  }
}

namespace {

class Running {
 public:
  Running(const Graph& graph, Values inputs, c10::Device device)
      : graph_(graph), device_(device), values_(graph.slots) {
    for (std::size_t i = 0; i < graph.inputs.size(); ++i) values_[graph.inputs[i]] = std::move(inputs.at(i));
  }

  Values run() {
    for (auto& step : graph_.steps) {
      libtorch::current_module() = step.module;
      auto results = std::visit([&](auto& call) { return this->call(step, call); }, step.call);
      if (!step.results.empty() && results.size() != step.results.size())
        throw std::runtime_error(
            filled("{} gave {} results, not {}", shown_name(step.name), results.size(), step.results.size()));
      for (std::size_t i = 0; i < step.results.size(); ++i) store(step, step.results[i], std::move(results[i]));
    }
    Values outputs;
    for (auto& each : graph_.outputs) outputs.push_back(value(each));
    return outputs;
  }

 private:
  c10::IValue value(const Source& source) const {
    if (source.from == Source::From::device) return device_;
    return source.from == Source::From::slot ? values_.at(source.slot) : source.constant;
  }
  Values arguments(const Step& step) {
    Values out;
    out.reserve(step.arguments.size() + 2);
    for (auto& argument : step.arguments) {
      if (argument.is_constant) {
        out.push_back(argument.constant);
        continue;
      }
      Values found;
      for (auto& source : argument.sources) found.push_back(value(source));
      out.push_back(make_argument(argument, found));
    }
    for (auto slot : step.last_uses) values_[slot] = {};
    return out;
  }

  Values call(const Step& step, const OperatorCall& call) {
    auto stack = arguments(step);
    libtorch::check_recurrent(call.op, stack, libtorch::current_module());
    call.op.callBoxed(stack);
    return stack;
  }
  Values call(const Step& step, const NumberCall& call) { return {call.op->run(arguments(step))}; }
  Values call(const Step& step, const GradientRegion& region) {
    at::AutoGradMode mode(region.enabled.value_or(at::GradMode::is_enabled()));
    return run_graph(*region.graph, arguments(step), device_);
  }
  Values call(const Step& step, const Branch& branch) {
    auto inputs = arguments(step);
    auto& which = inputs.at(0);
    bool chosen = which.isBool() ? which.toBool() : to_tensor(which).item().to<bool>();
    inputs.erase(inputs.begin());
    return run_graph(chosen ? *branch.chosen : *branch.otherwise, std::move(inputs), device_);
  }

  void store(const Step& step, const GraphResult& result, c10::IValue value) {
    if (!result.is_list) {
      if (auto slot = result.slots.at(0)) values_[*slot] = std::move(value);
      return;
    }
    if (!value.isTensorList()) mismatch("list of tensors");
    auto parts = value.toTensorVector();
    if (parts.size() != result.slots.size())
      throw std::runtime_error(filled("{} gave {} parts; the model was exported with {}", shown_name(step.name),
                                      parts.size(), result.slots.size()));
    for (std::size_t i = 0; i < parts.size(); ++i)
      if (auto slot = result.slots[i]) values_[*slot] = std::move(parts[i]);
  }

  const Graph& graph_;
  c10::Device device_;
  Values values_;
};

}  // namespace

Values run_graph(const Graph& graph, Values inputs, c10::Device device) {
  return Running(graph, std::move(inputs), device).run();
}

}  // namespace ascribe::model
