#include "interpreter/language/mentions.hpp"

#include <map>
#include <vector>

namespace ascribe::language {
namespace {

struct Collect {
  Mentions& out;

  void into(const syntax::ExpressionPointer& inner) const {
    if (inner) collect_mentions(*inner, out);
  }
  void operator()(const syntax::Number&) const {}
  void operator()(const syntax::StringLiteral&) const {}
  void operator()(const syntax::List& node) const {
    for (auto& element : node.elements) collect_mentions(element, out);
  }
  void operator()(const syntax::Group& node) const { into(node.inner); }
  void operator()(const syntax::Call& node) const { collect_mentions(node, out); }
  void operator()(const syntax::Chain& node) const {
    for (auto& operand : node.operands) collect_mentions(operand, out);
  }
  void operator()(const syntax::Comparison& node) const { into(node.left), into(node.right), into(node.within); }
  void operator()(const syntax::Power& node) const { into(node.base), into(node.exponent); }
  void operator()(const syntax::Unary& node) const { into(node.operand); }
  void operator()(const syntax::Conditional& node) const {
    into(node.condition), into(node.consequence), into(node.alternative);
  }
};

}  // namespace

void collect_mentions(const syntax::Expression& expression, Mentions& out) {
  std::visit(Collect{out}, expression.node);
}

void collect_mentions(const syntax::Call& call, Mentions& out) {
  out.insert(call.path.qualifier ? call.path.qualifier->text : call.path.name.text);
  for (auto& argument : call.arguments) collect_mentions(*argument.value, out);
}

RuleMentions collect_mentions(const syntax::Rule& rule) {
  RuleMentions found;
  std::map<std::string, const syntax::Expression*, std::less<>> lets;
  auto modifier = [&](const syntax::Modifier& each) {
    if (each.selector) collect_mentions(*each.selector, found.names);
    collect_mentions(*each.value, found.names);
  };
  for (auto& clause : rule.clauses) {
    if (auto* each = std::get_if<syntax::Let>(&clause))
      lets.emplace(each->name.text, each->value.get());
    else if (auto* outcome = std::get_if<syntax::Outcome>(&clause))
      collect_mentions(*outcome->value, found.names);
    else if (auto* require = std::get_if<syntax::Require>(&clause))
      collect_mentions(*require->condition, found.names);
    else if (auto* shared = std::get_if<syntax::Modifier>(&clause))
      modifier(*shared);
    else
      for (auto& own : std::get<syntax::Term>(clause).modifiers) modifier(own);
  }
  // Lets that are used use other lets.
  std::vector<std::string> open(found.names.begin(), found.names.end());
  Mentions done;
  while (!open.empty()) {
    auto name = open.back();
    open.pop_back();
    auto let = lets.find(name);
    if (let == lets.end() || !done.insert(name).second) continue;
    Mentions inside;
    collect_mentions(*let->second, inside);
    open.insert(open.end(), inside.begin(), inside.end());
    found.names.insert(inside.begin(), inside.end());
  }
  for (auto& [name, value] : lets)
    if (!done.contains(name)) found.unused_lets.insert(name);
  // What only an unused let mentions is no second mistake.
  for (auto& name : found.unused_lets) collect_mentions(*lets.find(name)->second, found.names);
  return found;
}

}  // namespace ascribe::language
