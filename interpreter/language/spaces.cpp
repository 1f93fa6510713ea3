#include "interpreter/language/spaces.hpp"

#include "grammar/filled_text.hpp"
#include "grammar/overloaded.hpp"
#include "interpreter/language/constant.hpp"

namespace ascribe::language {
namespace {

constexpr const char* nothing_to_reduce = "leave it out";

// What is reported of a truth value that is used as a number, and the help as an edit.
void explain_truth(Diagnostic& diagnostic) {
  auto where = diagnostic.primary.span;
  auto written = diagnostic.primary.source->text(where);
  bool one_line = !written.empty() && written.find('\n') == std::string_view::npos;
  auto text = filled("if {} then 1 else 0", one_line ? written : "c");
  diagnostic.help = filled("write `{}`", text);
  if (one_line) diagnostic.fixes = {{diagnostic.help, {{where, text}}}};
}

}  // namespace

bool accepts(Type parameter, Type argument) {
  if (argument.form == Form::unknown || parameter.form == Form::unknown) return true;
  if (parameter.form == Form::stabilizer) return argument.form == Form::stabilizer || argument == scalar;
  if (parameter.form != Form::number) return parameter.form == argument.form;
  if (argument.form == Form::array) return parameter.space != Space::scalar;
  return argument.form == Form::number && (argument.space == Space::scalar || argument.space == parameter.space);
}

Type SpaceChecker::infer(const Expression& expression) {
  return std::visit([&](auto& node) { return infer_node(node, expression.span); }, expression.node);
}

bool SpaceChecker::expect(Type actual, Type wanted, Span where, const std::string& what) {
  if (actual.form == Form::unknown) return true;
  if (actual.form == Form::number && wanted.form == Form::number) {
    auto space = joined(actual, wanted, {0, 0}).space;
    if (moment_ == Moment::backward && wanted.space == Space::input && actual.space == Space::output) return true;
    if (join(actual.space, wanted.space) == wanted.space && space == wanted.space) return true;
    bool reduces = actual.space == Space::input || actual.space == Space::output;
    reporter_.report(Code::wrong_space, where,
                     filled("{} takes {}, this is {}", what, describe(wanted), describe(actual)),
                     reduces ? "reduce it to one number per sample: `sum(…)` or `mean(…)`" : "");
    return false;
  }
  if (actual.form == wanted.form) return true;
  auto& diagnostic = reporter_.report(Code::wrong_type, where,
                                      filled("{} takes {}, this is {}", what, describe(wanted), describe(actual)));
  if (actual.form == Form::truth) explain_truth(diagnostic);
  return false;
}

Type SpaceChecker::joined(Type a, Type b, Span where) {
  if (a.form == Form::unknown || b.form == Form::unknown) return unknown;
  auto space = join(a.space, b.space);
  if (!space && moment_ == Moment::backward && a.space != Space::param && b.space != Space::param) space = Space::input;
  if (space) return Type::number(*space);
  if (where == Span{}) return unknown;
  bool param = a.space == Space::param || b.space == Space::param;
  reporter_.report(Code::wrong_space, where, filled("{} does not meet {}", describe(a), describe(b)),
                   param ? "reduce the parameter to a scalar: `sum(w)` or `mean(w)`"
                         : "reduce one of them to one number per sample: `sum(…)` or `mean(…)`");
  return unknown;
}

bool SpaceChecker::accepts(Type parameter, Type argument) const {
  auto merge = [&](Type type) {
    if (moment_ == Moment::backward && type.form == Form::number && type.space == Space::output)
      type.space = Space::input;
    return type;
  };
  return language::accepts(merge(parameter), merge(argument));
}

Type SpaceChecker::number(const ExpressionPointer& expression) { return number(infer(*expression), expression->span); }

Type SpaceChecker::number(Type type, Span where) {
  if (type.is_number()) return type;
  std::string help;
  if (type.form == Form::stabilizer) help = "a stabilizer is used by `stabilize(z, …)`";
  auto& diagnostic = reporter_.report(Code::wrong_type, where, filled("{} is no number", describe(type)), help);
  if (type.form == Form::truth) explain_truth(diagnostic);
  return unknown;
}

Type SpaceChecker::truth_of(const ExpressionPointer& expression, const char* what) {
  auto type = infer(*expression);
  if (type.form == Form::truth) return Type::number(type.space);
  if (type.form != Form::truth && type.form != Form::unknown)
    reporter_.report(Code::wrong_type, expression->span,
                     filled("{} takes a truth value, this is {}", what, describe(type)), "compare: `y > 0`");
  return unknown;
}

Type SpaceChecker::infer_node(const Constant&, Span) { return scalar; }
Type SpaceChecker::infer_node(const ParameterReference& node, Span) { return parameters_.at(node.index).type; }
Type SpaceChecker::infer_node(const QuantityReference& node, Span) { return Type::number(space_of(node.quantity)); }
Type SpaceChecker::infer_node(const LetReference& node, Span) { return let(*node.value); }
Type SpaceChecker::infer_node(const List& node, Span) { return list(node); }
Type SpaceChecker::infer_node(const NameList&, Span) { return names; }
Type SpaceChecker::infer_node(const HasParameter&, Span) { return truth; }
Type SpaceChecker::infer_node(const Relevance&, Span) { return Type::number(Space::input); }
Type SpaceChecker::infer_node(const NamedValue& node, Span) { return node.type; }
Type SpaceChecker::infer_node(const FunctionCall& node, Span where) { return function_call(node, where); }
Type SpaceChecker::infer_node(const Stabilize& node, Span where) { return stabilize(node, where); }
Type SpaceChecker::infer_node(const Conditional& node, Span where) { return conditional(node, where); }

Type SpaceChecker::infer_node(const StabilizerFunction& node, Span) {
  kept(node);
  return stabilizer;
}

Type SpaceChecker::infer_node(const Tensor& node, Span) {
  for (auto& each : node.elements) expect(infer(*each), scalar, each->span, "a list");
  return Type::number(Space::input);
}

Type SpaceChecker::infer_node(const Random& node, Span) {
  for (auto& each : node.sizes) expect(infer(*each), scalar, each->span, "a size");
  if (node.seed) expect(infer(*node.seed), scalar, node.seed->span, "`seed`");
  return Type::number(Space::input);
}

Type SpaceChecker::infer_node(const BuiltinCall& node, Span where) {
  return visit_sort(node.builtin, overloaded{[&](const EachElement&) { return number(node.arguments.front()); },
                                             [&](const Fold&) { return fold(node, where); },
                                             [&](const Reduction& to) { return reduction(to, node, where); }});
}

Type SpaceChecker::infer_node(const Power& node, Span where) {
  auto base = number(node.base);
  return joined(base, number(node.exponent), where);
}

Type SpaceChecker::infer_node(const Unary& node, Span) {
  if (node.op == Operator::negate) return number(node.operand);
  return Type::truth(truth_of(node.operand, "`not`").space);
}

Type SpaceChecker::infer_node(const Comparison& node, Span where) {
  auto left = infer(*node.left), right = infer(*node.right);
  if (left.form == Form::truth && right.form == Form::truth) {
    reporter_.report(Code::wrong_type, where, "truth values are not compared", "write `a and b or not a and not b`");
    return unknown;
  }
  auto type = joined(number(left, node.left->span), number(right, node.right->span), where);
  if (node.within) type = joined(type, number(node.within), where);
  return Type::truth(type.space);
}

Type SpaceChecker::infer_node(const Chain& node, Span where) {
  auto first = node.operators.front();
  if (first == Operator::logical_and || first == Operator::logical_or) {
    auto type = scalar;
    for (auto& operand : node.operands)
      type = joined(type, truth_of(operand, first == Operator::logical_and ? "`and`" : "`or`"), where);
    return Type::truth(type.space);
  }
  auto type = number(node.operands.front());
  for (std::size_t i = 1; i < node.operands.size(); ++i)
    type = joined(type, number(node.operands[i]), {node.operands.front()->span.begin, node.operands[i]->span.end});
  return type;
}

Type SpaceChecker::fold(const BuiltinCall& node, Span where) {
  auto type = number(node.arguments.front());
  for (std::size_t i = 1; i < node.arguments.size(); ++i) type = joined(type, number(node.arguments[i]), where);
  return type;
}

Type SpaceChecker::let(const Expression& value) {
  auto found = lets_.find(&value);
  if (found != lets_.end()) return found->second;
  auto type = infer(value);
  if (type.form == Form::stabilizer || type.form == Form::names) {
    reporter_.report(Code::wrong_type, value.span,
                     filled("a let holds a number or a truth value, this is {}", describe(type)),
                     "use the parameter itself");
    type = unknown;
  }
  return lets_.emplace(&value, type).first->second;
}

Type SpaceChecker::list(const List& node) {
  bool sound = true;
  for (auto& each : node.elements) {
    auto type = infer(*each);
    if (type == scalar || type == array) continue;
    if (type.form != Form::unknown)
      reporter_.report(Code::wrong_type, each->span, filled("a list holds numbers, this is {}", describe(type)),
                       "write them out: `[1, 2]`");
    sound = false;
  }
  return sound ? array : unknown;
}

Type SpaceChecker::conditional(const Conditional& node, Span where) {
  auto condition = truth_of(node.condition, "`if`");
  auto consequence = infer(*node.consequence), alternative = infer(*node.alternative);
  bool both_truth = consequence.form == Form::truth && alternative.form == Form::truth;
  if (both_truth)
    consequence = Type::number(consequence.space), alternative = Type::number(alternative.space);
  else
    consequence = number(consequence, node.consequence->span),
    alternative = number(alternative, node.alternative->span);
  auto type = joined(condition, joined(consequence, alternative, where), where);
  return both_truth ? Type::truth(type.space) : type;
}

Type SpaceChecker::reduction(const Reduction& reduction, const BuiltinCall& node, Span where) {
  auto type = number(node.arguments.front());
  if (type.form == Form::unknown) return type;
  auto name = info(node.builtin).name;
  if (type.space == Space::scalar || type.space == Space::sample) {
    reporter_.report(Code::wrong_space, where, filled("`{}` has nothing to reduce: this is {}", name, describe(type)),
                     nothing_to_reduce);
    return unknown;
  }
  if (moment_ == Moment::before_layer && type.space != Space::param) {
    reporter_.report(
        Code::wrong_space, where,
        filled("`{}` of {} is known only where a layer is met, this is computed before", name, describe(type)),
        "compute it in a clause: `map`, `reduce`, …");
    return unknown;
  }
  if (reduction.takes_share && !share(*node.arguments[1])) return unknown;
  if (node.dimensions.empty()) return Type::number(type.space == Space::param ? Space::scalar : Space::sample);
  for (auto d : node.dimensions)
    if (d == 0 && type.space != Space::param) {
      reporter_.report(Code::bad_dimension, where, filled("`{}` over dimension 0 would mix samples", name),
                       filled("dimension 0 is the batch; `{}` reduces each sample",
                              reduction.takes_share ? filled("{}(z, 0.9)", name) : filled("{}(z)", name)));
      return unknown;
    }
  return type;
}

bool SpaceChecker::share(const Expression& expression) {
  auto type = infer(expression);
  if (type.form == Form::unknown) return true;
  if (type != scalar) {
    reporter_.report(Code::wrong_space, expression.span,
                     filled("the share of `quantile` is a scalar, this is {}", describe(type)),
                     "for the largest tenth write `quantile(z, 0.9)`");
    return false;
  }
  if (!is_constant(expression)) return true;  // decided where its value is known
  auto value = evaluate_number(expression, {});
  if (is_share(value)) return true;
  reporter_.report(
      Code::wrong_type, expression.span, filled("a share lies between 0 and 1, this is {}", value),
      value > 1 && value <= 100 ? filled("write `{}`", value / 100) : "for the largest tenth write `quantile(z, 0.9)`");
  return false;
}

// ------------------------------------------------------------------------------------------ functions and stabilizers

Given SpaceChecker::given(const Expression& expression) {
  if (auto* it = std::get_if<ParameterReference>(&expression.node)) return parameters_.at(it->index);
  auto* it = std::get_if<StabilizerFunction>(&expression.node);
  if (!it) return {infer(expression)};
  return {stabilizer, it->function, kept(*it)};
}

std::vector<Given> SpaceChecker::kept(const StabilizerFunction& node) {
  std::vector<Given> out;
  for (std::size_t i = 0; i < node.rest.size(); ++i) {
    auto& parameter = node.function->parameters[i + 1];
    auto each = given(*node.rest[i]);
    auto wanted = parameter.type.form == Form::unknown ? scalar : parameter.type;
    // In a clause a tensor is a layer's; what is given on has to be known without one.
    bool tensor = moment_ != Moment::before_layer && each.type.form == Form::number && each.type.space != Space::scalar;
    if (tensor || !accepts(wanted, each.type)) {
      reporter_.report(Code::wrong_type, node.rest[i]->span,
                       filled("`{}` of `{}` takes {}, not {}", parameter.name, node.function->name,
                              describe(tensor ? scalar : wanted), describe(each.type)),
                       tensor ? "a stabilizer that is handed on is given numbers only" : "");
      each.type = unknown;
    } else if (wanted.form == Form::number && each.type.form != Form::unknown) {
      each.type = wanted;  // a number for an input is that number everywhere
    }
    out.push_back(std::move(each));
  }
  return out;
}

Type SpaceChecker::stabilize(const Stabilize& node, Span where) {
  auto z = number(node.z);
  if (!node.by_stabilizer) return joined(z, number(node.epsilon), where);
  auto* written = std::get_if<StabilizerFunction>(&node.epsilon->node);
  std::vector<Given> arguments{{z}};
  Given handed_on;
  if (written)
    for (auto& each : written->rest) arguments.push_back(given(*each));
  else
    handed_on = given(*node.epsilon);
  if (!written && !handed_on.function) return z;  // a number, or not known here
  auto& function = written ? *written->function : *handed_on.function;
  arguments.insert(arguments.end(), handed_on.rest.begin(), handed_on.rest.end());
  auto type = apply(function, std::move(arguments), where);
  if (type.is_number()) return type;
  reporter_.report(Code::wrong_type, where,
                   filled("a stabilizer yields a number, `{}` yields {}", function.name, describe(type)),
                   "compare where it is used: `if … then … else …`");
  return unknown;
}

Type SpaceChecker::function_call(const FunctionCall& node, Span where) {
  std::vector<Given> arguments;
  for (auto& each : node.arguments) arguments.push_back(given(*each));
  return apply(*node.function, std::move(arguments), where);
}

Type SpaceChecker::apply(const Function& function, std::vector<Given> arguments, Span where) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    auto& parameter = function.parameters[i];
    auto& type = arguments[i].type;
    bool fits = parameter.type.form == Form::unknown ? type.is_number() : accepts(parameter.type, type);
    if (!fits) {
      reporter_.report(
          Code::wrong_type, where,
          filled("`{}` of `{}` takes {}, not {}", parameter.name, function.name,
                 parameter.type.form == Form::unknown ? "a number" : describe(parameter.type), describe(type)),
          type.form == Form::number && parameter.type.form == Form::number
              ? "without a type, a function's parameter takes every space"
              : "");
      return unknown;
    }
    if (type == array) type = parameter.type;
    if (parameter.type == stabilizer && type.form == Form::number) type = stabilizer;
  }
  // The body is written elsewhere; a mistake that only this call makes belongs to this call.
  std::vector<Diagnostic> inside;
  SpaceChecker body(Reporter(function.place.source, inside), std::move(arguments), moment_);
  auto type = body.infer(*function.body);
  if (inside.empty()) return type;
  auto& found = inside.front();
  // Which call was meant is not known here, so nothing is to be left out of the function.
  auto help = found.help == nothing_to_reduce ? filled("`{}` is not for this value", function.name) : found.help;
  auto& diagnostic =
      reporter_.report(found.code, where, filled("in `{}`: {}", function.name, found.message), std::move(help));
  diagnostic.others.push_back({found.primary.source, found.primary.span, "here"});
  return unknown;
}

}  // namespace ascribe::language
