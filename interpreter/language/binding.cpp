#include "interpreter/language/binding.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/overloaded.hpp"
#include "grammar/shown_shape.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/spaces.hpp"
#include "interpreter/language/traverse.hpp"

namespace ascribe::language {
namespace {

Type type_of(const Value& value) {
  struct {
    Type operator()(double) const { return scalar; }
    Type operator()(const Array&) const { return array; }
    Type operator()(const Names&) const { return names; }
    Type operator()(const Stabilizer&) const { return stabilizer; }
  } visitor;
  return std::visit(visitor, value);
}

std::vector<Value> match(const std::string& name, const std::vector<Parameter>& parameters,
                         const NamedValues& arguments) {
  std::vector<std::string> known;
  for (auto& parameter : parameters) known.push_back(parameter.name);
  for (auto& [given, value] : arguments)
    if (std::find(known.begin(), known.end(), given) == known.end())
      throw Error({.code = Code::unknown_argument,
                   .message = filled("`{}` has no parameter `{}`", name, given),
                   .help = did_you_mean(
                       given, known,
                       known.empty() ? filled("`{}` takes no arguments", name) : filled("it has: {}", listed(known)))});
  for (auto each = arguments.begin(); each != arguments.end(); ++each)
    if (std::any_of(arguments.begin(), each, [&](auto& earlier) { return earlier.first == each->first; }))
      throw Error({.code = Code::repeated_argument,
                   .message = filled("`{}` of `{}` is given twice", each->first, name),
                   .help = "leave one out"});
  std::vector<Value> out;
  for (auto& parameter : parameters) {
    std::optional<Value> value = parameter.default_value;
    for (auto& [given, each] : arguments) {
      if (given != parameter.name) continue;
      if (!accepts(parameter.type, type_of(each)))
        throw Error({.code = Code::wrong_type,
                     .message = filled("`{}` of `{}` takes {}, not {}", given, name, describe(parameter.type),
                                       describe(type_of(each))),
                     .help = filled("write `{} = {}`", given, example(parameter.type))});
      value = each;
      auto* number = std::get_if<double>(&each);
      if (parameter.type != stabilizer || !number) continue;
      if (auto problem = problem_of_stabilizer(*number))
        throw Error({.code = Code::wrong_type,
                     .message = filled("`{}` of `{}`: {}", given, name, *problem),
                     .help = example_of_stabilizer});
      value = Stabilizer{*number, nullptr, {}};
    }
    if (!value)
      throw Error({.code = Code::missing_argument,
                   .message = filled("`{}` needs `{}`", name, parameter.name),
                   .help = filled("write `{}({} = …)`", name, parameter.name)});
    out.push_back(std::move(*value));
  }
  return out;
}

std::string description(const std::string& name, const std::vector<Parameter>& parameters,
                        const std::vector<Value>& values) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto* list = std::get_if<Names>(&values[i]);
    if (list && list->empty()) continue;  // "no names" is what everybody expects
    parts.push_back(filled("{} = {}", parameters[i].name, describe(values[i])));
  }
  return parts.empty() ? name : filled("{}({})", name, fmt::join(parts, ", "));
}

// What cannot be computed is reported where it is written; `source` holds the definition that the expression is in.
template <typename Compute>
auto computed(const SourcePointer& source, Compute compute) {
  try {
    return compute();
  } catch (const Error& error) {
    auto diagnostic = error.diagnostics().front();
    if (!diagnostic.primary.source) diagnostic.primary.source = source;
    throw Error(diagnostic);
  }
}

template <typename Callee>
std::vector<Value> evaluate_arguments(const Target& target, const Callee& callee, std::span<const Value> outer,
                                      const SourcePointer& source, Budget& budget) {
  std::vector<Value> out;
  for (std::size_t i = 0; i < target.arguments.size(); ++i) {
    auto& parameter = callee.parameters[i];
    if (target.arguments[i] == parameter.default_expression && parameter.default_value)
      out.push_back(*parameter.default_value);
    else
      out.push_back(
          computed(source, [&] { return evaluate_argument(*target.arguments[i], outer, parameter.type, &budget); }));
  }
  return out;
}

bool holds(const Requirement& requirement, const Rule& rule, std::span<const Value> values, Budget& budget) {
  return computed(rule.place.source, [&] { return evaluate_truth(*requirement.condition, values, &budget); });
}

bool is_about_layer(const Expression& expression) {
  bool found = false;
  traverse(expression,
           [&](const Expression& inner) { found = found || std::holds_alternative<HasParameter>(inner.node); });
  return found;
}

