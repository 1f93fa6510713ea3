// Whether a condition holds of which one answer is wanted, as in `require` and `expect`.
#pragma once

#include "grammar/overloaded.hpp"
#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// Follows lets, `not`, `if`, `and` and `or`, from left to right and no further than needed; `decide` is called for
/// what these join: a comparison, has(), a function's call, a value in a session.
template <typename Decide>
bool holds(const Expression& condition, const Decide& decide) {
  auto inner = [&](const ExpressionPointer& each) { return holds(*each, decide); };
  return std::visit(
      overloaded{
          [&](const LetReference& node) { return inner(node.value); },
          [&](const Unary& node) { return !inner(node.operand); },
          [&](const Conditional& node) { return inner(inner(node.condition) ? node.consequence : node.alternative); },
          [&](const Chain& node) {
            bool all = node.operators.front() == Operator::logical_and;
            for (auto& operand : node.operands)
              if (inner(operand) != all) return !all;
            return all;
          },
          [&](const OneOf<Constant, ParameterReference, QuantityReference, List, NameList, BuiltinCall,
                          StabilizerFunction, Stabilize, HasParameter, FunctionCall, Comparison, Power, Tensor, Random,
                          Relevance, NamedValue> auto&) -> bool { return decide(condition); }},
      condition.node);
}

}  // namespace ascribe::language
