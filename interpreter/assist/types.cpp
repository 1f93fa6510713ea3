#include "interpreter/assist/types.hpp"

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/assist/symbols.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/spaces.hpp"
#include "interpreter/language/traverse.hpp"

namespace ascribe::assist {
namespace {

using language::ExpressionPointer;
using language::Moment;
using language::Type;

template <typename Visit>
void visit_clauses(const language::Rule& rule, const Visit& visit) {
  auto clause = [&](const ExpressionPointer& expression, Moment moment) {
    if (expression) visit(*expression, moment);
  };
  for (auto& each : rule.requirements) clause(each.condition, Moment::before_layer);
  for (auto& term : rule.terms) {
    clause(term.input, Moment::clause);
    for (auto& each : term.params) clause(each.value, Moment::clause);
    clause(term.output, Moment::clause);
    clause(term.map, Moment::clause);
  }
  clause(rule.reduce, Moment::clause);
  clause(rule.forward, Moment::clause);
  clause(rule.backward, Moment::backward);
}

// The checked rule of an item, as it is written now.
std::shared_ptr<const language::Rule> rule_of(const Project& project, const Page& page, std::size_t item) {
  if (!project.definitions || item >= page.outline.items.size()) return nullptr;
  auto found = project.definitions->targets.find(page.text(page.outline.items[item].name));
  if (found == project.definitions->targets.end()) return nullptr;
  auto* rule = std::get_if<std::shared_ptr<const language::Rule>>(&found->second);
  return rule && (*rule)->place.source == page.source ? *rule : nullptr;
}

Type type_of(const language::Rule& rule, const language::Expression& expression, Moment moment,
             const SourcePointer& source) {
  std::vector<Diagnostic> nowhere;
  std::vector<Type> types;
  for (auto& each : rule.parameters) types.push_back(each.type);
  try {
    return language::SpaceChecker({source, nowhere}, types, moment).infer(expression);
  } catch (const language::StopChecking&) {
    return language::unknown;
  }
}

}  // namespace

std::optional<TypedExpression> expression_at(const Project& project, const Page& page, std::size_t offset) {
  auto rule = rule_of(project, page, item_at(page.outline, offset));
  if (!rule) return {};
  const language::Expression* best = nullptr;
  Moment moment{};
  visit_clauses(*rule, [&](const language::Expression& clause, Moment when) {
    language::traverse(clause, [&](const language::Expression& each) {
      if (!holds(each.span, offset) || std::holds_alternative<language::LetReference>(each.node)) return;
      if (best && each.span.end - each.span.begin >= best->span.end - best->span.begin) return;
      best = &each;
      moment = when;
    });
  });
  if (!best) return {};
  TypedExpression out{best->span, type_of(*rule, *best, moment, page.source)};
  if (out.type.form == language::Form::unknown) return {};
  if (out.type == language::scalar && language::is_constant(*best)) try {
      out.value = language::evaluate_number(*best, {});
    } catch (const std::exception&) {
      out.value.reset();  // its mistake has a message
    }
  return out;
}

std::optional<Type> type_of_let(const Project& project, const Page& page, std::size_t item, Span name) {
  auto rule = rule_of(project, page, item);
  if (!rule) return {};
  Span value;
  for (auto& line : page.outline.items[item].lines)
    if (line.name == name) value = line.value;
  std::optional<Type> out;
  bool differs = false;
  visit_clauses(*rule, [&](const language::Expression& clause, Moment when) {
    language::traverse(clause, [&](const language::Expression& each) {
      auto* let = std::get_if<language::LetReference>(&each.node);
      if (!let || let->value->span.begin < value.begin || let->value->span.end > value.end) return;
      auto type = type_of(*rule, *let->value, when, page.source);
      differs = differs || (out && !(*out == type));
      out = type;
    });
  });
  return differs || (out && out->form == language::Form::unknown) ? std::nullopt : out;
}

std::string short_word(Type type) {
  if (type.form == language::Form::truth) return "truth";
  if (type == Type::number(language::Space::sample)) return "sample";
  for (auto& each : language::type_words)
    if (each.type == type) return std::string(each.word);
  return language::describe(type);
}

std::vector<Hint> hints(const Project& project, const PagePointer& page, Span within) {
  std::vector<Hint> out;
  auto& outline = page->outline;
  for (std::size_t i = 0; i < outline.items.size(); ++i) {
    auto& item = outline.items[i];
    if (item.sort != OutlinedItem::Sort::rule || item.span.end < within.begin || item.span.begin > within.end) continue;
    for (auto& line : item.lines)
      if (line.sort == Line::Sort::let && holds(within, line.name.end))
        if (auto type = type_of_let(project, *page, i, line.name))
          out.push_back({line.name.end, filled(": {}", short_word(*type)), true});
  }
  for (auto& call : outline.calls) {
    if (call.inside.end < within.begin || call.inside.begin > within.end || call.arguments.empty()) continue;
    std::vector<std::string> names;
    auto symbol = callee(project, page, call);
    if (!symbol) continue;
    if (symbol->sort == Symbol::Sort::layer) {
      for (auto& each : language::find_buildable_layer(symbol->name)->arguments) names.emplace_back(each.name);
    } else if (auto [there, item] = written(project, page, *symbol); item) {
      for (auto& each : item->parameters) names.emplace_back(there->text(each.name));
    }
    if (names.size() < 2) continue;
    for (std::size_t k = 0; k < call.arguments.size() && k < names.size(); ++k) {
      auto& argument = call.arguments[k];
      if (argument.name) break;
      if (holds(within, argument.span.begin) && page->text(argument.value) != names[k])
        out.push_back({argument.span.begin, names[k] + " =", false});
    }
  }
  std::sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.offset < b.offset; });
  return out;
}

}  // namespace ascribe::assist
