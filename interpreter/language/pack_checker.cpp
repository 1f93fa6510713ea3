#include "interpreter/language/pack_checker.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "grammar/characters.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/language/reporter.hpp"

namespace ascribe::language {
namespace {

constexpr std::string_view digits = "0123456789";

// "1.2.0"
bool is_version(std::string_view text) {
  constexpr std::size_t longest = 9;  // digits of one of the numbers
  for (int number = 0; number < 3; ++number) {
    auto end = std::min(text.find_first_not_of(digits), text.size());
    if (end == 0 || end > longest) return false;
    text.remove_prefix(end);
    if (number == 2) return text.empty();
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
  }
  return false;
}

// The number as it is written, if it is a whole one of 1 or more.
std::optional<double> whole_number(const syntax::Field& field, const SourcePointer& source) {
  auto* number = std::get_if<syntax::Number>(&field.value->node);
  auto text = source->text(field.value->span);
  if (!number || number->value < 1 || text.find_first_not_of(digits) != std::string_view::npos) return {};
  return number->value;
}

const std::string* string_of(const syntax::Field& field) {
  auto* text = std::get_if<syntax::StringLiteral>(&field.value->node);
  return text ? &text->value : nullptr;
}

// A line of text that says something.
bool is_text(const syntax::Field& field, const SourcePointer&) {
  auto* text = string_of(field);
  return text && text->find_first_not_of(" \t") != std::string::npos;
}

// An expression of SPDX: identifiers, joined by AND, OR and WITH, in parentheses or not. Which identifiers there are is
// for its list to say.
bool is_licence(std::string_view text) {
  bool due = true;  // an identifier, or what opens one
  int open = 0;
  while (!text.empty()) {
    auto end = std::min(text.find_first_of(" ()"), text.size());
    auto word = text.substr(0, std::max<std::size_t>(end, 1));
    text.remove_prefix(word.size());
    if (word == " ") continue;
    if (word == "(" || word == ")") {
      if (due != (word == "(")) return false;
      open += word == "(" ? 1 : -1;
      if (open < 0) return false;
      continue;
    }
    bool joins = word == "AND" || word == "OR" || word == "WITH";
    bool identifier = std::all_of(word.begin(), word.end(), [](char c) {
      return is_name_character(c) || c == '-' || c == '.' || c == '+' || c == ':';
    });
    if (!identifier || joins == due) return false;
    due = joins;
  }
  return !due && open == 0;
}

struct FieldInfo {
  std::string_view name, example, takes;
  bool (*fits)(const syntax::Field&, const SourcePointer&);
  std::string PackInfo::*text;  ///< where it is kept; null: a number
  bool needed = false;
};
constexpr FieldInfo fields[] = {
    {"version", "version = \"1.0.0\"", "three numbers in a string",
     [](const syntax::Field& field, const SourcePointer&) {
       auto* text = string_of(field);
       return text && is_version(*text);
     },
     &PackInfo::version, true},
    {"language", "language = 2", "a whole number from 1 on",
     [](const syntax::Field& field, const SourcePointer& source) { return whole_number(field, source).has_value(); },
     nullptr, true},
    {"author", "author = \"Ada Lovelace <ada@example.org>\"", "a text in a string", is_text, &PackInfo::author},
    {"licence", "licence = \"MIT\"", "an SPDX expression in a string",
     [](const syntax::Field& field, const SourcePointer&) {
       auto* text = string_of(field);
       return text && is_licence(*text);
     },
     &PackInfo::licence},
    {"description", "description = \"Rules for transformers\"", "a text in a string", is_text, &PackInfo::description},
};

// "pack"
Span word_of(const syntax::Item& item) { return {item.span.begin, item.span.begin + 4}; }

std::vector<const syntax::Item*> packs_of(const syntax::File& file) {
  std::vector<const syntax::Item*> found;
  for (auto& item : file.items)
    if (std::holds_alternative<syntax::Pack>(item.node)) found.push_back(&item);
  return found;
}

PackInfo check_fields(const syntax::Pack& pack, const Reporter& reporter) {
  if (pack.name.text == "std")
    reporter.report(Code::protected_name, pack.name.span, "`std` is the standard pack's name", "choose another name");
  PackInfo info{.name = pack.name.text, .version = "", .named = {reporter.source(), pack.name.span, ""}};
  std::map<std::string_view, const syntax::Field*> given;
  for (auto& field : pack.fields) {
    auto& name = field.name.text;
    auto known = std::find_if(std::begin(fields), std::end(fields), [&](auto& row) { return row.name == name; });
    if (known == std::end(fields)) {
      auto names = pack_fields();
      reporter.report(Code::bad_pack, field.name.span, filled("a pack has no `{}`", name),
                      did_you_mean(name, names, filled("it has {}", fmt::join(names, ", "))));
    } else if (auto [first, fresh] = given.emplace(known->name, &field); !fresh) {
      auto& diagnostic =
          reporter.report(Code::bad_pack, field.name.span, filled("`{}` is given twice", name), "leave one out");
      diagnostic.others.push_back({reporter.source(), first->second->name.span, "first here"});
    } else if (!known->fits(field, reporter.source())) {
      reporter.report(Code::bad_pack, field.value->span, filled("`{}` takes {}", name, known->takes),
                      filled("write `{}`", known->example));
    } else if (known->text) {
      info.*known->text = *string_of(field);
    } else {
      info.language = static_cast<int>(std::min<double>(*whole_number(field, reporter.source()), language_version));
    }
  }
  for (auto& row : fields)
    if (row.needed && !given.contains(row.name))
      reporter.report(Code::bad_pack, pack.name.span, filled("the pack `{}` needs `{}`", info.name, row.name),
                      filled("write `{}`", row.example));
  return info;
}

PackInfo check_packs(const syntax::File& pack_file, const Reporter& reporter) {
  auto packs = packs_of(pack_file);
  if (packs.empty()) {
    if (pack_file.whole)
      reporter.report(Code::bad_pack, {0, 0}, "pack.rule does not say which pack it is",
                      "write `pack name { version = \"1.0.0\"; language = 2 }`");
    return {};
  }
  for (std::size_t i = 1; i < packs.size(); ++i) {
    auto& diagnostic = reporter.report(Code::bad_pack, word_of(*packs[i]), "a second `pack`", "leave one out");
    diagnostic.others.push_back({pack_file.source, word_of(*packs[0]), "first here"});
  }
  return check_fields(std::get<syntax::Pack>(packs[0]->node), reporter);
}

}  // namespace

std::vector<std::string> pack_fields() {
  std::vector<std::string> out;
  for (auto& row : fields) out.emplace_back(row.name);
  return out;
}

std::optional<Diagnostic> needs_newer_language(const syntax::File& pack_file) {
  for (auto* item : packs_of(pack_file)) {
    auto& pack = std::get<syntax::Pack>(item->node);
    for (auto& field : pack.fields) {
      if (field.name.text != "language") continue;
      auto needed = whole_number(field, pack_file.source);
      if (!needed || *needed <= language_version) continue;
      auto span = field.value->span;
      return Diagnostic{.code = Code::newer_language,
                        .message = filled("the pack `{}` needs language {}, this is language {}", pack.name.text,
                                          pack_file.source->text(span), language_version),
                        .primary = {pack_file.source, span, ""},
                        .help = filled("take a newer Ascribe, or a version of `{}` for language {}", pack.name.text,
                                       language_version)};
    }
  }
  return {};
}

PackInfo check_pack(const syntax::File& pack_file, std::vector<Diagnostic>& diagnostics) {
  PackInfo info;
  until_stopped(diagnostics, [&] { info = check_packs(pack_file, Reporter(pack_file.source, diagnostics)); });
  return info;
}

void refuse_packs(const syntax::File& file, std::vector<Diagnostic>& diagnostics) {
  Reporter reporter(file.source, diagnostics);
  until_stopped(diagnostics, [&] {
    for (auto* item : packs_of(file))
      reporter.report(Code::bad_pack, word_of(*item), "`pack` stands in pack.rule only",
                      "move it into a file called pack.rule, in the pack's folder");
  });
}

}  // namespace ascribe::language
