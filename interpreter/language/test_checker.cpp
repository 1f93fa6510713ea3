#include "interpreter/language/test_checker.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/explanation.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/call_checker.hpp"
#include "interpreter/language/habits.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/mentions.hpp"
#include "interpreter/language/rule_checker.hpp"
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
    reporter_.report(Code::missing_argument, written.name.span, fmt::format("the test has no `{}`", needed),
                     needed == "x" ? "say what the model is given: `x = [[1, 2]]`"
                                   : "say what is tested: `model = linear(weight = [[1, 2]])`");
    sound = false;
  }
  if (fields_.contains("model")) sound = model(*fields_["model"]->value, out->model) && sound;
  auto input = Type::number(Space::input);
  if (fields_.contains("x")) out->x = value(*fields_["x"]->value, Clause::test_x, input);
  if (fields_.contains("R")) out->R = value(*fields_["R"]->value, Clause::test_R, input);
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
    auto& diagnostic = reporter_.report(Code::duplicate_name, name.span,
                                        fmt::format("`{}` is defined twice", name.text), "leave one out");
    diagnostic.others.push_back({reporter_.source(), found->second, "first here"});
    return true;
  };
  for (auto& clause : written.clauses) {
    if (auto* field = std::get_if<syntax::Field>(&clause)) {
      auto& name = field->name;
      if (std::find(std::begin(field_names), std::end(field_names), name.text) == std::end(field_names))
        reporter_.report(Code::unknown_argument, name.span, fmt::format("a test has no field `{}`", name.text),
                         did_you_mean(name.text, {std::begin(field_names), std::end(field_names)},
                                      fmt::format("write `let {} = …` for a value of your own", name.text)));
      else if (!twice(name))
        fields_.emplace(name.text, field);
    } else if (auto* let = std::get_if<syntax::Let>(&clause)) {
      if (is_reserved_in_tests(let->name.text))
        reporter_.report(Code::protected_name, let->name.span, fmt::format("`{}` cannot be redefined", let->name.text),
                         "choose another name for the let");
      if (!twice(let->name)) local_.lets.emplace(let->name.text, let);
    }
  }
}

ExpressionPointer TestChecker::resolve(const syntax::Expression& written, Clause clause, const Reporter& reporter) {
  local_.find_target = [&](const syntax::Call& call, Clause where) -> std::optional<Target> {
    auto found = check_target_call(call, file_, local_, where, reporter);
    if (!found) return {};
    if (!std::holds_alternative<Engine>(found->definition)) {
      check_constant_call(*found, reporter);
      return found;
    }
    reporter.report(Code::engine_target, call.span, "`merge` and `refuse` stand in composites only",
                    "name a rule or a composite");
    return {};
  };
  return NameResolver(reporter, local_, file_).resolve(written, clause);
}

ExpressionPointer TestChecker::value(const syntax::Expression& written, Clause clause, Type wanted) {
  auto resolved = resolve(written, clause, reporter_);
  if (!resolved) return nullptr;
  SpaceChecker spaces(reporter_, std::vector<Type>{}, Moment::backward);
  auto type = spaces.infer(*resolved);
  if (type.form == Form::unknown || !spaces.expect(type, wanted, resolved->span, describe(clause))) return nullptr;
  return resolved;
}

// ------------------------------------------------------------------------------------------------------------- models

bool TestChecker::model(const syntax::Expression& written, std::vector<BuiltLayer>& out) {
  bool sound = true;
  auto add = [&](const syntax::Expression& each) {
    if (auto built = layer(each))
      out.push_back(std::move(*built));
    else
      sound = false;
  };
  if (auto* list = std::get_if<syntax::List>(&written.node)) {
    for (auto& each : list->elements) add(each);
    if (!list->elements.empty()) return sound;
    reporter_.report(Code::wrong_type, written.span, "the model has no layers", "write `model = linear(3, 2)`");
    return false;
  }
  add(written);
  return sound;
}

std::optional<BuiltLayer> TestChecker::layer(const syntax::Expression& written) {
  auto* call = std::get_if<syntax::Call>(&written.node);
  if (!call) {
    reporter_.report(Code::wrong_type, written.span, "`model` is a layer, or a list of layers in sequence",
                     "write `model = [linear(3, 2), relu]`");
    return {};
  }
  auto& name = call->path.name.text;
  BuiltLayer out{call->path.qualifier ? nullptr : find_buildable_layer(name), {}, written.span};
  if (out.layer) {
    if (!layer_arguments(*call, out)) return {};
    return out;
  }
  std::vector<std::string> known;
  for (auto& row : buildable_layers()) known.emplace_back(row.name);
  auto help = help_for_kind(name, known);
  if (help.empty()) help = fmt::format("build one with: {}", listed(known));
  bool exists = !call->path.qualifier && is_kind_word(name);
  reporter_.report(Code::unknown_kind, call->path.span,
                   exists ? fmt::format("`{}` builds no layer in a sequence", name)
                          : fmt::format("unknown layer kind `{}`", shown(call->path)),
                   help);
  return {};
}