// What has() has no part in is computed at once, so that what cannot be computed is found before any layer is met.
void try_parts(const Expression& expression, std::span<const Value> values, Budget& budget) {
  if (!is_about_layer(expression)) {
    evaluate_truth(expression, values, &budget);
    return;
  }
  auto part = [&](const ExpressionPointer& inner) { try_parts(*inner, values, budget); };
  std::visit(
      overloaded{[&](const LetReference& node) { part(node.value); }, [&](const Unary& node) { part(node.operand); },
                 [&](const Conditional& node) { part(node.condition), part(node.consequence), part(node.alternative); },
                 [&](const Chain& node) {
                   for (auto& operand : node.operands) part(operand);
                 },
                 // has() itself, and what the checker lets it stand in nowhere.
                 [](const OneOf<Constant, ParameterReference, QuantityReference, List, NameList, BuiltinCall,
                                StabilizerFunction, Stabilize, HasParameter, FunctionCall, Comparison, Power, Tensor,
                                Random, Relevance, NamedValue> auto&) {}},
      expression.node);
}

[[noreturn]] void refuse(const std::string& call, const Rule& rule, const Requirement& requirement) {
  throw Error({.code = Code::requirement_violated,
               .message = filled("`{}` is refused: {}", call, requirement.message),
               .primary = {rule.place.source, requirement.span, "this does not hold"}});
}

// Refuses a call that stands in a definition: the call is what is wrong, the requirement says why.
template <typename Try>
auto in_call(const SourcePointer& source, const Target& target, Try attempt) {
  try {
    return attempt();
  } catch (const Error& error) {
    auto diagnostic = error.diagnostics().front();
    diagnostic.others.insert(diagnostic.others.begin(), diagnostic.primary);
    diagnostic.primary = {source, target.span, ""};
    throw Error(diagnostic);
  }
}

BoundRule bind_values(std::shared_ptr<const Rule> rule, std::vector<Value> values, Budget& budget) {
  auto shown = description(rule->name, rule->parameters, values);
  while (rule->alias) {
    auto target = std::get<std::shared_ptr<const Rule>>(rule->alias->definition);
    values = evaluate_arguments(*rule->alias, *target, values, rule->place.source, budget);
    rule = std::move(target);
  }
  for (auto& requirement : rule->requirements) {
    if (requirement.about_layer)
      computed(rule->place.source, [&] { try_parts(*requirement.condition, values, budget); });
    if (!requirement.about_layer && !holds(requirement, *rule, values, budget)) refuse(shown, *rule, requirement);
  }
  return {std::move(rule), std::move(values), std::move(shown)};
}

void flatten(const std::shared_ptr<const Composite>& composite, const std::vector<Value>& values,
             const std::vector<BoundEntry::Condition>& outer, std::vector<BoundEntry>& out, Budget& budget);

void flatten(const Target& target, std::span<const Value> values, const std::vector<BoundEntry::Condition>& conditions,
             const Place& place, std::vector<BoundEntry>& out, Budget& budget) {
  auto arguments_of = [&](auto& callee) { return evaluate_arguments(target, callee, values, place.source, budget); };
  auto add = overloaded{[&](Engine engine) {
                          out.push_back({conditions, engine, place, describe(place)});
                        },
                        [&](const std::shared_ptr<const Rule>& rule) {
                          auto arguments = arguments_of(*rule);
                          auto bound = in_call(place.source, target,
                                               [&] { return bind_values(rule, std::move(arguments), budget); });
                          out.push_back({conditions, std::move(bound), place, describe(place)});
                        },
                        [&](const std::shared_ptr<const Composite>& composite) {
                          flatten(composite, arguments_of(*composite), conditions, out, budget);
                        }};
  std::visit(add, target.definition);
}

void flatten(const std::shared_ptr<const Composite>& composite, const std::vector<Value>& values,
             const std::vector<BoundEntry::Condition>& outer, std::vector<BoundEntry>& out, Budget& budget) {
  if (composite->alias)
    return flatten(*composite->alias, values, outer, {composite->place.source, composite->alias->span}, out, budget);
  for (auto& entry : composite->entries) {
    auto conditions = outer;
    conditions.push_back({entry.count, entry.number, entry.layers});
    flatten(entry.target, values, conditions, {composite->place.source, entry.span}, out, budget);
  }
}

// ------------------------------------------------------------------------------------------------- arguments so far

// The values of a definition's parameters, as far as they are known.
using Known = std::vector<std::optional<Value>>;

// What is not known is not read.
std::vector<Value> filled_up(const Known& known) {
  std::vector<Value> out;
  for (auto& each : known) out.push_back(each.value_or(Value(0.0)));
  return out;
}

template <typename Callee>
Known known_arguments(const Target& target, const Callee& callee, const Known& outer, const SourcePointer& source,
                      Budget& budget) {
  Known out;
  auto values = filled_up(outer);
  for (std::size_t i = 0; i < target.arguments.size(); ++i) {
    auto& parameter = callee.parameters[i];
    auto& argument = *target.arguments[i];
    if (target.arguments[i] == parameter.default_expression)
      out.push_back(parameter.default_value);
    else if (!is_known(argument, outer))
      out.emplace_back();
    else
      out.push_back(computed(source, [&] { return evaluate_argument(argument, values, parameter.type, &budget); }));
  }
  return out;
}

