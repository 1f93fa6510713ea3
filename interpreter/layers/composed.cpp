#include "interpreter/layers/composed.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <utility>

#include "interpreter/layers/formula.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::layering {
namespace {

using libtorch::functional_name;
using libtorch::is_tensor;

// ----------------------------------------------------------------------------------------------------- the activations

struct Composed {
  std::string_view kind;
  Formula formula;
};

// Where several fit, the first.
std::vector<Composed> make_activations() {
  const auto x = Formula::variable();
  const Formula any = any_number;
  const double root_half = 0.70710678118, root_two_over_pi = 0.79788456080;
  const auto logistic_sum = call("log", 1.0 + call("exp", x));  // of softplus
  const auto softplus = where(greater(x * any, any), x, call("log", 1.0 + call("exp", x * any)) * any);
  const auto relu6 = clamp(x + 3.0, 0, 6);
  return {
      {"relu", where(greater(x, 0.0), x, 0.0)},
      {"relu", clamp(x, 0, INFINITY)},
      {"leaky_relu", where(greater(x, 0.0), x, x * any)},
      {"prelu", where(greater(x, 0.0), x, x * Formula::constant(0))},
      {"threshold", where(greater(x, any), x, any)},
      {"sigmoid", sigmoid(x)},
      {"silu", x * sigmoid(x)},
      {"gelu", x * sigmoid(x * 1.702)},
      {"gelu", 0.5 * x * (1.0 + call("erf", x * root_half))},
      {"gelu", 0.5 * x * (1.0 + call("tanh", root_two_over_pi * (x + 0.044715 * power(x, 3))))},
      {"gelu", 0.5 * x * (1.0 + call("tanh", root_two_over_pi * x + root_two_over_pi * 0.044715 * power(x, 3)))},
      {"gelu", 0.5 * x * (1.0 + call("tanh", root_two_over_pi * x * (1.0 + 0.044715 * power(x, 2))))},
      {"hardswish", x * relu6 / 6.0},
      {"hardsigmoid", relu6 / 6.0},
      {"hardsigmoid", clamp(x * any + 0.5, 0, 1)},
      {"hardtanh", clamp(x, any_number, any_number)},
      {"softsign", x / (1.0 + call("abs", x))},
      {"tanhshrink", x - call("tanh", x)},
      {"softplus", softplus},
      {"softplus", logistic_sum},
      {"softplus", clamp(x, 0, INFINITY) + call("log", 1.0 + call("exp", call("abs", x) * -1.0))},
      {"mish", x * call("tanh", softplus)},
      {"mish", x * call("tanh", logistic_sum)},
      {"log_sigmoid", clamp(x, -INFINITY, 0) - call("log", 1.0 + call("exp", call("abs", x) * -1.0))},
      {"log_sigmoid", call("log", sigmoid(x))},
      {"selu", where(greater(x, 0.0), x * 1.0507009873, 1.7580993408 * call("exp", x) - 1.7580993408)},
      {"elu", where(greater(x * any, 0.0), x * any, any * call("exp", x) - any)},
      {"celu", where(greater(x * any, 0.0), x * any, any * call("exp", x * any) - any)},
      {"softshrink", where(greater(call("abs", x), any), x - any * call("sign", x), 0.0)},
      {"hardshrink", where(greater(call("abs", x), any), x, 0.0)},
  };
}

// ------------------------------------------------------------------------------------- what operators are in formulas

using Operands = std::vector<Formula>;

// The number in an argument, or `otherwise` where it is left out; nothing for anything else.
std::optional<double> number(const c10::IValue& argument, std::optional<double> otherwise = {}) {
  if (argument.isNone()) return otherwise;
  if (argument.isScalar()) return argument.toScalar().toDouble();
  return {};
}

// What an operator makes of its operands: formulas for the arguments that are tensors or numbers.
using Translate = std::optional<Formula> (*)(const Operands& operands, const std::vector<c10::IValue>& arguments);

std::optional<Formula> scaled(const Operands& z, const std::vector<c10::IValue>& arguments, double first, double second,
                              bool alpha_is_firsts = false) {
  auto alpha = arguments.size() > 2 ? number(arguments[2], 1) : 1;
  if (!alpha) return {};
  return z[0] * (first * (alpha_is_firsts ? *alpha : 1)) + z[1] * (second * (alpha_is_firsts ? 1 : *alpha));
}

constexpr double infinite = std::numeric_limits<double>::infinity();

const std::map<std::string_view, Translate>& translations() {
  static const std::map<std::string_view, Translate> table{
      {"add", [](auto& z, auto& a) { return scaled(z, a, 1, 1); }},
      {"sub", [](auto& z, auto& a) { return scaled(z, a, 1, -1); }},
      {"rsub", [](auto& z, auto& a) { return scaled(z, a, -1, 1, true); }},
      {"neg", [](auto& z, auto&) { return std::optional(z[0] * -1.0); }},
      {"mul", [](auto& z, auto&) { return std::optional(z[0] * z[1]); }},
      {"div", [](auto& z, auto& a) { return a.size() > 2 ? std::nullopt : std::optional(z[0] / z[1]); }},
      {"reciprocal", [](auto& z, auto&) { return std::optional(power(z[0], -1)); }},
      {"square", [](auto& z, auto&) { return std::optional(power(z[0], 2)); }},
      {"sqrt", [](auto& z, auto&) { return std::optional(power(z[0], 0.5)); }},
      {"pow", [](auto& z, auto&) { return z[1].is_number() ? std::optional(power(z[0], z[1].value)) : std::nullopt; }},
      {"exp", [](auto& z, auto&) { return std::optional(call("exp", z[0])); }},
      {"expm1", [](auto& z, auto&) { return std::optional(call("exp", z[0]) - 1.0); }},
      {"log", [](auto& z, auto&) { return std::optional(call("log", z[0])); }},
      {"log1p", [](auto& z, auto&) { return std::optional(call("log", 1.0 + z[0])); }},
      {"tanh", [](auto& z, auto&) { return std::optional(call("tanh", z[0])); }},
      {"erf", [](auto& z, auto&) { return std::optional(call("erf", z[0])); }},
      {"abs", [](auto& z, auto&) { return std::optional(call("abs", z[0])); }},
      {"sign", [](auto& z, auto&) { return std::optional(call("sign", z[0])); }},
      {"sgn", [](auto& z, auto&) { return std::optional(call("sign", z[0])); }},
      {"sigmoid", [](auto& z, auto&) { return std::optional(sigmoid(z[0])); }},
      {"softplus",
       [](auto& z, auto& a) {
         auto beta = number(a[1]);
         return beta ? std::optional(call("log", 1.0 + call("exp", z[0] * *beta)) / *beta) : std::nullopt;
       }},
      {"relu", [](auto& z, auto&) { return std::optional(clamp(z[0], 0.0, infinite)); }},
      {"relu6", [](auto& z, auto&) { return std::optional(clamp(z[0], 0.0, 6.0)); }},
      {"hardsigmoid", [](auto& z, auto&) { return std::optional(clamp(z[0] + 3.0, 0, 6) / 6.0); }},
      {"hardtanh",
       [](auto& z, auto& a) { return std::optional(clamp(z[0], number(a[1]).value(), number(a[2]).value())); }},
      {"clamp",
       [](auto& z, auto& a) {
         auto low = number(a[1], -infinite), high = number(a[2], infinite);
         return low && high ? std::optional(clamp(z[0], *low, *high)) : std::nullopt;
       }},
      {"clamp_min",
       [](auto& z, auto&) {
         return z[1].is_number() ? std::optional(clamp(z[0], z[1].value, infinite)) : std::nullopt;
       }},
      {"clamp_max",
       [](auto& z, auto&) {
         return z[1].is_number() ? std::optional(clamp(z[0], -infinite, z[1].value)) : std::nullopt;
       }},
      {"maximum",
       [](auto& z, auto&) -> std::optional<Formula> {
         if (z[1].is_number()) return clamp(z[0], z[1].value, infinite);
         if (z[0].is_number()) return clamp(z[1], z[0].value, infinite);
         return {};
       }},
      {"minimum",
       [](auto& z, auto&) -> std::optional<Formula> {
         if (z[1].is_number()) return clamp(z[0], -infinite, z[1].value);
         if (z[0].is_number()) return clamp(z[1], -infinite, z[0].value);
         return {};
       }},
      {"gt", [](auto& z, auto&) { return std::optional(greater(z[0], z[1])); }},
      {"ge", [](auto& z, auto&) { return std::optional(greater(z[0], z[1])); }},
      {"lt", [](auto& z, auto&) { return std::optional(negation(greater(z[0], z[1]))); }},
      {"le", [](auto& z, auto&) { return std::optional(negation(greater(z[0], z[1]))); }},
      {"logical_not", [](auto& z, auto&) { return std::optional(negation(z[0])); }},
      {"where", [](auto& z, auto&) { return z.size() == 3 ? std::optional(where(z[0], z[1], z[2])) : std::nullopt; }},
      {"masked_fill",
       [](auto& z, auto&) { return z.size() == 3 ? std::optional(where(z[1], z[2], z[0])) : std::nullopt; }},
      // the same numbers
      {"_to_copy", [](auto& z, auto&) { return std::optional(z[0]); }},
      {"to", [](auto& z, auto&) { return std::optional(z[0]); }},
      {"clone", [](auto& z, auto&) { return std::optional(z[0]); }},
      {"alias", [](auto& z, auto&) { return std::optional(z[0]); }},
  };
  return table;
}

bool is_last(std::string_view name) {
  constexpr std::string_view names[] = {"mul", "div",  "add", "sub",   "where",   "minimum",    "clamp_max",  "clamp",
                                        "log", "rsub", "neg", "log1p", "maximum", "reciprocal", "masked_fill"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// ------------------------------------------------------------------------------------------------------------- reading

using Recent = RecentOperators::Recent;

// One call and those before it, read as a formula of one tensor.
class Reading {
 public:
  Reading(const std::deque<Recent>& calls, const at::Tensor& input) : calls_(calls), input_(input) {}

  std::optional<Formula> read(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments) {
    return read(op, arguments, calls_.size());
  }
  std::optional<Formula> read(const at::Tensor& tensor) { return read(tensor, calls_.size()); }

  /// The calls that were read, in their order.
  std::vector<const Recent*> used() const {
    std::vector<const Recent*> out;
    for (auto& each : calls_)
      if (std::find(used_.begin(), used_.end(), &each) != used_.end()) out.push_back(&each);
    return out;
  }
  const Tensors& constants() const { return constants_; }

 private:
  // `before`: of the calls, only so many came earlier.
  std::optional<Formula> read(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments,
                              std::size_t before) {
    auto found = translations().find(functional_name(op.operator_name().name));
    if (found == translations().end()) return {};
    Operands operands;
    for (auto& argument : arguments) {
      if (!is_tensor(argument) && !argument.isScalar()) continue;
      auto operand = argument.isScalar() ? std::optional(Formula(argument.toScalar().toDouble()))
                                         : read(argument.toTensor(), before);
      if (!operand) return {};
      operands.push_back(std::move(*operand));
    }
    if (operands.empty()) return {};
    if (operands.size() < 2) operands.emplace_back(1.0);  // so that no translation has to count
    auto out = found->second(operands, arguments);
    constexpr std::size_t largest = 64;  // mish has 16 parts; what is written on and on is none of these
    return out && out->size() <= largest ? out : std::nullopt;
  }

  std::optional<Formula> read(const at::Tensor& tensor, std::size_t before) {
    if (tensor.is_same(input_)) return Formula::variable();
    for (auto i = before; i-- > 0;)
      if (calls_[i].output.is(tensor)) {
        auto known = known_.find(i);
        if (known == known_.end()) {
          used_.push_back(&calls_[i]);
          known = known_.emplace(i, read(calls_[i].op, calls_[i].arguments, i)).first;
        }
        return known->second;
      }
    if (tensor.requires_grad() && !libtorch::is_leaf_or_view_of_one(tensor)) return {};  // computed from something else
    if (auto number = libtorch::number_in(tensor)) return Formula(*number);
    if (!tensor.is_floating_point() || tensor.sizes() == input_.sizes()) return {};
    for (std::size_t i = 0; i < constants_.size(); ++i)
      if (constants_[i].is_same(tensor)) return Formula::constant(i);
    constants_.push_back(tensor);
    return Formula::constant(constants_.size() - 1);
  }

  const std::deque<Recent>& calls_;
  const at::Tensor& input_;
  std::vector<const Recent*> used_;
  std::map<std::size_t, std::optional<Formula>> known_;  // of the calls
  Tensors constants_;
};

// What the call is computed from, as far as the recent calls tell: the tensors that may be x, the farthest first.
Tensors candidates(const std::deque<Recent>& calls, const std::vector<c10::IValue>& arguments) {
  Tensors found;
  std::vector<char> seen(calls.size());
  std::function<void(const std::vector<c10::IValue>&, std::size_t)> walk = [&](auto& given, std::size_t before) {
    for (auto& argument : given) {
      if (!is_tensor(argument)) continue;
      auto tensor = argument.toTensor();
      auto made = before;
      while (made > 0 && !calls[made - 1].output.is(tensor)) --made;
      if (made > 0 && !std::exchange(seen[made - 1], 1)) walk(calls[made - 1].arguments, made - 1);
      bool known = std::any_of(found.begin(), found.end(), [&](auto& each) { return each.is_same(tensor); });
      if (tensor.requires_grad() && tensor.is_floating_point() && !known) found.push_back(tensor);
    }
  };
  walk(arguments, calls.size());
  return found;
}

// The operators that make the layer, as a function of its input.
Operation operation_of(const std::vector<const Recent*>& parts, const c10::OperatorHandle& op,
                       const std::vector<c10::IValue>& arguments, const at::Tensor& input, const Tensors& parameters) {
  Operation out;
  auto add = [&](const c10::OperatorHandle& each, const std::vector<c10::IValue>& given) {
    Step step{each, given, {}};
    for (std::size_t i = 0; i < given.size(); ++i) {
      if (!is_tensor(given[i])) continue;
      auto tensor = given[i].toTensor();
      auto part = std::find_if(parts.rbegin(), parts.rend(), [&](auto* p) { return p->output.is(tensor); });
      auto parameter = std::find_if(parameters.begin(), parameters.end(), [&](auto& p) { return p.is_same(tensor); });
      step.arguments[i] = {};
      if (tensor.is_same(input))
        step.slots.push_back({i, Slot::From::input, 0});
      else if (part != parts.rend())
        step.slots.push_back({i, Slot::From::step, static_cast<std::size_t>(parts.rend() - part) - 1});
      else if (parameter != parameters.end())
        step.slots.push_back({i, Slot::From::parameter, static_cast<std::size_t>(parameter - parameters.begin())});
      else
        step.constants.emplace_back(i, libtorch::KeptTensor::reference(tensor));
    }
    out.steps.push_back(std::move(step));
  };
  for (auto* part : parts) add(part->op, part->arguments);
  add(*libtorch::functional(op), arguments);
  return out;
}

}  // namespace

bool may_be_part(std::string_view name) { return translations().contains(functional_name(name)); }

std::optional<ComposedLayer> RecentOperators::completed_by(const c10::OperatorHandle& op,
                                                           const std::vector<c10::IValue>& arguments) const {
  static const auto table = make_activations();
  if (calls_.empty() || !is_last(functional_name(op.operator_name().name)) || !libtorch::functional(op)) return {};
  for (auto& input : candidates(calls_, arguments)) {
    Reading reading(calls_, input);
    auto formula = reading.read(op, arguments);
    if (!formula) continue;
    auto parts = reading.used();
    if (parts.empty()) continue;  // one operator is what the table of operators says
    auto found = std::find_if(table.begin(), table.end(), [&](auto& each) { return matches(*formula, each.formula); });
    if (found == table.end()) continue;
    // What leaves a layer's output as it is (times 1, plus 0) is no part of it.
    bool changes_nothing = std::any_of(arguments.begin(), arguments.end(), [&](auto& argument) {
      auto before = is_tensor(argument) ? Reading(calls_, input).read(argument.toTensor()) : std::nullopt;
      return before && matches(*before, found->formula);
    });
    if (changes_nothing) continue;
    ComposedLayer out{.operation = operation_of(parts, op, arguments, input, reading.constants()),
                      .input = input,
                      .in_place = libtorch::writes_in_place(op.operator_name().name)};
    out.operation.kind = language::find_kind(found->kind);
    for (auto& each : reading.constants()) out.parameters.emplace_back("weight", each);
    for (auto* part : parts)
      if (part->part != 0) out.parts.push_back(part->part);
    return out;
  }
  return {};
}

void RecentOperators::add(const c10::OperatorHandle& op, std::vector<c10::IValue> arguments, const at::Tensor& output,
                          std::uint64_t part) {
  constexpr std::size_t longest = 24;  // mish has 9, with a cast to another type 11
  calls_.push_back({op, std::move(arguments), libtorch::Made(output), part});
  if (calls_.size() > longest) calls_.pop_front();
}

}  // namespace ascribe::layering
