#include "interpreter/testing/evaluation.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "grammar/filled_text.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/binding.hpp"
#include "interpreter/language/constant.hpp"

namespace ascribe::testing {

using namespace language;
using evaluate::ExpressionEvaluator;
using evaluate::Operand;

at::Tensor as_tensor(const Operand& operand) {
  if (auto* number = std::get_if<double>(&operand.value)) return at::scalar_tensor(*number, at::kDouble);
  if (auto* truth_value = std::get_if<bool>(&operand.value)) return at::scalar_tensor(*truth_value, at::kBool);
  return std::get<at::Tensor>(operand.value);
}

ExpressionEvaluator Evaluation::evaluator() {
  return ExpressionEvaluator({.arguments = {},
                              .quantity = [this](Quantity quantity, int) { return subject_.quantity(quantity); },
                              .like = [](Space) { return at::empty({0}, at::kDouble); },
                              .parameters = {},
                              .test_value = [this](const Expression& each) { return test_value(each); }});
}

LayerDescription Evaluation::layer(const BuiltLayer& written) {
  LayerDescription out{written.layer, {}, {subject_.source, written.span, ""}};
  for (auto& argument : written.arguments)
    out.arguments.push_back(argument ? std::optional(as_tensor(evaluate(*argument))) : std::nullopt);
  for (auto& branch : written.branches) {
    auto& layers = out.branches.emplace_back();
    for (auto& each : branch) layers.push_back(layer(each));
  }
  return out;
}

at::Tensor Evaluation::test_value(const Expression& expression) {
  if (auto* it = std::get_if<language::Tensor>(&expression.node)) {
    auto out = at::empty(it->shape, at::kDouble);
    for (std::size_t i = 0; i < it->elements.size(); ++i)
      out.mutable_data_ptr<double>()[i] = std::get<double>(evaluate(*it->elements[i]).value);
    return out;
  }
  if (auto* it = std::get_if<Random>(&expression.node)) {
    std::vector<std::int64_t> sizes;
    for (auto& each : it->sizes) sizes.push_back(whole(*each, "a size", 1 << 24));
    return testing::random(sizes, it->seed ? whole(*it->seed, "`seed`", std::int64_t{1} << 53) : 0);
  }
  if (auto* it = std::get_if<NamedValue>(&expression.node)) return subject_.named_value(it->name);
  return subject_.relevance(bound(*std::get<Relevance>(expression.node).rules));
}

std::int64_t Evaluation::whole(const Expression& expression, const char* what, std::int64_t most) {
  auto number = std::get<double>(evaluate(expression).value);
  if (!(number >= 0 && number <= static_cast<double>(most)) || number != std::floor(number))
    throw Error({.code = Code::wrong_type,
                 .message = filled("{} is a whole number from 0 to {}, not {}", what, most, number),
                 .primary = {subject_.source, expression.span, ""}});
  return static_cast<std::int64_t>(number);
}

ascribe::Composite Evaluation::bound(const Target& target) {
  auto values = [&](const std::vector<Parameter>& parameters) {
    NamedValues out;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      auto& [name, type, default_value, default_expression] = parameters[i];
      bool left_out = default_value && target.arguments[i] == default_expression;
      out.emplace_back(name, left_out ? *default_value : argument(*target.arguments[i], type));
    }
    return out;
  };
  if (auto* composite = std::get_if<std::shared_ptr<const language::Composite>>(&target.definition))
    return Inside::make<ascribe::Composite>(
        std::make_shared<const BoundComposite>(language::bind(*composite, values((*composite)->parameters))));
  auto& rule = std::get<std::shared_ptr<const language::Rule>>(target.definition);
  auto bound_rule = language::bind(rule, values(rule->parameters));
  auto out = for_linear_layers(std::move(bound_rule));
  if (auto kind = subject_.only_kind(); !kind.empty()) out.entries.front().conditions.front().layers = {{kind, {}}};
  return Inside::make<ascribe::Composite>(std::make_shared<const BoundComposite>(std::move(out)));
}

Value Evaluation::argument(const Expression& expression, Type type) {
  if (type.form != Form::number) return evaluate_argument(expression, {}, type);
  auto operand = evaluate(expression);
  if (auto* number = std::get_if<double>(&operand.value)) return *number;
  auto values = std::get<at::Tensor>(operand.value).to(at::kCPU, at::kDouble).contiguous();
  auto* data = values.const_data_ptr<double>();
  return Array{values.sizes().vec(), std::make_shared<const std::vector<double>>(data, data + values.numel())};
}

}  // namespace ascribe::testing
