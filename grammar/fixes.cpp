#include "grammar/fixes.hpp"

#include <algorithm>
#include <optional>

#include "grammar/characters.hpp"
#include "grammar/filled_text.hpp"

namespace ascribe {
namespace {

// What a form of help is about.
struct Told {
  const Diagnostic& diagnostic;
  std::string_view text;  // of the source
  Span place;
  std::string_view there;           // what stands at the place
  std::vector<std::string> quoted;  // what the help has between backticks

  std::string first() const { return quoted.empty() ? "" : quoted.front(); }
};

using Edits = std::optional<std::vector<Edit>>;

Edits replace(const Told& told, std::string text) {
  if (text.empty() || text.find("…") != std::string::npos || text == told.there) return {};
  return std::vector<Edit>{{told.place, std::move(text)}};
}
Edits by_first(const Told& told) { return replace(told, told.first()); }
Edits by_first_string(const Told& told) {
  auto quoted = told.there.starts_with('"') && !told.first().starts_with('"');
  return replace(told, quoted ? filled("\"{}\"", told.first()) : told.first());
}
// `self.x` whose first name is the place, or the whole.
Edits whole_path(const Told& told) {
  auto end = told.place.end;
  if (end < told.text.size() && told.text[end] == '.') {
    ++end;
    while (end < told.text.size() && is_name_character(told.text[end])) ++end;
  }
  return std::vector<Edit>{{{told.place.begin, end}, told.first()}};
}
template <char... text>
Edits put(const Told& told) {
  return std::vector<Edit>{{told.place, std::string{text...}}};
}
template <char... text>
Edits put_before(const Told& told) {
  return std::vector<Edit>{{{told.place.begin, told.place.begin}, std::string{text...}}};
}
// A word in the place of a mark, apart from its neighbours.
Edits by_first_word(const Told& told) {
  auto text = told.first();
  if (!is_letter(text.empty() ? ' ' : text.front())) return replace(told, text);
  auto end = told.place.end;
  if (told.place.begin > 0 && is_name_character(told.text[told.place.begin - 1])) text.insert(0, " ");
  if (end < told.text.size() && is_name_character(told.text[end])) text += ' ';
  return replace(told, text);
}
// `w = max(w, 0)`: the clause that is meant, where the help shows it with a value of its own.
Edits clause_word(const Told& told) {
  auto help = told.first();
  auto equals = help.find(" = ");
  auto next = told.text.find_first_not_of(" \t", told.place.end);
  if (equals == std::string::npos || next == std::string_view::npos || told.text[next] != '=') return {};
  return replace(told, help.substr(0, equals));
}
// `fn square(z) { z ^ 2 }`: the braces.
Edits equals_for_braces(const Told& told) {
  auto close = told.text.find('}', told.place.end);
  if (close == std::string_view::npos ||
      told.text.substr(told.place.end, close - told.place.end).find_first_of("{=;#") != std::string_view::npos)
    return {};
  auto begin = std::min(told.text.find_first_not_of(" \n", told.place.end), close);
  auto value = told.text.substr(begin).starts_with("return ") ? begin + 7 : told.place.end;
  return std::vector<Edit>{{{told.place.begin, value}, value == told.place.end ? "=" : "= "}, {{close, close + 1}, ""}};
}
// The bounds of an expression on one line around a place: behind the `=`, `(` or `,` before it, in front of what ends
// it.
Span expression_around(std::string_view text, std::size_t at) {
  auto begin = at, end = at;
  for (int depth = 0; begin > 0; --begin) {
    char c = text[begin - 1];
    if (c == ')' || c == ']') ++depth;
    if ((c == '(' || c == '[') && depth-- == 0) break;
    bool equals = c == '=' && begin > 1 && std::string_view("<>=!").find(text[begin - 2]) == std::string_view::npos &&
                  text[begin] != '=' && text[begin] != '>';
    if (depth == 0 && (equals || c == ',' || c == ';' || c == '\n')) break;
  }
  for (int depth = 0; end < text.size(); ++end) {
    char c = text[end];
    if (c == '(' || c == '[') ++depth;
    if ((c == ')' || c == ']') && depth-- == 0) break;
    if (depth == 0 && std::string_view(",;}\n#").find(c) != std::string_view::npos) break;
  }
  while (begin < at && text[begin] == ' ') ++begin;
  while (end > at && text[end - 1] == ' ') --end;
  return {begin, end};
}
// `a if c else b` and `c ? a : b`
Edits conditional(const Told& told, std::string_view between, bool condition_first) {
  auto whole = expression_around(told.text, told.place.begin);
  auto second = told.text.find(between, told.place.end);
  if (second == std::string_view::npos || second >= whole.end) return {};
  auto trimmed = [&](std::size_t begin, std::size_t end) {
    while (begin < end && told.text[begin] == ' ') ++begin;
    while (end > begin && told.text[end - 1] == ' ') --end;
    return told.text.substr(begin, end - begin);
  };
  auto first = trimmed(whole.begin, told.place.begin), middle = trimmed(told.place.end, second),
       last = trimmed(second + between.size(), whole.end);
  if (first.empty() || middle.empty() || last.empty()) return {};
  auto text = filled("if {} then {} else {}", condition_first ? first : middle, condition_first ? middle : first, last);
  return std::vector<Edit>{{whole, text}};
}
Edits of_python(const Told& told) { return conditional(told, " else ", false); }
Edits of_c(const Told& told) { return conditional(told, ":", true); }
Edits else_if(const Told& told) { return replace(told, "else if"); }
// `require` of "write `require factor > 0`".
Edits first_word(const Told& told) { return replace(told, told.first().substr(0, told.first().find(' '))); }
Edits nothing(const Told&) { return {}; }
Edits leave_out(const Told& told) { return std::vector<Edit>{{told.place, ""}}; }

// `"bias = 0`: behind what could be the name of something.
Edits close_string(const Told& told) {
  auto end = told.place.begin + 1;
  while (end < told.place.end &&
         (is_name_character(told.text[end]) || std::string_view(".*/-").find(told.text[end]) != std::string_view::npos))
    ++end;
  return std::vector<Edit>{{{end, end}, "\""}};
}

// `2R`, or the second of two that stand side by side.
Edits multiply(const Told& told) {
  auto together = told.first();
  together.erase(std::remove_if(together.begin(), together.end(), [](char c) { return c == ' ' || c == '*'; }),
                 together.end());
  return together == told.there ? by_first(told) : put_before<'*', ' '>(told);
}

// Where a list of names is wanted, and there is one string.
Edits list_of_one(const Told& told) { return told.there.starts_with('"') ? by_first(told) : Edits(); }

// In `reduce`, any term's value can be meant; a let may be for clauses that see their own term's alone.
Edits of_term(const Told& told) {
  auto before = told.text.substr(0, told.place.begin);
  auto reduce = before.rfind("reduce"), let = before.rfind("let ");
  bool in_reduce = reduce != std::string_view::npos && (let == std::string_view::npos || let < reduce);
  return in_reduce ? by_first(told) : Edits();
}

// A test's field, unless the right one is there as well.
Edits field_of_test(const Told& told) {
  auto begin = told.text.substr(0, told.place.begin).rfind("test");
  auto around = told.text.substr(begin == std::string_view::npos ? 0 : begin);
  around = around.substr(0, around.find('}'));
  for (auto at = around.find(told.first()); at != std::string_view::npos; at = around.find(told.first(), at + 1)) {
    auto behind = at + told.first().size();
    bool word = (at == 0 || !is_name_character(around[at - 1])) &&
                (behind >= around.size() || !is_name_character(around[behind]));
    if (word) return {};
  }
  return by_first(told);
}

// 'bias' and “bias”: both marks.
Edits plain_quotes(const Told& told) {
  auto line = told.text.substr(0, std::min(told.text.find('\n', told.place.begin), told.text.size()));
  for (auto [open, close] : {std::pair("'", "'"), std::pair("“", "”"), std::pair("„", "“"), std::pair("‘", "’")}) {
    if (!line.substr(told.place.begin).starts_with(open)) continue;
    auto inside = told.place.begin + std::string_view(open).size();
    auto end = line.find(close, inside);
    if (end == std::string_view::npos ||
        line.substr(inside, end - inside).find_first_of("\"\\") != std::string_view::npos)
      return {};
    return std::vector<Edit>{{{told.place.begin, inside}, "\""}, {{end, end + std::string_view(close).size()}, "\""}};
  }
  return {};
}

// "write `1000`" for `1_000`; `1,5` has its comma as the place.
Edits plain_number(const Told& told) {
  if (told.there == ",") return std::vector<Edit>{{told.place, "."}};
  return by_first(told);
}

// The word in front, `rule` or `composite`, on the way back from the place.
Edits other_word(const Told& told) {
  std::string_view from = told.first().starts_with("composite") ? "rule" : "composite";
  std::string_view to = from == "rule" ? "composite" : "rule";
  auto at = told.text.substr(0, told.place.begin).rfind(from);
  auto whole = at != std::string_view::npos && (at == 0 || !is_name_character(told.text[at - 1])) &&
               !is_name_character(told.text[at + from.size()]);
  if (!whole || told.text.substr(at, told.place.begin - at).find_first_of("{}") != std::string_view::npos) return {};
  return std::vector<Edit>{{{at, at + from.size()}, std::string(to)}};
}

// An import that nothing uses, with its line if it has one to itself.
Edits without_import(const Told& told) {
  if (!told.diagnostic.message.starts_with("the import")) return {};
  auto at = told.text.substr(0, told.place.begin).rfind("import");
  if (at == std::string_view::npos) return {};
  auto end = told.place.end;
  auto rest = told.text.find_first_not_of(" \t\r;", end);
  bool begins = at == 0 || told.text[at - 1] == '\n';
  if (begins && (rest == std::string_view::npos || told.text[rest] == '\n'))
    end = rest == std::string_view::npos ? told.text.size() : rest + 1;
  return std::vector<Edit>{{{at, end}, ""}};
}

// What a test lacks, behind the brace that opens it.
Edits into_test(const Told& told) {
  auto open = told.text.find('{', told.place.end);
  if (open == std::string_view::npos) return {};
  return std::vector<Edit>{{{open + 1, open + 1}, filled(" {};", told.first())}};
}

// A form of help: what its message and its help begin with, and what it comes to.
struct Form {
  Code code;
  std::string_view message, help;
  Edits (*edits)(const Told&);
  bool sure = false;
};
constexpr Form forms[] = {
    {Code::syntax, "", "did you mean `", by_first},
    {Code::syntax, "expected `=>`, found `->`", "", put<'=', '>'>, true},
    {Code::syntax, "expected `=`, found `->`", "", put<'='>, true},
    {Code::syntax, "expected `=`, found `=>`", "", put<'='>},
    {Code::syntax, "expected `=`, found `==`", "", put<'='>, true},
    {Code::syntax, "expected `=`, found `:`", "", put<' ', '='>, true},
    {Code::syntax, "expected `=`, found `{`", "", equals_for_braces},
    {Code::syntax, "expected `=>`, found `:`", "", put<' ', '=', '>'>, true},
    {Code::syntax, "expected `=>`, found `==>`", "", put<'=', '>'>, true},
    {Code::syntax, "definitions are not separated by `,`", "", leave_out},
    {Code::syntax, "there is no `assert`", "", first_word},
    {Code::foreign_operator, "there is no `raises`", "", put<'f', 'a', 'i', 'l', 's'>},
    {Code::foreign_operator, "there is no `throws`", "", put<'f', 'a', 'i', 'l', 's'>},
    {Code::malformed_number, "a number has one point", "a version is a string", by_first},
    {Code::syntax, "expected `=>`, found `=`", "", put<'=', '>'>, true},
    {Code::syntax, "`=` does not compare", "", put<'=', '='>},
    {Code::syntax, "`if` stands before its values", "", of_python},
    {Code::syntax, "`", "write `", clause_word},
    {Code::syntax, "expected `}` before", "", put_before<'}', ' '>},
    {Code::syntax, "lines of a body are not separated by `,`", "leave it out, or write `;`; layers", nothing},
    {Code::syntax, "lines of a body are not separated by `,`", "", put<';'>, true},
    {Code::syntax, "nothing stands before this `;`", "", leave_out, true},
    {Code::syntax, "this `)` closes nothing", "write `", by_first},
    {Code::syntax, "this `]` closes nothing", "write `", by_first},
    {Code::syntax, "this `}` closes nothing", "write `", by_first},
    {Code::syntax, "this `)` closes nothing", "", leave_out},
    {Code::syntax, "this `]` closes nothing", "", leave_out},
    {Code::syntax, "this `}` closes nothing", "", leave_out},
    {Code::syntax, "", "write a `,` between the two", put_before<',', ' '>},
    {Code::unfinished_string, "", "close it with `\"`", close_string},
    {Code::missing_operator, "", "write `", multiply},
    {Code::foreign_operator, "`**` is not an operator", "", put<'^'>, true},
    {Code::foreign_operator, "`//` begins no comment", "", put<'#'>, true},
    {Code::foreign_operator, "`//` is not an operator", "", put<'/'>},
    {Code::foreign_operator, "`:=` is not an assignment", "", put<'='>, true},
    {Code::foreign_operator, "`--` begins no comment", "", put<'#'>, true},
    {Code::foreign_operator, "there is no `elif`", "", else_if},
    {Code::foreign_operator, "`? :`", "", of_c},
    {Code::foreign_operator, "`", "write `", by_first_word, true},
    {Code::foreign_operator, "this is no plain blank", "", put<' '>, true},
    {Code::foreign_operator, "strings are written in double quotes", "", plain_quotes, true},
    {Code::malformed_number, "", "write `", plain_number, true},
    {Code::unknown_name, "unknown term", "write `", whole_path},
    {Code::unknown_name, "", "did you mean `", by_first},
    {Code::unknown_rule, "", "did you mean `", by_first},
    {Code::unknown_rule, "", "a composite's alias is written `composite", other_word},
    {Code::unknown_rule, "", "a rule's alias is written `rule", other_word},
    {Code::unknown_function, "", "did you mean `", by_first},
    {Code::unknown_kind, "", "did you mean `", by_first},
    {Code::unknown_kind, "", "write `", by_first},
    {Code::unknown_kind, "", "a string has no letter in front", leave_out},
    {Code::unknown_rule, "", "write `", by_first},
    {Code::wrong_type, "a share lies", "write `", by_first},
    {Code::unknown_parameter_name, "", "did you mean `", by_first_string},
    {Code::wrong_type, "", "write `[\"", list_of_one, true},
    {Code::not_visible, "which term's", "write `", of_term},
    {Code::unused, "the import", "", without_import},
    {Code::unknown_argument, "a test has no field", "did you mean `", field_of_test},
    {Code::unknown_argument, "", "did you mean `", by_first},
    {Code::missing_argument, "the test has no", "", into_test},
    {Code::bad_count, "", "leave the entry out, or write `", by_first},
    {Code::engine_target, "", "write `", by_first, true},
    {Code::unstabilized_division, "", "write `", by_first},
    {Code::bad_import, "", "did you mean `", by_first},
    {Code::bad_pack, "a pack has no", "did you mean `", by_first},
};

std::vector<std::string> quoted_in(std::string_view help) {
  std::vector<std::string> out;
  for (std::size_t at = 0; (at = help.find('`', at)) != std::string_view::npos;) {
    auto end = help.find('`', at + 1);
    if (end == std::string_view::npos) break;
    out.emplace_back(help.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return out;
}

std::string title(const std::vector<Edit>& edits, std::string_view text) {
  auto& first = edits.front();
  auto put = first.text;
  while (!put.empty() && (put.back() == '\n' || put.back() == ' ')) put.pop_back();
  auto old = std::string(text.substr(first.span.begin, std::min<std::size_t>(first.span.end - first.span.begin, 40)));
  old = old.substr(0, old.find('\n'));
  while (!old.empty() && (static_cast<unsigned char>(old.back()) & 0xC0) == 0x80) old.pop_back();
  if (put.empty()) return filled("leave out `{}`", old);
  return first.span.begin == first.span.end ? filled("add `{}`", put) : filled("write `{}`", put);
}

}  // namespace

void add_fixes(std::vector<Diagnostic>& diagnostics) {
  for (auto& each : diagnostics) {
    if (!each.fixes.empty() || !each.primary.source) continue;
    auto text = each.primary.source->text();
    auto place = each.primary.span;
    if (place.end > text.size() || place.begin > place.end) continue;
    auto form = std::find_if(std::begin(forms), std::end(forms), [&](auto& row) {
      return row.code == each.code && each.message.starts_with(row.message) && each.help.starts_with(row.help);
    });
    if (form == std::end(forms)) continue;
    Told told{each, text, place, text.substr(place.begin, place.end - place.begin), quoted_in(each.help)};
    if (auto edits = form->edits(told)) each.fixes.push_back({title(*edits, text), std::move(*edits), form->sure});
  }
}

std::string edited(std::string_view text, std::vector<Edit> edits) {
  std::stable_sort(edits.begin(), edits.end(), [](auto& a, auto& b) { return a.span.begin < b.span.begin; });
  std::string out;
  std::size_t from = 0;
  for (auto& each : edits) {
    if (each.span.begin < from || each.span.begin > text.size()) continue;
    out += text.substr(from, each.span.begin - from);
    out += each.text;
    from = std::min(std::max(each.span.begin, each.span.end), text.size());
  }
  return out += text.substr(from);
}

std::vector<Edit> sure_edits(const std::vector<Diagnostic>& diagnostics, const Source& source) {
  std::vector<std::vector<Edit>> fixes;
  for (auto& each : diagnostics)
    if (each.primary.source.get() == &source)
      for (auto& fix : each.fixes)
        if (fix.sure && !fix.edits.empty()) {
          fixes.push_back(fix.edits);
          break;
        }
  std::vector<Edit> out;
  // A fix is made as a whole or not at all.
  for (auto& fix : fixes) {
    bool apart = std::all_of(fix.begin(), fix.end(), [&](auto& edit) {
      return std::all_of(out.begin(), out.end(), [&](auto& other) {
        return edit.span.end < other.span.begin || other.span.end < edit.span.begin;
      });
    });
    if (apart) out.insert(out.end(), fix.begin(), fix.end());
  }
  std::sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.span.begin < b.span.begin; });
  return out;
}

}  // namespace ascribe
