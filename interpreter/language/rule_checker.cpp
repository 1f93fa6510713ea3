#include "interpreter/language/rule_checker.hpp"

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"
#include "grammar/overloaded.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/declared_parameters.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/mentions.hpp"
#include "interpreter/language/stabilization.hpp"
#include "interpreter/language/traverse.hpp"

namespace ascribe::language {
namespace {

using syntax::Stage;

struct StageInfo {
  Stage stage;
  const char* word;
  Clause clause;
  Space yields;
};
constexpr StageInfo stages[] = {
    {Stage::input, "input", Clause::input, Space::input},
    {Stage::param, "param", Clause::param, Space::param},
    {Stage::output, "output", Clause::output, Space::output},
    {Stage::map, "map", Clause::map, Space::output},
    {Stage::reduce, "reduce", Clause::reduce, Space::input},
    {Stage::forward, "forward", Clause::forward, Space::output},
    {Stage::backward, "backward", Clause::backward, Space::input},
};

const StageInfo& stage_info(Stage stage) { return stages[static_cast<std::size_t>(stage)]; }

// `param bias`: a parameter's name that stands without quotes.
void quote(Diagnostic& diagnostic, const syntax::Name& name) {
  auto text = filled("\"{}\"", name.text);
  diagnostic.fixes = {{filled("write `{}`", text), {{name.span, text}}, true}};
}

}  // namespace

bool well_shaped(const Expression& expression, const Reporter& reporter) {
  auto* list = std::get_if<List>(&expression.node);
  if (!list) return true;
  if (list->elements.empty()) {
    reporter.report(Code::wrong_type, expression.span, "a list without numbers", "write `[0]`, or one number: `0`");
    return false;
  }
  auto length = [](const ExpressionPointer& element) {
    auto* inner = std::get_if<List>(&element->node);
    return inner ? static_cast<std::ptrdiff_t>(inner->elements.size()) : -1;
  };
  for (auto& element : list->elements) {
    if (length(element) != length(list->elements.front())) {
      reporter.report(Code::wrong_type, element->span, "the rows of a list differ in length",
                      "a list of lists is a matrix: all rows have one length");
      return false;
    }
    if (!well_shaped(*element, reporter)) return false;
  }
  return true;
}

void RuleChecker::check(const syntax::Rule& written, Rule& rule) {
  rule_ = &rule;
  auto before = reporter_.error_count();
  collect_names(written);
  const syntax::Outcome* backward = nullptr;
  std::map<Stage, const syntax::Outcome*> outcomes;
  std::vector<const syntax::Term*> terms;
  const syntax::Modifier* first_modifier = nullptr;
  auto note = overloaded{
      [&](const syntax::Outcome& it) {
        if (auto [found, fresh] = outcomes.emplace(it.stage, &it); !fresh) {
          auto& diagnostic = reporter_.report(Code::repeated_clause, it.keyword,
                                              filled("a second `{}`", stage_info(it.stage).word), "leave one out");
          diagnostic.others.push_back({reporter_.source(), found->second->keyword, "first here"});
          return;
        }
        if (it.stage == Stage::backward) backward = &it;
        outcome(it);
      },
      [&](const syntax::Term& it) { terms.push_back(&it); }, [&](const syntax::Require& it) { requirement(it); },
      [&](const syntax::Modifier& it) {
        if (!first_modifier) first_modifier = &it;
      },
      [](const syntax::Let&) {}};  // resolved where it is used
  for (auto& clause : written.clauses) std::visit(note, clause);
  auto terms_place = !terms.empty()                     ? terms.front()->name.span
                     : first_modifier                   ? first_modifier->keyword
                     : outcomes.contains(Stage::reduce) ? outcomes[Stage::reduce]->keyword
                                                        : Span{};
  if (backward && terms_place != Span{}) {
    auto& diagnostic = reporter_.report(Code::mixed_rule, terms_place, "a rule has either terms or `backward`",
                                        "with `backward`, modifiers, terms and `reduce` have no meaning");
    diagnostic.others.push_back({reporter_.source(), backward->keyword, "it says the result outright"});
    return;
  }
  if (terms.size() > limits.terms) {
    reporter_.report(Code::too_large, terms[limits.terms]->name.span,
                     filled("the rule has {} terms; {} is the limit", terms.size(), limits.terms), "write fewer terms");
    return;
  }
  bool only_forward = outcomes.contains(Stage::forward) && terms_place == Span{};
  if (!backward && !only_forward) {
    if (terms.empty()) term(written, nullptr, rule.terms.emplace_back());
    for (auto* each : terms) {
      auto& out = rule.terms.emplace_back();
      out.name = each->name.text;
      term(written, each, out);
    }
    report_unreachable();
  }
  rule.operations = resolver_.operations();
  if (reporter_.error_count() > before) return;  // what a mistake keeps from being used is no second one
  auto mentions = collect_mentions(written);
  for (auto& [name, let] : local_.lets)
    if (mentions.unused_lets.contains(name)) report_unused_let(*let, reporter_);
  if (rule.reduce)
    for (auto* each : terms)
      if (!mentions.names.contains(each->name.text))
        reporter_.report(Code::unused, each->name.span, filled("the term `{}` is never used", each->name.text),
                         "`reduce` says what becomes of the terms: use it there");
}

// Several modifiers for one thing that come too late have one cause.
void RuleChecker::report_unreachable() {
  std::map<Stage, std::vector<Span>> late;
  for (auto& [modifier, applied] : applied_)
    if (!applied.ever && applied.covered) late[modifier->stage].push_back(modifier->keyword);
  for (auto& [stage, places] : late) {
    std::sort(places.begin(), places.end(), [](Span a, Span b) { return a.begin < b.begin; });
    auto& diagnostic =
        reporter_.report(Code::unreachable_modifier, places.front(),
                         filled("this `{}` can never apply: what stands before it always does", stage_info(stage).word),
                         "the first that fits wins: move it up, or leave it out");
    for (std::size_t i = 1; i < places.size(); ++i)
      diagnostic.others.push_back({reporter_.source(), places[i], "nor can this"});
  }
}

// Parameters, lets and terms share one scope.
void RuleChecker::collect_names(const syntax::Rule& written) {
  for (auto& parameter : written.parameters) names_.emplace(parameter.name.text, parameter.name.span);
  auto collect = overloaded{[&](const syntax::Let& let) {
                              if (define(let.name, "let")) local_.lets.emplace(let.name.text, &let);
                            },
                            [&](const syntax::Term& term) {
                              if (define(term.name, "term")) local_.terms.push_back(term.name.text);
                            },
                            [](const OneOf<syntax::Modifier, syntax::Outcome, syntax::Require> auto&) {}};
  for (auto& clause : written.clauses) std::visit(collect, clause);
}

// Whether the name leads to this.
bool RuleChecker::define(const syntax::Name& name, const char* what) {
  if (is_protected(name.text)) {
    reporter_.report(Code::protected_name, name.span, filled("`{}` cannot be redefined", name.text),
                     filled("choose another name for the {}", what));
    return true;  // so that its uses are known
  }
  if (auto [found, fresh] = names_.emplace(name.text, name.span); !fresh) {
    auto& diagnostic = reporter_.report(Code::duplicate_name, name.span, filled("`{}` is defined twice", name.text),
                                        "rename one of them");
    diagnostic.others.push_back({reporter_.source(), found->second, "first here"});
    return false;
  }
  return true;
}

// Shared modifiers and the term's own, in the order in which they are written: the first that is for something wins it.
void RuleChecker::term(const syntax::Rule& written, const syntax::Term* own, Term& out) {
  Taken taken;
  auto apply = overloaded{[&](const syntax::Modifier& shared) { modifier(shared, out, taken); },
                          [&](const syntax::Term& term) {
                            if (&term != own) return;
                            for (auto& each : term.modifiers) modifier(each, out, taken);
                          },
                          [](const OneOf<syntax::Let, syntax::Outcome, syntax::Require> auto&) {}};
  for (auto& clause : written.clauses) std::visit(apply, clause);
}

bool RuleChecker::Taken::covers(const ParameterSelector& selector) {
  if (all) return true;
  if (selector.parameter) return !parameters.insert(*selector.parameter).second;
  all = !selector.names;
  if (all || selector.names->empty()) return false;
  std::size_t fresh = 0;
  for (auto& name : *selector.names) fresh += names.insert(name).second;
  return fresh == 0;
}

void RuleChecker::modifier(const syntax::Modifier& written, Term& out, Taken& taken) {
  auto& info = stage_info(written.stage);
  auto& applied = applied_[&written];
  auto found = values_.find(&written);
  if (found == values_.end())
    found = values_.emplace(&written, value(*written.value, info.clause, Type::number(info.yields))).first;
  if (written.stage == Stage::param) {
    auto chosen = selector(written);
    if (!chosen) return;
    if (taken.covers(*chosen)) {
      applied.covered = true;
      return;
    }
    applied.ever = true;
    if (found->second) out.params.push_back({std::move(*chosen), found->second});
    return;
  }
  auto& slot = written.stage == Stage::input ? out.input : written.stage == Stage::output ? out.output : out.map;
  if (slot) {
    applied.covered = true;
    return;
  }
  applied.ever = true;
  slot = found->second;
}

std::optional<ParameterSelector> RuleChecker::selector(const syntax::Modifier& written) {
  if (!written.selector) return ParameterSelector{};
  auto& node = written.selector->node;
  if (auto* string = std::get_if<syntax::StringLiteral>(&node)) {
    if (!check_parameter_name(*string, reporter_)) return {};
    return ParameterSelector{Names{string->value}, {}};
  }
  if (auto* list = std::get_if<syntax::List>(&node)) {
    Names chosen;
    for (auto& element : list->elements) {
      auto* string = std::get_if<syntax::StringLiteral>(&element.node);
      if (!string) {
        auto& diagnostic = reporter_.report(Code::wrong_type, element.span, "a parameter's name is a string",
                                            "write `param [\"weight\", \"bias\"] = …`");
        auto* word = std::get_if<syntax::Call>(&element.node);
        bool name = word && !word->has_arguments && !word->path.qualifier;
        if (name && is_parameter_name(word->path.name.text)) quote(diagnostic, word->path.name);
        return {};
      }
      if (!check_parameter_name(*string, reporter_)) return {};
      chosen.push_back(string->value);
    }
    return ParameterSelector{std::move(chosen), {}};
  }
  auto& name = std::get<syntax::Call>(node).path.name;
  for (std::size_t i = 0; i < rule_->parameters.size(); ++i) {
    auto& parameter = rule_->parameters[i];
    if (parameter.name != name.text) continue;
    if (parameter.type == names || parameter.type == unknown) return ParameterSelector{{}, i};
    reporter_.report(Code::wrong_type, name.span,
                     filled("`{}` is {}, no list of names", name.text, describe(parameter.type)),
                     filled("declare it as `{}: names`", name.text));
    return {};
  }
  std::vector<std::string> known;
  for (auto& parameter : rule_->parameters)
    if (parameter.type == names) known.push_back(parameter.name);
  bool forgot_quotes = is_parameter_name(name.text);
  auto& diagnostic = reporter_.report(
      Code::unknown_name, name.span, filled("unknown name `{}`", name.text),
      forgot_quotes
          ? filled("write `param \"{}\" = …`", name.text)
          : did_you_mean(name.text, known, "`param` takes a string, a list of strings, or a parameter of type names"));
  if (forgot_quotes) quote(diagnostic, name);
  return {};
}

ExpressionPointer RuleChecker::value(const syntax::Expression& written, Clause clause, Type wanted) {
  auto resolved = resolver_.resolve(written, clause);
  if (!resolved) return nullptr;
  std::vector<Type> types;
  for (auto& parameter : rule_->parameters) types.push_back(parameter.type);
  auto moment = clause == Clause::backward  ? Moment::backward
                : clause == Clause::require ? Moment::before_layer
                                            : Moment::clause;
  SpaceChecker spaces(reporter_, types, moment);
  auto type = spaces.infer(*resolved);
  bool sound = spaces.expect(type, wanted, resolved->span, describe(clause)) && type.form != Form::unknown;
  if (sound && clause != Clause::require) DivisionChecker(reporter_, rule_->parameters).check(*resolved);
  note_uses(resolved, clause);
  return sound || clause != Clause::require ? resolved : nullptr;
}

void RuleChecker::note_uses(const ExpressionPointer& expression, Clause clause) {
  bool output_side = false, own_input = false;
  traverse(*expression, [&](const Expression& inner) {
    auto* it = std::get_if<QuantityReference>(&inner.node);
    if (!it) return;
    bool layer_quantity = clause == Clause::backward || clause == Clause::forward;
    if (it->quantity == Quantity::layer_y || (it->quantity == Quantity::y && layer_quantity))
      rule_->uses_layer_output = true;
    output_side = output_side || it->quantity == Quantity::R || it->quantity == Quantity::y;
    rule_->uses_gradient = rule_->uses_gradient || it->quantity == Quantity::grad;
    rule_->uses_other = rule_->uses_other || it->quantity == Quantity::other;
    own_input =
        own_input || it->quantity == Quantity::x || it->quantity == Quantity::grad || it->quantity == Quantity::inputs;
  });
  if (clause != Clause::backward) return;
  rule_->keeps_shape = output_side;
  rule_->backward_per_input = own_input;
}

void RuleChecker::outcome(const syntax::Outcome& written) {
  auto& info = stage_info(written.stage);
  auto& slot = written.stage == Stage::reduce    ? rule_->reduce
               : written.stage == Stage::forward ? rule_->forward
                                                 : rule_->backward;
  slot = value(*written.value, info.clause, Type::number(info.yields));
}

void RuleChecker::requirement(const syntax::Require& written) {
  auto condition = value(*written.condition, Clause::require, truth);
  if (!condition) return;
  bool about_layer = false, uses_parameters = false;
  traverse(*condition, [&](const Expression& inner) {
    about_layer = about_layer || std::holds_alternative<HasParameter>(inner.node);
    uses_parameters = uses_parameters || std::holds_alternative<ParameterReference>(inner.node);
  });
  if (about_layer && !has_is_plain(*condition)) return;
  if (!about_layer && !uses_parameters && !evaluate_truth(*condition, {})) {
    reporter_.report(Code::requirement_violated, written.condition->span, "this never holds",
                     "a requirement is about parameters, or about the layer: `has(\"weight\")`");
    return;
  }
  auto message = written.message ? written.message->value
                                 : filled("it requires `{}`", reporter_.source()->text(written.condition->span));
  rule_->requirements.push_back({condition, std::move(message), about_layer, written.condition->span});
}

// Where a rule meets a layer, `and`, `or`, `not` and `if` are followed to has(); nothing else is.
bool RuleChecker::has_is_plain(const Expression& expression) {
  auto inner = [&](const ExpressionPointer& each) { return has_is_plain(*each); };
  auto holds_none = [&] {
    const Expression* found = nullptr;
    traverse(expression, [&](const Expression& each) {
      if (!found && std::holds_alternative<HasParameter>(each.node)) found = &each;
    });
    if (found)
      reporter_.report(Code::wrong_type, found->span, "`has` is joined by `and`, `or`, `not` and `if` only",
                       "write `require has(\"weight\") and …`");
    return !found;
  };
  return std::visit(
      overloaded{
          [](const HasParameter&) { return true; }, [&](const LetReference& node) { return inner(node.value); },
          [&](const Unary& node) { return node.op == Operator::logical_not ? inner(node.operand) : holds_none(); },
          [&](const Conditional& node) {
            return inner(node.condition) && inner(node.consequence) && inner(node.alternative);
          },
          [&](const Chain& node) {
            auto op = node.operators.front();
            bool logical = op == Operator::logical_and || op == Operator::logical_or;
            return logical ? std::all_of(node.operands.begin(), node.operands.end(), inner) : holds_none();
          },
          [&](const OneOf<Constant, ParameterReference, QuantityReference, List, NameList, BuiltinCall,
                          StabilizerFunction, Stabilize, FunctionCall, Comparison, Power, Tensor, Random, Relevance,
                          NamedValue> auto&) { return holds_none(); }},
      expression.node);
}

}  // namespace ascribe::language
