#include "interpreter/language/mentions.hpp"

#include <map>
#include <optional>
#include <vector>

#include "grammar/overloaded.hpp"
#include "interpreter/language/buildable_layers.hpp"

namespace ascribe::language {
namespace {

// What a path leads to.
enum class Role { value, definition };

// Calls `note` for every path, with its role.
template <typename Note>
struct Paths {
  const Note& note;

  void into(const syntax::Expression& inner) const { std::visit(*this, inner.node); }
  void into(const syntax::ExpressionPointer& inner) const {
    if (inner) into(*inner);
  }
  void operator()(const syntax::Number&) const {}
  void operator()(const syntax::StringLiteral&) const {}
  void operator()(const syntax::List& node) const {
    for (auto& element : node.elements) into(element);
  }
  void operator()(const syntax::Group& node) const { into(node.inner); }
  void operator()(const syntax::Call& node) const {
    if (!node.has_arguments) return note(node.path, Role::value);
    note(node.path, Role::definition);
    bool given_rules = !node.path.qualifier && node.path.name.text == "relevance";
    for (auto& argument : node.arguments) {
      auto* rules = given_rules ? std::get_if<syntax::Call>(&argument.value->node) : nullptr;
      if (rules)
        target(*rules);
      else
        into(argument.value);
    }
  }
  // Of a rule or composite, with arguments or without.
  void target(const syntax::Call& node) const {
    note(node.path, Role::definition);
    for (auto& argument : node.arguments) into(argument.value);
  }
  void operator()(const syntax::Chain& node) const {
    for (auto& operand : node.operands) into(operand);
  }
  void operator()(const syntax::Comparison& node) const { into(node.left), into(node.right), into(node.within); }
  void operator()(const syntax::Power& node) const { into(node.base), into(node.exponent); }
  void operator()(const syntax::Unary& node) const { into(node.operand); }
  void operator()(const syntax::Conditional& node) const {
    into(node.condition), into(node.consequence), into(node.alternative);
  }

  // Items and what they are made of.
  void operator()(const syntax::Modifier& node) const { into(node.selector), into(node.value); }
  void operator()(const syntax::Term& node) const {
    for (auto& each : node.modifiers) (*this)(each);
  }
  void operator()(const syntax::Let& node) const { into(node.value); }
  void operator()(const syntax::Outcome& node) const { into(node.value); }
  void operator()(const syntax::Require& node) const { into(node.condition); }
  void operator()(const syntax::Expect& node) const { into(node.condition); }
  void operator()(const syntax::Field& node) const { into(node.value); }
  void operator()(const std::vector<syntax::Parameter>& parameters) const {
    for (auto& each : parameters) into(each.default_value);
  }
  void operator()(const syntax::Rule& node) const {
    (*this)(node.parameters);
    if (node.alias) target(*node.alias);
    for (auto& each : node.clauses) std::visit(*this, each);
  }
  void operator()(const syntax::Composite& node) const {
    (*this)(node.parameters);
    if (node.alias) target(*node.alias);
    for (auto& each : node.entries) target(each.target);
  }
  void operator()(const syntax::Function& node) const { (*this)(node.parameters), into(node.body); }
  void operator()(const syntax::Test& node) const {
    for (auto& each : node.clauses) std::visit(*this, each);
  }
  void operator()(const syntax::Pack&) const {}
  void operator()(const syntax::Import&) const {}
};

auto first_names(Mentions& out) {
  return [&out](const syntax::Path& path, Role role) {
    if (role == Role::value) out.insert(path.qualifier ? path.qualifier->text : path.name.text);
  };
}

}  // namespace

void collect_mentions(const syntax::Expression& expression, Mentions& out) {
  auto note = first_names(out);
  Paths<decltype(note)>{note}.into(expression);
}

void collect_argument_mentions(const syntax::Call& call, Mentions& out) {
  auto note = first_names(out);
  Paths<decltype(note)>{note}.target(call);
}

void collect_model_mentions(const syntax::Expression& model, Mentions& out) {
  if (auto* layer = std::get_if<syntax::Call>(&model.node)) {
    auto* kind = layer->path.qualifier ? nullptr : find_buildable_layer(layer->path.name.text);
    for (std::size_t i = 0; i < layer->arguments.size(); ++i) {
      auto& argument = layer->arguments[i];
      auto place = !kind ? std::nullopt : argument.name ? find_argument(*kind, argument.name->text) : std::optional(i);
      bool is_branch =
          place && *place < kind->arguments.size() && kind->arguments[*place].form == LayerArgument::Form::branch;
      is_branch ? collect_model_mentions(*argument.value, out) : collect_mentions(*argument.value, out);
    }
  } else if (auto* sequence = std::get_if<syntax::List>(&model.node)) {
    for (auto& each : sequence->elements) collect_model_mentions(each, out);
  } else {
    collect_mentions(model, out);
  }
}

void collect_qualifiers(const syntax::Item& item, Mentions& out) {
  Mentions terms;
  if (auto* rule = std::get_if<syntax::Rule>(&item.node))
    for (auto& clause : rule->clauses)
      if (auto* term = std::get_if<syntax::Term>(&clause)) terms.insert(term->name.text);
  auto note = [&](const syntax::Path& path, Role role) {
    if (!path.qualifier) return;
    bool of_a_term = role == Role::value && terms.contains(path.qualifier->text);
    if (!of_a_term) out.insert(path.qualifier->text);
  };
  std::visit(Paths<decltype(note)>{note}, item.node);
}

RuleMentions collect_mentions(const syntax::Rule& rule) {
  RuleMentions found;
  std::map<std::string, const syntax::Expression*, std::less<>> lets;
  auto modifier = [&](const syntax::Modifier& each) {
    if (each.selector) collect_mentions(*each.selector, found.names);
    collect_mentions(*each.value, found.names);
  };
  auto note = overloaded{[&](const syntax::Let& each) { lets.emplace(each.name.text, each.value.get()); },
                         [&](const syntax::Outcome& each) { collect_mentions(*each.value, found.names); },
                         [&](const syntax::Require& each) { collect_mentions(*each.condition, found.names); },
                         [&](const syntax::Modifier& each) { modifier(each); },
                         [&](const syntax::Term& each) {
                           for (auto& own : each.modifiers) modifier(own);
                         }};
  for (auto& clause : rule.clauses) std::visit(note, clause);
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
