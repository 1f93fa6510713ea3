#include "grammar/expression_form.hpp"

#include <algorithm>

#include "grammar/overloaded.hpp"

namespace ascribe {

using namespace syntax;

bool is_atom(const Expression& expression) {
  return std::visit(
      overloaded{[](const OneOf<Number, StringLiteral> auto&) { return true; },
                 [](const Call& node) { return !node.has_arguments; },
                 [](const Unary& node) { return node.op == Operator::negate && is_atom(*node.operand); },
                 [](const OneOf<List, Group, Chain, Comparison, Power, Conditional> auto&) { return false; }},
      expression.node);
}

bool is_bracketed(const Expression& expression) {
  return std::visit(
      overloaded{
          [](const OneOf<List, Group> auto&) { return true; }, [](const Call& node) { return node.has_arguments; },
          [](const OneOf<Number, StringLiteral, Chain, Comparison, Power, Unary, Conditional> auto&) { return false; }},
      expression.node);
}

bool all_atoms(const std::vector<Expression>& expressions) {
  return std::all_of(expressions.begin(), expressions.end(), is_atom);
}

}  // namespace ascribe
