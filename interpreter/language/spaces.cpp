#include "interpreter/language/spaces.hpp"

#include <fmt/format.h>

namespace ascribe::language {
namespace {

Space space_of(Quantity quantity) {
  switch (quantity) {
    case Quantity::w:
      return Space::param;
    case Quantity::y:
    case Quantity::R:
    case Quantity::layer_y:
      return Space::output;
    default:
      return Space::input;
  }
}

}  // namespace

bool accepts(Type parameter, Type argument) {
  if (argument.form == Form::unknown || parameter.form == Form::unknown) return true;
  if (parameter.form == Form::stabilizer) return argument.form == Form::stabilizer || argument == scalar;
  if (parameter.form != Form::number) return parameter.form == argument.form;
  if (argument.form == Form::array) return parameter.space != Space::scalar;
  return argument.form == Form::number && (argument.space == Space::scalar || argument.space == parameter.space);
}

Type SpaceChecker::infer(const Expression& expression) { return infer_node(expression); }

bool SpaceChecker::expect(Type actual, Type wanted, Span where, const std::string& what) {
  if (actual.form == Form::unknown) return true;
  if (actual.form == Form::number && wanted.form == Form::number) {
    auto space = joined(actual, wanted, {0, 0}).space;
    if (merged_ && wanted.space == Space::input && actual.space == Space::output) return true;
    if (join(actual.space, wanted.space) == wanted.space && space == wanted.space) return true;
    bool reduces = actual.space == Space::input || actual.space == Space::output;
    reporter_.report(Code::wrong_space, where,
                     fmt::format("{} takes {}, this is {}", what, describe(wanted), describe(actual)),
                     reduces ? "reduce it to one number per sample: `sum(…)` or `mean(…)`" : "");
    return false;
  }
  if (actual.form == wanted.form) return true;
  reporter_.report(Code::wrong_type, where,
                   fmt::format("{} takes {}, this is {}", what, describe(wanted), describe(actual)),
                   actual.form == Form::truth ? "write `if c then 1 else 0`" : "");
  return false;
}

Type SpaceChecker::joined(Type a, Type b, Span where) {
  if (a.form == Form::unknown || b.form == Form::unknown) return unknown;
  auto space = join(a.space, b.space);
  if (!space && merged_ && a.space != Space::param && b.space != Space::param) space = Space::input;
  if (space) return Type::number(*space);
  if (where == Span{}) return unknown;
  bool param = a.space == Space::param || b.space == Space::param;
  reporter_.report(Code::wrong_space, where, fmt::format("{} does not meet {}", describe(a), describe(b)),
                   param ? "reduce the parameter to a scalar: `sum(w)` or `mean(w)`"
                         : "reduce one of them to one number per sample: `sum(…)` or `mean(…)`");
  return unknown;
}

Type SpaceChecker::number(const ExpressionPointer& expression) {
  auto type = infer(*expression);
  if (type.is_number()) return type;
  std::string help;
  if (type.form == Form::truth) help = "write `if c then a else b`";
  if (type.form == Form::stabilizer) help = "a stabilizer is used by `stabilize(z, …)`";
  reporter_.report(Code::wrong_type, expression->span, fmt::format("{} is no number", describe(type)), help);
  return unknown;
}

Type SpaceChecker::truth_of(const ExpressionPointer& expression, const char* what) {
  auto type = infer(*expression);
  if (type.form == Form::truth) return Type::number(type.space);
  if (type.form != Form::truth && type.form != Form::unknown)
    reporter_.report(Code::wrong_type, expression->span,
                     fmt::format("{} takes a truth value, this is {}", what, describe(type)), "compare: `y > 0`");
  return unknown;
}

Type SpaceChecker::infer_node(const Expression& expression) {
  auto span = expression.span;
  auto& node = expression.node;
  if (std::holds_alternative<Constant>(node)) return scalar;
  if (auto* it = std::get_if<ParameterReference>(&node)) return parameters_.at(it->index);
  if (auto* it = std::get_if<QuantityReference>(&node)) return Type::number(space_of(it->quantity));
  if (auto* it = std::get_if<LetReference>(&node)) {
    auto found = lets_.find(it->value.get());
    if (found == lets_.end()) {
      auto type = infer(*it->value);
      found = lets_.emplace(it->value.get(), type).first;
    }
    return found->second;
  }
  if (std::holds_alternative<List>(node)) return array;
  if (std::holds_alternative<NameList>(node)) return names;
  if (auto* it = std::get_if<Tensor>(&node)) {
    for (auto& each : it->elements) expect(infer(*each), scalar, each->span, "a list");
    return Type::number(Space::input);
  }
  if (auto* it = std::get_if<Random>(&node)) {
    for (auto& each : it->sizes) expect(infer(*each), scalar, each->span, "a size");
    if (it->seed) expect(infer(*it->seed), scalar, it->seed->span, "`seed`");
    return Type::number(Space::input);
  }
  if (std::holds_alternative<Relevance>(node)) return Type::number(Space::input);
  if (std::holds_alternative<HasParameter>(node)) return truth;
  if (std::holds_alternative<StabilizerFunction>(node)) return stabilizer;
  if (auto* it = std::get_if<FunctionCall>(&node)) return function_call(*it, span);
  if (auto* it = std::get_if<Stabilize>(&node)) return stabilize(*it, span);
  if (auto* it = std::get_if<BuiltinCall>(&node)) {
    if (it->builtin == Builtin::sum || it->builtin == Builtin::mean) return reduction(*it, span);
    auto type = number(it->arguments.front());
    for (std::size_t i = 1; i < it->arguments.size(); ++i) type = joined(type, number(it->arguments[i]), span);
    return type;
  }
  if (auto* it = std::get_if<Power>(&node)) {
    auto base = number(it->base);
    return joined(base, number(it->exponent), span);
  }
  if (auto* it = std::get_if<Unary>(&node)) {
    if (it->op == Operator::negate) return number(it->operand);
    return Type::truth(truth_of(it->operand, "`not`").space);
  }
  if (auto* it = std::get_if<Comparison>(&node)) {
    auto left = number(it->left);
    auto type = joined(left, number(it->right), span);
    if (it->within) type = joined(type, number(it->within), span);
    return Type::truth(type.space);
  }
  if (auto* it = std::get_if<Conditional>(&node)) {
    auto condition = truth_of(it->condition, "`if`");
    auto consequence = infer(*it->consequence), alternative = infer(*it->alternative);
    bool both_truth = consequence.form == Form::truth && alternative.form == Form::truth;
    if (both_truth)
      consequence = Type::number(consequence.space), alternative = Type::number(alternative.space);
    else
      consequence = number(it->consequence), alternative = number(it->alternative);
    auto type = joined(condition, joined(consequence, alternative, span), span);
    return both_truth ? Type::truth(type.space) : type;
  }
  auto& chain = std::get<Chain>(node);
  if (chain.operators.front() == Operator::logical_and || chain.operators.front() == Operator::logical_or) {
    auto type = scalar;
    for (auto& operand : chain.operands)
      type = joined(type, truth_of(operand, chain.operators.front() == Operator::logical_and ? "`and`" : "`or`"), span);
    return Type::truth(type.space);
  }
  auto type = number(chain.operands.front());
  for (std::size_t i = 1; i < chain.operands.size(); ++i)
    type = joined(type, number(chain.operands[i]), {chain.operands.front()->span.begin, chain.operands[i]->span.end});
  return type;
}

Type SpaceChecker::reduction(const BuiltinCall& node, Span where) {
  auto type = number(node.arguments.front());
  if (type.form == Form::unknown) return type;
  auto name = info(node.builtin).name;
  if (type.space == Space::scalar || type.space == Space::sample) {
    reporter_.report(Code::wrong_space, where,
                     fmt::format("`{}` has nothing to reduce: this is {}", name, describe(type)), "leave it out");
    return unknown;
  }
  if (node.dimensions.empty()) return Type::number(type.space == Space::param ? Space::scalar : Space::sample);
  for (auto d : node.dimensions)
    if (d == 0 && type.space != Space::param) {
      reporter_.report(Code::bad_dimension, where, fmt::format("`{}` over dimension 0 would mix samples", name),
                       fmt::format("dimension 0 is the batch; `{}(z)` reduces each sample", name));
      return unknown;
    }
  return type;
}

Type SpaceChecker::stabilize(const Stabilize& node, Span where) {
  auto z = number(node.z);
  if (!node.by_stabilizer) return joined(z, number(node.epsilon), where);
  if (auto* it = std::get_if<StabilizerFunction>(&node.epsilon->node)) {
    std::vector<Type> types{z};
    for (auto& each : it->rest) types.push_back(infer(*each));
    return joined(z, apply(*it->function, std::move(types), where), where);
  }
  return z;  // a parameter: its function is checked with z where it is given
}

Type SpaceChecker::function_call(const FunctionCall& node, Span where) {
  std::vector<Type> types;
  for (auto& each : node.arguments) types.push_back(infer(*each));
  return apply(*node.function, std::move(types), where);
}

Type SpaceChecker::apply(const Function& function, std::vector<Type> arguments, Span where) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    auto& parameter = function.parameters[i];
    bool fits = parameter.type.form == Form::unknown ? arguments[i].is_number() : accepts(parameter.type, arguments[i]);
    if (!fits) {
      reporter_.report(Code::wrong_type, where,
                       fmt::format("`{}` of `{}` takes {}, not {}", parameter.name, function.name,
                                   parameter.type.form == Form::unknown ? "a number" : describe(parameter.type),
                                   describe(arguments[i])));
      return unknown;
    }
  }
  // The body is written elsewhere; a mistake that only this call makes belongs to this call.
  std::vector<Diagnostic> inside;
  SpaceChecker body(Reporter(function.place.source, inside), std::move(arguments), merged_);
  auto type = body.infer(*function.body);
  if (inside.empty()) return type;
  auto& diagnostic =
      reporter_.report(inside.front().code, where, fmt::format("in `{}`: {}", function.name, inside.front().message),
                       inside.front().help);
  diagnostic.others.push_back({inside.front().primary.source, inside.front().primary.span, "here"});
  return unknown;
}

}  // namespace ascribe::language
