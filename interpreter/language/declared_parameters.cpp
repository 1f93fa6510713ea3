#include "interpreter/language/declared_parameters.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/characters.hpp"
#include "grammar/error.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/habits.hpp"
#include "interpreter/language/rule_checker.hpp"
#include "interpreter/language/spaces.hpp"

namespace ascribe::language {
namespace {

Parameter check_parameter(const syntax::Parameter& written, FileScope& file, bool of_function) {
  auto reporter = file.reporter();
  Parameter out{written.name.text, of_function && !written.type ? unknown : scalar, {}, nullptr};
  auto* list = written.default_value ? std::get_if<syntax::List>(&written.default_value->node) : nullptr;
  if (written.type) {
    auto found = std::find_if(std::begin(type_words), std::end(type_words),
                              [&](auto& row) { return row.word == written.type->text; });
    if (found == std::end(type_words)) {
      std::vector<std::string> known;
      for (auto& row : type_words) known.emplace_back(row.word);
      auto meant = type_elsewhere(written.type->text);
      reporter.report(
          Code::unknown_name, written.type->span, filled("unknown type `{}`", written.type->text),
          meant.empty()
              ? did_you_mean(written.type->text, known,
                             filled("the types are {}; a tensor is `input`, `output` or `param`, by where it is used",
                                    fmt::join(known, ", ")))
              : filled("did you mean `{}`?", meant));
      out.type = unknown;
      return out;  // its default has the type that is unknown
    } else {
      out.type = found->type;
    }
  } else if (list) {
    bool strings = std::all_of(list->elements.begin(), list->elements.end(),
                               [](auto& each) { return std::holds_alternative<syntax::StringLiteral>(each.node); });
    if (strings)
      out.type = names;
    else {
      reporter.report(Code::wrong_type, written.span, filled("of which space is `{}`?", written.name.text),
                      filled("write `{}: input = …`", written.name.text));
      out.type = unknown;
    }
  }
  if (!written.default_value) return out;
  LocalNames nothing;
  NameResolver resolver(reporter, nothing, file);
  auto resolved = resolver.resolve_argument(*written.default_value, out, Clause::argument);
  if (!resolved) {
    out.type = unknown;
    return out;
  }
  auto type = SpaceChecker(reporter, std::vector<Type>{}, Moment::before_layer).infer(*resolved);
  if (!accepts(out.type, type) || !well_shaped(*resolved, reporter)) {
    if (!accepts(out.type, type))
      reporter.report(Code::wrong_type, resolved->span,
                      filled("`{}` is {}, its default is {}", out.name, describe(out.type), describe(type)));
    return out;
  }
  if (type.form == Form::unknown) return out;
  out.default_expression = resolved;
  try {
    out.default_value = evaluate_argument(*resolved, {}, out.type);
  } catch (const Error& error) {
    auto& found = error.diagnostics().front();
    reporter.report(found.code, resolved->span, found.message, found.help);
  }
  return out;
}

std::size_t count_of_word(std::string_view text, std::string_view word) {
  std::size_t out = 0;
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + word.size())) {
    auto end = at + word.size();
    out += (at == 0 || !is_name_character(text[at - 1])) && (end >= text.size() || !is_name_character(text[end]));
  }
  return out;
}

}  // namespace

std::vector<Parameter> check_parameters(const std::vector<syntax::Parameter>& written, FileScope& file,
                                        bool of_function) {
  auto reporter = file.reporter();
  std::vector<Parameter> out;
  for (auto& each : written) {
    if (std::any_of(out.begin(), out.end(), [&](auto& other) { return other.name == each.name.text; }))
      reporter.report(Code::duplicate_name, each.name.span, filled("the parameter `{}` is there twice", each.name.text),
                      "rename one of them");
    else if (is_protected(each.name.text))
      reporter.report(Code::protected_name, each.name.span, filled("`{}` cannot be redefined", each.name.text),
                      "choose another name");
    out.push_back(check_parameter(each, file, of_function));
  }
  return out;
}

void report_unused(const Mentions& mentions, const syntax::Name& definition,
                   const std::vector<syntax::Parameter>& written, const Reporter& reporter) {
  for (std::size_t i = 0; i < written.size(); ++i) {
    auto& each = written[i];
    if (mentions.contains(each.name.text) || is_protected(each.name.text)) continue;
    auto& diagnostic =
        reporter.report(Code::unused, each.name.span, filled("the parameter `{}` is never used", each.name.text),
                        "use it or leave it out");
    // A call may give it.
    if (count_of_word(reporter.source()->text(), definition.text) > 1) continue;
    auto span = i + 1 < written.size() ? Span{each.span.begin, written[i + 1].span.begin}
                : i > 0                ? Span{written[i - 1].span.end, each.span.end}
                                       : each.span;
    diagnostic.fixes = {{filled("leave out `{}`", each.name.text), {{span, ""}}}};
  }
}

void report_unused_let(const syntax::Let& let, const Reporter& reporter) {
  auto& diagnostic = reporter.report(Code::unused, let.name.span, filled("the let `{}` is never used", let.name.text),
                                     "use it or leave it out");
  Mentions mentions;
  collect_mentions(*let.value, mentions);
  bool alone = std::all_of(mentions.begin(), mentions.end(), [](auto& name) { return is_protected(name); });
  if (!alone) return;  // what it uses might then be unused, too
  auto text = reporter.source()->text();
  auto end = text.find_first_not_of(" \t", let.span.end);
  bool separated = end != std::string_view::npos && text[end] == ';';
  diagnostic.fixes = {
      {filled("leave out `{}`", let.name.text), {{{let.span.begin, separated ? end + 1 : let.span.end}, ""}}}};
}

}  // namespace ascribe::language
