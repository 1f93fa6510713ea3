#include "grammar/syntax_compare.hpp"

#include <algorithm>

namespace ascribe {
namespace {

using namespace syntax;

// `same(a, b)` for every kind of node; each names all of the node's parts but its spans.
class SyntaxComparison {
 public:
  SyntaxComparison(const File& a, const File& b) : a_(*a.source), b_(*b.source) {}

  bool same(const Item& a, const Item& b) const { return a.documentation == b.documentation && same(a.node, b.node); }

  template <typename T>
  bool same(const std::vector<T>& a, const std::vector<T>& b) const {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [this](auto& x, auto& y) { return same(x, y); });
  }

 private:
  template <typename... Ts>
  bool same(const std::variant<Ts...>& a, const std::variant<Ts...>& b) const {
    return a.index() == b.index() && ((std::holds_alternative<Ts>(a) && same(std::get<Ts>(a), std::get<Ts>(b))) || ...);
  }
  template <typename T>
  bool same(const std::optional<T>& a, const std::optional<T>& b) const {
    return a.has_value() == b.has_value() && (!a || same(*a, *b));
  }
  bool same(const ExpressionPointer& a, const ExpressionPointer& b) const {
    return (a == nullptr) == (b == nullptr) && (!a || same(*a, *b));
  }
  bool same(std::uint64_t a, std::uint64_t b) const { return a == b; }
  bool same(Operator a, Operator b) const { return a == b; }

  bool same(const Name& a, const Name& b) const { return a.text == b.text; }
  bool same(const StringLiteral& a, const StringLiteral& b) const { return a.value == b.value; }

  bool same(const Expression& a, const Expression& b) const {
    if (std::holds_alternative<Number>(a.node) && a_.text(a.span) != b_.text(b.span)) return false;
    return same(a.node, b.node);
  }
  bool same(const Number& a, const Number& b) const { return a.value == b.value; }
  bool same(const List& a, const List& b) const { return same(a.elements, b.elements); }
  bool same(const Group& a, const Group& b) const { return same(a.inner, b.inner); }
  bool same(const Path& a, const Path& b) const { return same(a.qualifier, b.qualifier) && same(a.name, b.name); }
  bool same(const Argument& a, const Argument& b) const { return same(a.name, b.name) && same(a.value, b.value); }
  bool same(const Call& a, const Call& b) const {
    return same(a.path, b.path) && a.has_arguments == b.has_arguments && same(a.arguments, b.arguments);
  }
  bool same(const Chain& a, const Chain& b) const {
    return same(a.operands, b.operands) && same(a.operators, b.operators);
  }
  bool same(const Comparison& a, const Comparison& b) const {
    return a.op == b.op && same(a.left, b.left) && same(a.right, b.right) && same(a.within, b.within);
  }
  bool same(const Power& a, const Power& b) const { return same(a.base, b.base) && same(a.exponent, b.exponent); }
  bool same(const Unary& a, const Unary& b) const { return a.op == b.op && same(a.operand, b.operand); }
  bool same(const Conditional& a, const Conditional& b) const {
    return same(a.condition, b.condition) && same(a.consequence, b.consequence) && same(a.alternative, b.alternative);
  }

  bool same(const Parameter& a, const Parameter& b) const {
    return same(a.name, b.name) && same(a.type, b.type) && same(a.default_value, b.default_value);
  }
  bool same(const Modifier& a, const Modifier& b) const {
    return a.stage == b.stage && same(a.selector, b.selector) && same(a.value, b.value);
  }
  bool same(const Let& a, const Let& b) const { return same(a.name, b.name) && same(a.value, b.value); }
  bool same(const Term& a, const Term& b) const { return same(a.name, b.name) && same(a.modifiers, b.modifiers); }
  bool same(const Outcome& a, const Outcome& b) const { return a.stage == b.stage && same(a.value, b.value); }
  bool same(const Require& a, const Require& b) const {
    return same(a.condition, b.condition) && same(a.message, b.message);
  }
  bool same(const Rule& a, const Rule& b) const {
    return same(a.name, b.name) && same(a.parameters, b.parameters) && same(a.alias, b.alias) &&
           same(a.clauses, b.clauses);
  }
  bool same(const Layers& a, const Layers& b) const { return same(a.kind, b.kind) && same(a.glob, b.glob); }
  bool same(const Count& a, const Count& b) const { return a.last == b.last && same(a.number, b.number); }
  bool same(const Entry& a, const Entry& b) const {
    return same(a.count, b.count) && same(a.layers, b.layers) && same(a.target, b.target);
  }
  bool same(const Composite& a, const Composite& b) const {
    return same(a.name, b.name) && same(a.parameters, b.parameters) && same(a.alias, b.alias) &&
           same(a.entries, b.entries);
  }
  bool same(const Function& a, const Function& b) const {
    return same(a.name, b.name) && same(a.parameters, b.parameters) && same(a.body, b.body);
  }
  bool same(const Field& a, const Field& b) const { return same(a.name, b.name) && same(a.value, b.value); }
  bool same(const Expect& a, const Expect& b) const { return same(a.condition, b.condition) && same(a.fails, b.fails); }
  bool same(const Test& a, const Test& b) const { return same(a.name, b.name) && same(a.clauses, b.clauses); }
  bool same(const Pack& a, const Pack& b) const { return same(a.name, b.name) && same(a.fields, b.fields); }
  bool same(const Import& a, const Import& b) const { return same(a.path, b.path) && same(a.name, b.name); }

  const Source& a_;
  const Source& b_;
};

}  // namespace

bool same_syntax(const syntax::File& a, const syntax::File& b) { return SyntaxComparison(a, b).same(a.items, b.items); }

}  // namespace ascribe
