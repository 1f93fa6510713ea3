#include "interpreter/model/exported_graph.hpp"

#include <ATen/ATen.h>
#include <ATen/ScalarOps.h>
#include <ATen/core/List.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/stack.h>

#include <algorithm>
#include <stdexcept>

#include "grammar/filled_text.hpp"
#include "interpreter/libtorch/module_calls.hpp"
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
    case Wants::number:
    case Wants::device:
    case Wants::anything:
      break;
  }
  mismatch("list");
}

namespace {

class Running {
 public:
  Running(std::shared_ptr<const Graph> graph, c10::Device device)
      : graph_(std::move(graph)), device_(device), values_(graph_->slots) {}

  void set(std::size_t slot, c10::IValue value) { values_.at(slot) = std::move(value); }
  c10::IValue get(std::size_t slot) const { return values_.at(slot); }

  void run() {
    auto& regions = graph_->regions;
    auto* observer = regions.empty() ? nullptr : libtorch::module_observer();
    if (!observer) return run(0, graph_->steps.size());
    auto region = regions.begin();
    for (std::size_t i = 0; i < graph_->steps.size();) {
      while (region != regions.end() && region->first < i) ++region;  // within one that was taken
      while (region != regions.end() && region->first == i && !observer->wants(region->callee)) ++region;
      if (region == regions.end() || region->first != i) {
        run(i, i + 1);
        ++i;
      } else {
        hand_over(*region, *observer);
        i = region->end;
      }
    }
  }

  void run(std::size_t first, std::size_t end) {
    for (auto i = first; i < end; ++i) run(graph_->steps[i]);
  }

  Values outputs() const {
    Values out;
    for (auto& each : graph_->outputs) out.push_back(value(each));
    return out;
  }

 private:
  void run(const Step& step) {
    libtorch::current_module() = step.module;
    auto results = std::visit([&](auto& call) { return this->call(step, call); }, step.call);
    if (!step.results.empty() && results.size() != step.results.size())
      throw std::runtime_error(
          filled("{} gave {} results, not {}", shown_name(step.name), results.size(), step.results.size()));
    for (std::size_t i = 0; i < step.results.size(); ++i) store(step, step.results[i], std::move(results[i]));
  }

  void hand_over(const ModuleRegion& region, libtorch::ModuleObserver& observer);

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
    if (call.copies)
      return {
          to_tensor(stack.at(1)).to(to_tensor(stack.at(0)).options()).expand_as(to_tensor(stack.at(0))).contiguous()};
    libtorch::check_recurrent(call.op, stack, libtorch::current_module());
    call.op.callBoxed(stack);
    return stack;
  }
  Values call(const Step& step, const NumberCall& call) { return {call.op->run(arguments(step))}; }
  Values call(const Step& step, const GradientRegion& region) {
    at::AutoGradMode mode(region.enabled.value_or(at::GradMode::is_enabled()));
    return run_graph(region.graph, arguments(step), device_);
  }
  Values call(const Step& step, const Branch& branch) {
    auto inputs = arguments(step);
    auto& which = inputs.at(0);
    bool chosen = which.isBool() ? which.toBool() : to_tensor(which).item().to<bool>();
    inputs.erase(inputs.begin());
    return run_graph(chosen ? branch.chosen : branch.otherwise, std::move(inputs), device_);
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

  std::shared_ptr<const Graph> graph_;
  c10::Device device_;
  Values values_;
};

// A module's part of the program with all that it needs, whenever and on whatever thread it runs.
struct Part {
  std::shared_ptr<const Graph> graph;
  const ModuleRegion* region;
  c10::Device device;
  std::vector<std::pair<c10::IValue, std::optional<std::size_t>>> entering{};  // as it was, or which of the inputs
  std::size_t inputs = 0;

  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& given) const {
    if (given.size() != inputs)
      throw std::invalid_argument(filled("a module that takes {} tensors is given {}", inputs, given.size()));
    libtorch::ModuleScope scope;
    libtorch::Unobserved whole;
    Running running(graph, device);
    for (std::size_t i = 0; i < entering.size(); ++i) {
      auto& [fixed, place] = entering[i];
      c10::IValue value = place ? c10::IValue(given[*place]) : fixed;
      bool copied = region->entering[i].is_written && value.isTensor() && value.toTensor().defined();
      running.set(region->entering[i].slot, copied ? c10::IValue(value.toTensor().clone()) : std::move(value));
    }
    running.run(region->first, region->end);
    std::vector<at::Tensor> out;
    for (auto slot : region->leaving) out.push_back(to_tensor(running.get(slot)));
    return out;
  }
};

void Running::hand_over(const ModuleRegion& region, libtorch::ModuleObserver& observer) {
  libtorch::current_module() = region.callee.path;
  libtorch::ModuleCall call{.callee = region.callee};
  Part part{.graph = graph_, .region = &region, .device = device_};
  for (auto& each : region.entering) {
    auto value = values_.at(each.slot);
    std::optional<std::size_t> place;
    if (value.isTensor() && value.toTensor().defined()) {
      if (each.is_weight) {
        if (each.changes) value = value.toTensor().clone();
        if (!each.name.empty()) call.parameters.emplace_back(each.name, value.toTensor());
      } else {
        auto found = std::find_if(call.inputs.begin(), call.inputs.end(),
                                  [&](auto& input) { return input.is_same(value.toTensor()); });
        place = static_cast<std::size_t>(found - call.inputs.begin());
        if (found == call.inputs.end()) call.inputs.push_back(value.toTensor());
      }
    }
    part.entering.emplace_back(place ? c10::IValue() : std::move(value), place);
  }
  part.inputs = call.inputs.size();
  call.run = std::move(part);
  for (auto step : region.numbers) run(graph_->steps[step]);
  for (auto step = region.first; step < region.end; ++step)
    for (auto slot : graph_->steps[step].last_uses) values_[slot] = {};

  libtorch::current_module() = region.callee.path;
  auto results = observer.call(call);
  if (results.size() != region.leaving.size())
    throw std::runtime_error(filled("module {} was answered with {} tensors, not {}", shown_name(region.callee.path),
                                    results.size(), region.leaving.size()));
  for (std::size_t i = 0; i < results.size(); ++i) values_[region.leaving[i]] = std::move(results[i]);
}

}  // namespace

Values run_graph(const std::shared_ptr<const Graph>& graph, Values inputs, c10::Device device) {
  Running running(graph, device);
  for (std::size_t i = 0; i < graph->inputs.size(); ++i) running.set(graph->inputs[i], std::move(inputs.at(i)));
  running.run();
  return running.outputs();
}

}  // namespace ascribe::model