std::string known_description(const Rule& rule, const Known& known) {
  std::vector<Parameter> parameters;
  std::vector<Value> values;
  for (std::size_t i = 0; i < known.size(); ++i)
    if (known[i]) parameters.push_back(rule.parameters[i]), values.push_back(*known[i]);
  return description(rule.name, parameters, values);
}

void try_known(const Rule& called, const Known& arguments, Budget& budget) {
  auto known = arguments;
  auto* rule = &called;
  while (rule->alias) {
    auto& target = *std::get<std::shared_ptr<const Rule>>(rule->alias->definition);
    known = known_arguments(*rule->alias, target, known, rule->place.source, budget);
    rule = &target;
  }
  auto values = filled_up(known);
  for (auto& requirement : rule->requirements)
    if (!requirement.about_layer && is_known(*requirement.condition, known) &&
        !holds(requirement, *rule, values, budget))
      refuse(known_description(called, arguments), *rule, requirement);
}

void try_known(const Target& target, const Known& outer, const SourcePointer& source, Budget& budget) {
  auto attempt = overloaded{[](Engine) {},
                            [&](const std::shared_ptr<const Rule>& rule) {
                              auto known = known_arguments(target, *rule, outer, source, budget);
                              in_call(source, target, [&] { try_known(*rule, known, budget); });
                            },
                            [&](const std::shared_ptr<const Composite>& composite) {
                              auto known = known_arguments(target, *composite, outer, source, budget);
                              auto& inside = composite->place.source;
                              if (composite->alias) try_known(*composite->alias, known, inside, budget);
                              for (auto& entry : composite->entries) try_known(entry.target, known, inside, budget);
                            }};
  std::visit(attempt, target.definition);
}

}  // namespace

void try_known_arguments(const Target& target) {
  Budget budget;
  if (auto* rule = std::get_if<std::shared_ptr<const Rule>>(&target.definition))
    try_known(**rule, known_arguments(target, **rule, {}, nullptr, budget), budget);
  else
    try_known(target, {}, nullptr, budget);
}

BoundRule bind(const std::shared_ptr<const Rule>& rule, const NamedValues& arguments) {
  Budget budget;
  return bind_values(rule, match(rule->name, rule->parameters, arguments), budget);
}

BoundComposite bind(const std::shared_ptr<const Composite>& composite, const NamedValues& arguments) {
  auto values = match(composite->name, composite->parameters, arguments);
  BoundComposite out{description(composite->name, composite->parameters, values), {}};
  Budget budget;
  flatten(composite, values, {}, out.entries, budget);
  return out;
}

BoundComposite bind(const Target& target) {
  Budget budget;
  if (auto* composite = std::get_if<std::shared_ptr<const Composite>>(&target.definition)) {
    auto values = evaluate_arguments(target, **composite, {}, nullptr, budget);
    BoundComposite out{description((*composite)->name, (*composite)->parameters, values), {}};
    flatten(*composite, values, {}, out.entries, budget);
    return out;
  }
  auto& rule = std::get<std::shared_ptr<const Rule>>(target.definition);
  return for_linear_layers(bind_values(rule, evaluate_arguments(target, *rule, {}, nullptr, budget), budget));
}

BoundComposite for_linear_layers(BoundRule rule) {
  BoundComposite out{rule.description, {}};
  auto place = rule.rule->place;
  out.entries.push_back(
      {{{Entry::Count::all, 1, {{"linear", {}}, {"convolution", {}}}}}, std::move(rule), place, describe(place)});
  return out;
}

std::string describe(const Value& value) {
  struct {
    std::string operator()(double number) const { return filled("{}", number); }
    std::string operator()(const Array& values) const {
      return values.values->size() <= 4 && values.shape.size() == 1 ? filled("[{}]", fmt::join(*values.values, ", "))
                                                                    : filled("a tensor {}", shown_shape(values.shape));
    }
    std::string operator()(const Names& list) const {
      std::vector<std::string> quoted;
      for (auto& name : list) quoted.push_back(filled("\"{}\"", name));
      return filled("[{}]", fmt::join(quoted, ", "));
    }
    std::string operator()(const Stabilizer& it) const {
      if (!it.function) return filled("{}", it.epsilon);
      std::vector<std::string> parts;
      for (auto& each : it.rest) parts.push_back(describe(each));
      return parts.empty() ? it.function->name : filled("{}({})", it.function->name, fmt::join(parts, ", "));
    }
  } visitor;
  return std::visit(visitor, value);
}

std::string describe(const Place& place) {
  if (!place.source) return "";
  auto [line, column] = place.source->position(place.span.begin);
  return filled("{}:{}:{}", place.source->name(), line, column);
}

}  // namespace ascribe::language
