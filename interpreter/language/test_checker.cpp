#include "interpreter/language/test_checker.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/explanation.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/overloaded.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/language/declared_parameters.hpp"
#include "interpreter/language/mentions.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/language/spaces.hpp"

namespace ascribe::language {
namespace {

constexpr std::string_view field_names[] = {"model", "x", "R"};

bool is_reserved_in_tests(std::string_view name) { return is_protected(name) || name == "model"; }

}  // namespace

std::shared_ptr<const Test> TestChecker::check(const syntax::Test& written, Place place) {
  auto out = std::make_shared<Test>();
  out->name = written.name.value;
  out->place = std::move(place);
  collect(written);
  bool sound = true;
  for (std::string_view needed : {"model", "x"}) {
    if (fields_.contains(needed)) continue;
    reporter_.report(Code::missing_argument, written.name.span, filled("the test has no `{}`", needed),
                     needed == "x" ? "say what the model is given: `x = [[1, 2]]`"
                                   : "say what is tested: `model = linear(weight = [[1, 2]])`");
    sound = false;
  }
  if (fields_.contains("model")) sound = expressions_.model(*fields_["model"]->value, out->model) && sound;
  auto input = Type::number(Space::input);
  if (fields_.contains("x")) out->x = expressions_.value(*fields_["x"]->value, Clause::test_x, input);
  if (fields_.contains("R")) out->R = expressions_.value(*fields_["R"]->value, Clause::test_R, input);
  sound = sound && out->x && (out->R || !fields_.contains("R"));
  bool expects = false;
  for (auto& clause : written.clauses) {
    auto* expect = std::get_if<syntax::Expect>(&clause);
    if (!expect) continue;
    expects = true;
    if (auto checked = expectation(*expect))
      out->expectations.push_back(std::move(*checked));
    else
      sound = false;
  }
  if (!expects) {
    reporter_.report(Code::missing_argument, written.name.span, "the test expects nothing",
                     "write `expect relevance(epsilon) == [[1]] within 1e-5`");
    sound = false;
  }
  report_unused(written);
  return sound ? out : nullptr;
}

// Fields and lets share one scope.
void TestChecker::collect(const syntax::Test& written) {
  std::map<std::string, Span> seen;
  auto twice = [&](const syntax::Name& name) {
    auto [found, fresh] = seen.emplace(name.text, name.span);
    if (fresh) return false;
    auto& diagnostic =
        reporter_.report(Code::duplicate_name, name.span, filled("`{}` is defined twice", name.text), "leave one out");
    diagnostic.others.push_back({reporter_.source(), found->second, "first here"});
    return true;
  };
  auto note = overloaded{
      [&](const syntax::Field& field) {
        auto& name = field.name;
        if (std::find(std::begin(field_names), std::end(field_names), name.text) == std::end(field_names))
          reporter_.report(Code::unknown_argument, name.span, filled("a test has no field `{}`", name.text),
                           did_you_mean(name.text, {std::begin(field_names), std::end(field_names)},
                                        filled("write `let {} = …` for a value of your own", name.text)));
        else if (!twice(name))
          fields_.emplace(name.text, &field);
      },
      [&](const syntax::Let& let) {
        if (is_reserved_in_tests(let.name.text))
          reporter_.report(Code::protected_name, let.name.span, filled("`{}` cannot be redefined", let.name.text),
                           "choose another name for the let");
        if (!twice(let.name)) local_.lets.emplace(let.name.text, &let);
      },
      [](const syntax::Expect&) {}};
  for (auto& clause : written.clauses) std::visit(note, clause);
}

// ------------------------------------------------------------------------------------------------------ expectations

std::optional<Expectation> TestChecker::expectation(const syntax::Expect& written) {
  Expectation out{nullptr, {}, written.span};
  if (!written.fails) {
    out.condition = expressions_.value(*written.condition, Clause::test, truth);
    return out.condition ? std::optional(out) : std::nullopt;
  }
  auto number = written.fails->text.starts_with('A') ? read_code(written.fails->text) : std::nullopt;
  if (number && find_explanation(static_cast<Code>(*number))) out.fails = static_cast<Code>(*number);
  if (!out.fails) {
    reporter_.report(Code::unknown_name, written.fails->span, filled("there is no error `{}`", written.fails->text),
                     "errors are numbered as messages show them: `fails A0305`; `ascribe explain` lists them");
    return {};
  }
  // What the checker refuses, fails as well.
  std::vector<Diagnostic> refused;
  Reporter reporter(reporter_.source(), refused);
  out.condition = expressions_.resolve(*written.condition, Clause::test, reporter);
  if (out.condition) SpaceChecker(reporter, std::vector<Type>{}, Moment::backward).infer(*out.condition);
  if (refused.empty()) return out.condition ? std::optional(out) : std::nullopt;
  out.condition = nullptr;
  if (refused.front().code == *out.fails) return out;
  auto& diagnostic = reporter_.report(refused.front().code, refused.front().primary.span, refused.front().message,
                                      refused.front().help);
  diagnostic.others = refused.front().others;
  diagnostic.others.push_back({reporter_.source(), written.fails->span, "another failure is expected"});
  return {};
}

void TestChecker::report_unused(const syntax::Test& written) {
  Mentions mentions;
  std::vector<std::string> open;
  auto add = [&](const Mentions& here) {
    for (auto& name : here)
      if (mentions.insert(name).second) open.push_back(name);
  };
  auto mention = [&](const syntax::Expression& expression) {
    Mentions here;
    collect_mentions(expression, here);
    add(here);
  };
  auto note = overloaded{[&](const syntax::Field& field) {
                           Mentions here;
                           if (field.name.text == "model")
                             collect_model_mentions(*field.value, here);
                           else
                             collect_mentions(*field.value, here);
                           add(here);
                         },
                         [&](const syntax::Expect& expect) { mention(*expect.condition); },
                         [](const syntax::Let&) {}};  // where it is used
  for (auto& clause : written.clauses) std::visit(note, clause);
  while (!open.empty()) {
    auto name = open.back();
    open.pop_back();
    if (auto found = local_.lets.find(name); found != local_.lets.end()) mention(*found->second->value);
  }
  for (auto& [name, let] : local_.lets)
    if (!mentions.contains(name) && !is_reserved_in_tests(name)) report_unused_let(*let, reporter_);
}

}  // namespace ascribe::language
