// Visiting every expression inside an expression.
#pragma once

#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// Calls `visit` for the expression and for all that it holds, lets filled in; not for the bodies of functions.
template <typename Visit>
void traverse(const Expression& expression, const Visit& visit) {
  visit(expression);
  auto into = [&](const ExpressionPointer& inner) {
    if (inner) traverse(*inner, visit);
  };
  auto all = [&](const std::vector<ExpressionPointer>& inner) {
    for (auto& each : inner) into(each);
  };
  struct Into {
    decltype(into)& one;
    decltype(all)& many;
    void operator()(const LetReference& n) const { one(n.value); }
    void operator()(const List& n) const { many(n.elements); }
    void operator()(const BuiltinCall& n) const { many(n.arguments); }
    void operator()(const StabilizerFunction& n) const { many(n.rest); }
    void operator()(const Stabilize& n) const { one(n.z), one(n.epsilon); }
    void operator()(const FunctionCall& n) const { many(n.arguments); }
    void operator()(const Chain& n) const { many(n.operands); }
    void operator()(const Comparison& n) const { one(n.left), one(n.right), one(n.within); }
    void operator()(const Power& n) const { one(n.base), one(n.exponent); }
    void operator()(const Unary& n) const { one(n.operand); }
    void operator()(const Conditional& n) const { one(n.condition), one(n.consequence), one(n.alternative); }
    void operator()(const Tensor& n) const { many(n.elements); }
    void operator()(const Random& n) const { many(n.sizes), one(n.seed); }
    void operator()(const Relevance& n) const { many(n.rules->arguments); }
    void operator()(const Constant&) const {}
    void operator()(const ParameterReference&) const {}
    void operator()(const QuantityReference&) const {}
    void operator()(const NameList&) const {}
    void operator()(const HasParameter&) const {}
    void operator()(const NamedValue&) const {}
  };
  std::visit(Into{into, all}, expression.node);
}

}  // namespace ascribe::language
