#include "interpreter/language/stabilizer_uses.hpp"

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/overloaded.hpp"
#include "interpreter/language/traverse.hpp"

namespace ascribe::language {
namespace {

std::string key_of(const Given& given) {
  auto out = filled("{}:{}:{}", static_cast<int>(given.type.form), static_cast<int>(given.type.space),
                    static_cast<const void*>(given.function.get()));
  for (auto& each : given.rest) out += filled("({})", key_of(each));
  return out;
}

bool mentions(const Expression& expression, std::size_t parameter) {
  bool found = false;
  traverse(expression, [&](const Expression& inner) {
    auto* it = std::get_if<ParameterReference>(&inner.node);
    found = found || (it && it->index == parameter);
  });
  return found;
}

// The parameters' types, and what one of them is given.
std::vector<Given> all_given(const std::vector<Parameter>& parameters, std::size_t parameter, const Given& given) {
  std::vector<Given> out;
  for (auto& each : parameters) out.push_back({each.type});
  out[parameter] = given;
  return out;
}

}  // namespace

bool StabilizerUses::check(const Target& target, const std::vector<Type>& own, const Reporter& reporter) {
  std::vector<Diagnostic> known_already;  // mistakes of the arguments themselves have their message
  SpaceChecker spaces(Reporter(reporter.source(), known_already), own, Moment::before_layer);
  bool sound = true;
  auto each_argument = [&](const auto& callee) {
    for (std::size_t i = 0; i < target.arguments.size(); ++i) {
      if (target.arguments[i] == callee->parameters[i].default_expression) continue;
      auto given = spaces.given(*target.arguments[i]);
      if (!given.function) continue;
      auto found = problem(callee, i, given);
      if (!found) continue;
      report(*found, target.arguments[i]->span, reporter);
      sound = false;
    }
  };
  std::visit(overloaded{[](Engine) {}, each_argument}, target.definition);
  return sound;
}

template <typename Definition>
void StabilizerUses::check_each_default(const std::shared_ptr<const Definition>& definition, const Reporter& reporter) {
  std::vector<Diagnostic> known_already;
  SpaceChecker spaces(Reporter(reporter.source(), known_already), std::vector<Type>{}, Moment::before_layer);
  for (std::size_t i = 0; i < definition->parameters.size(); ++i) {
    auto& value = definition->parameters[i].default_expression;
    if (!value) continue;
    auto given = spaces.given(*value);
    if (!given.function) continue;
    if (auto found = problem(definition, i, given)) report(*found, value->span, reporter);
  }
}

void StabilizerUses::check_defaults(const std::shared_ptr<const Rule>& rule, const Reporter& reporter) {
  check_each_default(rule, reporter);
}

void StabilizerUses::check_defaults(const std::shared_ptr<const Composite>& composite, const Reporter& reporter) {
  check_each_default(composite, reporter);
}

void StabilizerUses::report(const Problem& problem, Span where, const Reporter& reporter) {
  auto& diagnostic = reporter.report(problem.code, where, problem.message,
                                     "give a number, or a function that can do with what it is used for");
  diagnostic.others = problem.places;
}

std::optional<StabilizerUses::Problem> StabilizerUses::problem(const Callee& callee, std::size_t parameter,
                                                               const Given& given) {
  auto address = std::visit([](auto& each) { return static_cast<const void*>(each.get()); }, callee);
  auto key = filled("{}/{}/{}", address, parameter, key_of(given));
  if (auto found = known_.find(key); found != known_.end()) return found->second.problem;
  auto found = std::visit([&](auto& each) { return look(*each, parameter, given); }, callee);
  known_.emplace(std::move(key), Known{callee, given, found});
  return found;
}

std::optional<StabilizerUses::Problem> StabilizerUses::look(const Rule& rule, std::size_t parameter,
                                                            const Given& given) {
  if (rule.alias) return look(*rule.alias, rule.parameters, parameter, given);
  std::vector<Diagnostic> found;
  auto clause = [&](const ExpressionPointer& expression, Moment moment = Moment::clause) {
    if (expression && found.empty() && mentions(*expression, parameter))
      SpaceChecker(Reporter(rule.place.source, found), all_given(rule.parameters, parameter, given), moment)
          .infer(*expression);
  };
  for (auto& each : rule.requirements) clause(each.condition, Moment::before_layer);
  for (auto& term : rule.terms) {
    clause(term.input);
    for (auto& each : term.params) clause(each.value);
    clause(term.output);
    clause(term.map);
  }
  clause(rule.reduce);
  clause(rule.forward);
  clause(rule.backward, Moment::backward);
  if (found.empty()) return {};
  auto& first = found.front();
  Problem out{first.code, first.message, {{first.primary.source, first.primary.span, "it is used here"}}};
  out.places.insert(out.places.end(), first.others.begin(), first.others.end());
  return out;
}

std::optional<StabilizerUses::Problem> StabilizerUses::look(const Composite& composite, std::size_t parameter,
                                                            const Given& given) {
  if (composite.alias) return look(*composite.alias, composite.parameters, parameter, given);
  for (auto& entry : composite.entries)
    if (auto found = look(entry.target, composite.parameters, parameter, given)) return found;
  return {};
}

// What is handed on, by itself or to a function that is.
std::optional<StabilizerUses::Problem> StabilizerUses::look(const Target& target, const std::vector<Parameter>& own,
                                                            std::size_t parameter, const Given& given) {
  if (std::holds_alternative<Engine>(target.definition)) return {};
  std::vector<Diagnostic> known_already;
  SpaceChecker spaces(Reporter(nullptr, known_already), all_given(own, parameter, given), Moment::before_layer);
  auto* rule = std::get_if<std::shared_ptr<const Rule>>(&target.definition);
  Callee callee = rule ? Callee(*rule) : Callee(std::get<std::shared_ptr<const Composite>>(target.definition));
  for (std::size_t i = 0; i < target.arguments.size(); ++i) {
    if (!mentions(*target.arguments[i], parameter)) continue;
    auto handed_on = spaces.given(*target.arguments[i]);
    if (!handed_on.function) continue;
    if (auto found = problem(callee, i, handed_on)) return found;
  }
  return {};
}

}  // namespace ascribe::language
