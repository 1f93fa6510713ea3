#include "interpreter/evaluate/plan/translation.hpp"

#include "grammar/error.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/overloaded.hpp"
#include "interpreter/language/constant.hpp"

namespace ascribe::evaluate::plan {

using namespace language;
using PlanValue = plan::Value;

namespace {

std::optional<Op> op_of(Operator op) {
  switch (op) {
    case Operator::add:
      return Op::add;
    case Operator::subtract:
    case Operator::negate:
      return Op::subtract;
    case Operator::multiply:
      return Op::multiply;
    case Operator::divide:
      return Op::divide;
    case Operator::power:
      return Op::power;
    case Operator::less:
      return Op::less;
    case Operator::less_equal:
      return Op::less_equal;
    case Operator::greater:
      return Op::greater;
    case Operator::greater_equal:
      return Op::greater_equal;
    case Operator::equal:
    case Operator::not_equal:
      return Op::equal;
    case Operator::logical_and:
      return Op::logical_and;
    case Operator::logical_or:
      return Op::logical_or;
    case Operator::logical_not:
      return Op::logical_not;
  }
  return {};
}

// Of the built-ins that work element by element.
std::optional<Op> op_of(Builtin builtin) {
  switch (builtin) {
    case Builtin::abs:
      return Op::abs;
    case Builtin::sign:
      return Op::sign;
    case Builtin::sqrt:
      return Op::sqrt;
    case Builtin::exp:
      return Op::exp;
    case Builtin::log:
      return Op::log;
    case Builtin::tanh:
      return Op::tanh;
    case Builtin::sigmoid:
      return Op::sigmoid;
    case Builtin::min:
      return Op::minimum;
    case Builtin::max:
      return Op::maximum;
    case Builtin::sum:
    case Builtin::mean:
    case Builtin::quantile:
    case Builtin::stabilize:
    case Builtin::has:
    case Builtin::random:
    case Builtin::relevance:
    case Builtin::count:
      break;
  }
  return {};
}

}  // namespace

void Translation::fail(std::string obstacle) {
  obstacle_ = std::move(obstacle);
  throw Failed{};
}

std::optional<PlanValue> Translation::translate(const Expression& expression) try {
  return value(expression, nullptr);
} catch (const Failed&) {
  return {};
}

PlanValue Translation::value(const Expression& expression, const Frame* frame) {
  return std::visit(
      overloaded{[&](const Constant& node) { return graph_.number(node.value); },
                 [&](const ParameterReference& node) { return of_argument(node.index, frame); },
                 [&](const QuantityReference& node) {
                   if (node.quantity == Quantity::inputs) return graph_.number(names_.inputs);
                   if (auto found = names_.quantity(node.quantity, node.term)) return *found;
                   fail("it needs the layer's gradient");
                 },
                 [&](const LetReference& node) { return value(*node.value, frame); },
                 [&](const BuiltinCall& node) { return of_call(node, frame); },
                 [&](const FunctionCall& node) {
                   Frame arguments;
                   for (std::size_t i = 0; i < node.arguments.size(); ++i)
                     arguments.push_back(bind(*node.arguments[i], node.function->parameters[i], frame));
                   return of_function(*node.function, std::move(arguments));
                 },
                 [&](const Stabilize& node) { return of_stabilize(node, frame); },
                 [&](const Chain& node) { return of_chain(node, frame); },
                 [&](const Power& node) {
                   auto base = value(*node.base, frame);
                   return graph_.operation(Op::power, base, value(*node.exponent, frame));
                 },
                 [&](const Unary& node) {
                   auto operand = value(*node.operand, frame);
                   if (node.op == Operator::negate) return graph_.operation(Op::subtract, graph_.number(0), operand);
                   return graph_.operation(Op::logical_not, operand);
                 },
                 [&](const Comparison& node) {
                   if (node.within) fail("it compares within a tolerance");
                   auto left = value(*node.left, frame);
                   auto compared = graph_.operation(op_of(node.op).value(), left, value(*node.right, frame));
                   return node.op == Operator::not_equal ? graph_.operation(Op::logical_not, compared) : compared;
                 },
                 [&](const Conditional& node) {
                   auto condition = value(*node.condition, frame);
                   if (auto* known = graph_.as_number(condition))
                     return value(*known != 0 ? *node.consequence : *node.alternative, frame);
                   auto consequence = value(*node.consequence, frame);
                   return graph_.operation(Op::select, consequence, value(*node.alternative, frame), condition);
                 },
                 [&](const OneOf<List, NameList, StabilizerFunction, HasParameter, language::Tensor, Random, Relevance,
                                 NamedValue> auto&) -> PlanValue { fail("it is no number"); }},
      expression.node);
}

PlanValue Translation::of_argument(std::size_t index, const Frame* frame) {
  if (frame) {
    if (auto* known = std::get_if<PlanValue>(&frame->at(index))) return *known;
    if (auto* number = std::get_if<double>(&std::get<language::Value>(frame->at(index)))) return graph_.number(*number);
    fail("a function is given numbers with a shape");
  }
  auto& argument = names_.arguments[index];
  if (auto* number = std::get_if<double>(&argument)) return graph_.number(*number);
  auto space = names_.parameters[index].type.space;
  if (!std::holds_alternative<Array>(argument) || space == Space::param) fail("an argument is no number");
  using Of = Source::Of;
  return graph_.source({space == Space::output ? Of::argument_on_output : Of::argument, index});
}

PlanValue Translation::of_call(const BuiltinCall& call, const Frame* frame) {
  auto op = op_of(call.builtin);
  auto out = value(*call.arguments.front(), frame);
  if (!op) return of_reduction(call, out, frame);
  if (plan::info(*op).operands == 1) return graph_.operation(*op, out);
  for (std::size_t i = 1; i < call.arguments.size(); ++i)
    out = graph_.operation(*op, out, value(*call.arguments[i], frame));
  return out;
}

PlanValue Translation::of_reduction(const BuiltinCall& call, PlanValue of, const Frame* frame) {
  auto* row = std::get_if<language::Reduction>(&language::info(call.builtin).sort);
  if (!row || graph_.as_number(of)) fail("it reduces a number");
  // Of one number for each sample, the reference tells that there are no dimensions.
  bool of_samples = graph_.depends_on(of, [&](auto& source) {
    return source.of == Source::Of::reduced && graph_.reductions()[source.index].dimensions.empty();
  });
  if (of_samples && !call.dimensions.empty()) fail("it reduces one number for each sample along dimensions");
  double share = 0;
  if (row->takes_share) {
    auto* number = graph_.as_number(value(*call.arguments[1], frame));
    if (!number || !is_share(*number)) fail("the share of a quantile is no number from 0 to 1");
    share = *number;
  }
  return graph_.reduction({call.builtin, call.dimensions, share, of});
}

PlanValue Translation::of_function(const Function& function, Frame arguments) {
  return value(*function.body, &arguments);
}

PlanValue Translation::of_chain(const Chain& node, const Frame* frame) {
  auto out = value(*node.operands.front(), frame);
  for (std::size_t i = 0; i < node.operators.size(); ++i)
    out = graph_.operation(op_of(node.operators[i]).value(), out, value(*node.operands[i + 1], frame));
  return out;
}

PlanValue Translation::stabilized(PlanValue z, PlanValue epsilon) {
  return graph_.operation(Op::add, z, graph_.operation(Op::multiply, epsilon, graph_.operation(Op::sign, z)));
}

PlanValue Translation::of_stabilize(const Stabilize& node, const Frame* frame) {
  auto z = value(*node.z, frame);
  auto by_function = [&](const Function& function, auto begin, auto end, const auto& bound) {
    Frame arguments{z};
    for (auto each = begin; each != end; ++each) arguments.push_back(bound(*each, arguments.size()));
    return of_function(function, std::move(arguments));
  };
  if (auto* function = std::get_if<StabilizerFunction>(&node.epsilon->node))
    return by_function(*function->function, function->rest.begin(), function->rest.end(),
                       [&](const ExpressionPointer& each, std::size_t place) {
                         return bind(*each, function->function->parameters[place], frame);
                       });
  if (!node.by_stabilizer) return stabilized(z, value(*node.epsilon, frame));
  auto* reference = std::get_if<ParameterReference>(&node.epsilon->node);
  if (!reference) fail("its stabilizer is no parameter");
  auto* given =
      frame ? std::get_if<language::Value>(&frame->at(reference->index)) : &names_.arguments[reference->index];
  auto* stabilizer = given ? std::get_if<Stabilizer>(given) : nullptr;
  if (!stabilizer) fail("its stabilizer is computed");
  if (!stabilizer->function) return stabilized(z, graph_.number(stabilizer->epsilon));
  return by_function(*stabilizer->function, stabilizer->rest.begin(), stabilizer->rest.end(),
                     [](const language::Value& each, std::size_t) { return Bound(each); });
}

Translation::Bound Translation::bind(const Expression& expression, const Parameter& parameter, const Frame* frame) {
  if (parameter.type != language::stabilizer) return value(expression, frame);
  if (auto* it = std::get_if<ParameterReference>(&expression.node)) {
    auto* given = frame ? std::get_if<language::Value>(&frame->at(it->index)) : &names_.arguments[it->index];
    if (given && std::holds_alternative<Stabilizer>(*given)) return *given;
  }
  if (std::holds_alternative<StabilizerFunction>(expression.node)) fail("a function is given a stabilizer");
  auto epsilon = value(expression, frame);
  auto* number = graph_.as_number(epsilon);
  if (!number) fail("a stabilizer is given a tensor");
  return language::Value(Stabilizer{*number, nullptr, {}});
}

}  // namespace ascribe::evaluate::plan