bool TestChecker::layer_arguments(const syntax::Call& call, BuiltLayer& out) {
  auto& layer = *out.layer;
  out.arguments.resize(layer.arguments.size());
  std::vector<const syntax::Argument*> given(layer.arguments.size());
  bool sound = true;
  std::size_t position = 0;
  for (auto& argument : call.arguments) {
    std::optional<std::size_t> index = position++;
    if (argument.name) {
      index = find_argument(layer, argument.name->text);
      if (!index) {
        std::vector<std::string> known;
        for (auto& each : layer.arguments) known.emplace_back(each.name);
        reporter_.report(
            Code::unknown_argument, argument.name->span,
            fmt::format("`{}` has no argument `{}`", layer.name, argument.name->text),
            did_you_mean(argument.name->text, known, fmt::format("it is built as `{}`", signature(layer))));
        sound = false;
        continue;
      }
    } else if (*index >= layer.arguments.size()) {
      auto most = layer.arguments.size();
      reporter_.report(Code::wrong_argument_count, argument.span,
                       fmt::format("`{}` takes {} argument{}, not {}", layer.name, most, most == 1 ? "" : "s",
                                   call.arguments.size()),
                       fmt::format("it is built as `{}`", signature(layer)));
      return false;
    }
    if (given[*index]) {
      auto& diagnostic =
          reporter_.report(Code::repeated_argument, argument.span,
                           fmt::format("`{}` is given twice", layer.arguments[*index].name), "leave one out");
      diagnostic.others.push_back({reporter_.source(), given[*index]->span, "first here"});
      sound = false;
      continue;
    }
    given[*index] = &argument;
    bool tensor = layer.arguments[*index].form == LayerArgument::Form::tensor ||
                  layer.arguments[*index].form == LayerArgument::Form::sizes;
    out.arguments[*index] = value(*argument.value, Clause::test_model, tensor ? Type::number(Space::input) : scalar);
    sound = sound && out.arguments[*index];
  }
  auto has = [&](std::string_view name) {
    auto index = find_argument(layer, name);
    return index && given[*index];
  };
  auto missing = [&](const std::string& what) {
    reporter_.report(Code::missing_argument, call.span, fmt::format("`{}` needs {}", layer.name, what),
                     fmt::format("it is built as `{}`", signature(layer)));
    sound = false;
  };
  for (std::size_t i = 0; i < given.size() && sound; ++i)
    if (layer.arguments[i].needed && !given[i]) missing(fmt::format("`{}`", layer.arguments[i].name));
  bool drawn = find_argument(layer, "in").has_value();
  if (drawn && sound && !has("weight")) {
    bool convolution = find_argument(layer, "kernel").has_value();
    if (!has("in") || !has("out") || (convolution && !has("kernel")))
      missing(convolution ? "its `weight`, or `in`, `out` and `kernel`" : "its `weight`, or `in` and `out`");
  }
  if (layer.name == "layer_norm" && sound && !has("weight") && !has("shape")) missing("its `weight` or its `shape`");
  if (layer.name == "batch_norm" && sound && !has("features") && !(has("mean") && has("variance")))
    missing("`features`, or `mean` and `variance`");
  for (std::string_view drawing : {"in", "out", "kernel", "seed"})
    if (drawn && sound && has("weight") && has(drawing)) {
      reporter_.report(Code::repeated_argument, given[*find_argument(layer, drawing)]->span,
                       fmt::format("`{}` follows from `weight`, which is given", drawing), "leave it out");
      sound = false;
    }
  return sound;
}

// ------------------------------------------------------------------------------------------------------ expectations

std::optional<Expectation> TestChecker::expectation(const syntax::Expect& written) {
  Expectation out{nullptr, {}, written.span};
  if (!written.fails) {
    out.condition = value(*written.condition, Clause::test, truth);
    return out.condition ? std::optional(out) : std::nullopt;
  }
  auto number = written.fails->text.starts_with('A') ? read_code(written.fails->text) : std::nullopt;
  if (number && find_explanation(static_cast<Code>(*number))) out.fails = static_cast<Code>(*number);
  if (!out.fails) {
    reporter_.report(Code::unknown_name, written.fails->span,
                     fmt::format("there is no error `{}`", written.fails->text),
                     "errors are numbered as messages show them: `fails A0305`; `ascribe explain` lists them");
    return {};
  }
  // What the checker refuses, fails as well.
  std::vector<Diagnostic> refused;
  Reporter reporter(reporter_.source(), refused);
  out.condition = resolve(*written.condition, Clause::test, reporter);
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
  auto mention = [&](const syntax::Expression& expression) {
    Mentions here;
    collect_mentions(expression, here);
    for (auto& name : here)
      if (mentions.insert(name).second) open.push_back(name);
  };
  for (auto& clause : written.clauses) {
    if (auto* field = std::get_if<syntax::Field>(&clause)) mention(*field->value);
    if (auto* expect = std::get_if<syntax::Expect>(&clause)) mention(*expect->condition);
  }
  while (!open.empty()) {
    auto name = open.back();
    open.pop_back();
    if (auto found = local_.lets.find(name); found != local_.lets.end()) mention(*found->second->value);
  }
  for (auto& [name, let] : local_.lets)
    if (!mentions.contains(name) && !is_reserved_in_tests(name))
      reporter_.report(Code::unused, let->name.span, fmt::format("the let `{}` is never used", name),
                       "use it or leave it out");
}

}  // namespace ascribe::language
