#include "grammar/clause_habits.hpp"

#include <array>

#include "grammar/unread_text.hpp"

namespace ascribe {
namespace {

constexpr std::array<std::string_view, 7> types_in_front{"float",      "int",   "double", "scalar",
                                                         "stabilizer", "names", "str"};

constexpr std::array<std::string_view, 6> operators{"then", "and", "or", "is", "in", "within"};

class UnreadClause : UnreadText {
 public:
  using UnreadText::UnreadText;

  std::optional<Diagnostic> explain() const {
    if (auto found = import_without_name()) return found;
    if (at_ >= text_.size()) return {};
    for (auto each :
         {&UnreadClause::conditional, &UnreadClause::param_selector, &UnreadClause::tuple,
          &UnreadClause::alias_with_body, &UnreadClause::braces, &UnreadClause::definition_without_kind,
          &UnreadClause::without_quotes, &UnreadClause::code_in_quotes, &UnreadClause::term, &UnreadClause::function,
          &UnreadClause::type_in_front, &UnreadClause::import_of_a_name, &UnreadClause::indexing})
      if (auto found = (this->*each)()) return found;
    return {};
  }

 private:
  bool is_assigned(std::size_t end) const {
    auto next = behind_blanks(end);
    auto rest = text_.substr(next);
    return rest.starts_with('=') && !rest.starts_with("==") && !rest.starts_with("=>");
  }
  std::size_t open_bracket() const {
    int depth = 0;
    for (auto i = at_; i > begin_; --i) {
      if (text_[i - 1] == ')') ++depth;
      if (text_[i - 1] == '(' && depth-- == 0) return i - 1;
    }
    return at_;
  }

  // `if (y > 0) R else 0`, `if y > 0 then R`
  std::optional<Diagnostic> conditional() const {
    auto word = word_at(at_);
    bool value = is_name(word) || text_[at_] == '(' || is_digit(text_[at_]);
    if (expected_.has(expecting::then) && value &&
        std::find(operators.begin(), operators.end(), word) == operators.end())
      return with_fix(make({at_, at_ + std::max<std::size_t>(word.size(), 1)}, "expected `then` before the value",
                           "write `if c then a else b`"),
                      {at_, at_}, "then ", false);
    if (!expected_.has(expecting::otherwise) || std::string_view("};").find(text_[at_]) == std::string_view::npos)
      return {};
    auto end = before_blanks(at_);
    return with_fix(make({at_, at_ + 1}, filled("expected `else`, found `{}`", text_[at_]),
                         "both values are there: `if c then a else 0`"),
                    {end, end}, " else 0", false);
  }

  // `param("bias") = 0`, `param.bias = 0`
  std::optional<Diagnostic> param_selector() const {
    auto end = before_blanks(at_);
    if (word_before(end) != "param" || (text_[at_] != '(' && text_[at_] != '.')) return {};
    auto begin = at_ + 1;
    bool quoted = begin < text_.size() && text_[begin] == '"';
    auto name = word_at(quoted ? begin + 1 : begin);
    auto last = begin + name.size() + (quoted ? 2 : 0) + (text_[at_] == '(' ? 1 : 0);
    if (!is_name(name) || !is_assigned(last)) return {};
    auto text = filled("param \"{}\"", name);
    return with_fix(
        make({at_, last}, "a parameter's name stands behind `param`, in quotes", filled("write `{}`", text)),
        {end - 5, last}, text, true);
  }

  // `sum(y, (1, 2))`
  std::optional<Diagnostic> tuple() const {
    if (text_[at_] != ',' || expected_.has(expecting::comma) || !expected_.has(expecting::close_parenthesis)) return {};
    auto out = make({at_, at_ + 1}, "parentheses hold one value",
                    "dimensions stand one by one, `sum(y, 1, 2)`; a list has brackets, `[1, 2]`");
    auto open = open_bracket(), close = text_.find(')', at_);
    auto before = before_blanks(open);
    if (close == std::string_view::npos || text_[open] != '(' || before == 0 || text_[before - 1] != ',') return out;
    auto inside = std::string(text_.substr(open + 1, close - open - 1));
    if (inside.find_first_not_of("0123456789-, ") != std::string::npos) return out;
    return with_fix(std::move(out), {open, close + 1}, inside, false);
  }

  // A rule that is an alias and has a body as well.
  std::optional<Diagnostic> alias_with_body() const {
    if (text_[at_] != '{' || !expected_.has(expecting::item)) return {};
    auto before = text_.substr(begin_, at_ - begin_);
    bool alias = (before.starts_with("rule") || before.starts_with("composite")) && before.find('=') != before.npos &&
                 before.find('{') == before.npos;
    if (!alias) return {};
    return make({at_, at_ + 1}, "an alias has no body",
                "write `rule mine = epsilon(1e-3)`, or `rule mine { map = R / stabilize(y, 1e-3) }`");
  }

  // `fn a(z) = { z }`
  std::optional<Diagnostic> braces() const {
    if (text_[at_] != '{' || !expected_.has(expecting::expression)) return {};
    auto close = text_.find('}', at_);
    auto out = make({at_, at_ + 1}, "a value has no braces", "parentheses hold a value together: `2 * (x + 1)`");
    auto inside = text_.substr(at_ + 1, close == std::string_view::npos ? 0 : close - at_ - 1);
    if (inside.find_first_of("{=;#\n") != std::string_view::npos || inside.empty()) return out;
    return with_fix(std::move(out), {at_, close + 1}, filled("({})", inside), false);
  }

  // `let k = 3` and `k = 3` where definitions stand.
  std::optional<Diagnostic> definition_without_kind() const {
    if (!expected_.has(expecting::item) || expected_.has(expecting::expression)) return {};
    auto word = word_at(at_);
    bool by_let = word == "let" || word == "const" || word == "var" || word == "def";
    auto name_at = by_let ? behind_blanks(at_ + word.size()) : at_;
    auto name = word_at(name_at);
    if (!is_name(name) || !is_assigned(name_at + name.size()) || at_ != begin_) return {};
    auto equals = text_.find('=', name_at);
    auto value = line_from(behind_blanks(equals + 1));
    value = value.substr(0, std::min(value.find_first_of("#;"), value.size()));
    while (!value.empty() && (value.back() == ' ' || value.back() == '\r')) value.remove_suffix(1);
    auto text = filled("fn {}() = {}", name, value);
    return make({at_, at_ + word.size()}, "a value stands in a rule, a test, or a function",
                filled("write `{}`, and `{}()` where it is used", text, name));
  }

  // `import torch`
  std::optional<Diagnostic> import_of_a_name() const {
    auto name = word_at(at_);
    if (word_before(before_blanks(at_)) != "import" || !is_name(name)) return {};
    return make({at_, at_ + name.size()}, "`import` takes a path in double quotes",
                "write `import \"../acme\" as acme`; functions such as `abs` need no import");
  }

  // `x[0]`
  std::optional<Diagnostic> indexing() const {
    if (text_[at_] != '[' || before_blanks(at_) != at_ || !expected_.has(expecting::operation)) return {};
    auto out =
        make({at_, at_ + 1}, "there is no indexing", "expressions work on whole tensors: `sum(x, 1)`, `mean(x)`");
    out.code = Code::foreign_operator;
    return out;
  }

  // `import "acme"`, `test a { … }`
  std::optional<Diagnostic> import_without_name() const {
    if (!expected_.has(expecting::as)) return {};
    auto end = before_blanks(at_);
    if (end < 2 || text_[end - 1] != '"') return {};
    auto open = text_.rfind('"', end - 2);
    if (open == std::string_view::npos) return {};
    auto path = text_.substr(open + 1, end - open - 2);
    path.remove_suffix(path.ends_with(".rule") ? 5 : 0);
    auto name = path.substr(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
    if (!is_name(name)) return {};
    auto text = filled("as {}", name);
    return with_fix(make({open, end}, "an import has a name", filled("write `{}` behind it", text)), {end, end},
                    " " + text, true);
  }
  std::optional<Diagnostic> without_quotes() const {
    auto name = word_at(at_);
    if (!expected_.has(expecting::string) || word_before(before_blanks(at_)) != "test" || !is_name(name)) return {};
    auto text = filled("\"{}\"", name);
    Span span{at_, at_ + name.size()};
    return with_fix(make(span, "a test's name stands in quotes", filled("write `test {}`", text)), span, text, true);
  }

  // `fails "A0601"`
  std::optional<Diagnostic> code_in_quotes() const {
    auto name = word_at(at_ + 1);
    bool quoted = text_[at_] == '"' && is_name(name) && text_.substr(at_ + 1 + name.size()).starts_with('"');
    if (!quoted || word_before(before_blanks(at_)) != "fails") return {};
    Span span{at_, at_ + name.size() + 2};
    return with_fix(make(span, "a code stands without quotes", filled("write `fails {}`", name)), span,
                    std::string(name), true);
  }

  // `term { … }`, `term positive = max(x, 0)`, `positive { … }`, `reduce` in a term
  std::optional<Diagnostic> term() const {
    auto word = word_at(at_);
    auto before_end = before_blanks(at_);
    auto before = word_before(before_end);
    if (text_[at_] == '{' && before == "term")
      return with_fix(make({at_, at_ + 1}, "a term has a name", "write `term positive { … }`"),
                      {before_end, before_end}, " positive", false);
    if (text_[at_] == '=' && expected_.has(expecting::open_brace) &&
        word_before(before_blanks(before_end - before.size())) == "term")
      return make({at_, at_ + 1}, "a term's clauses stand in braces",
                  filled("write `term {} {{ input = max(x, 0) }}`", before));
    bool body = text_.substr(behind_blanks(at_ + word.size())).starts_with('{');
    if (expected_.has(expecting::clause) && is_name(word) && body && word != "rule" && word != "composite" &&
        word != "test" && word != "term" && word.size() > 2)
      return with_fix(make({at_, at_ + word.size()}, filled("`{}` is no clause", word),
                           filled("a term begins with its word: `term {} {{ … }}`", word)),
                      {at_, at_}, "term ", false);
    bool outcome = word == "reduce" || word == "forward" || word == "backward" || word == "let" || word == "require";
    if (expected_.has(expecting::modifier) && !expected_.has(expecting::clause) && outcome)
      return make({at_, at_ + word.size()}, filled("`{}` stands in the rule itself, not in a term", word),
                  "end the term before it with `}`");
    return {};
  }

  // `fn half z = z / 2`
  std::optional<Diagnostic> function() const {
    auto name = word_at(at_);
    if (!expected_.has(expecting::parameters) || !is_name(name) || !is_assigned(at_ + name.size())) return {};
    Span span{before_blanks(at_), at_ + name.size()};
    if (!text_.substr(begin_).starts_with("fn")) return {};
    auto text = filled("({})", name);
    return with_fix(make({at_, span.end}, "parameters stand in parentheses", filled("write `{}`", text)), span, text,
                    true);
  }

  // `rule a(float epsilon)`
  std::optional<Diagnostic> type_in_front() const {
    auto name = word_at(at_);
    auto end = before_blanks(at_);
    auto type = word_before(end);
    bool known = std::find(types_in_front.begin(), types_in_front.end(), type) != types_in_front.end();
    if (!known || !is_name(name) || !expected_.has(expecting::equals) || !expected_.has(expecting::comma)) return {};
    auto meant = type == "names" || type == "str" ? "names" : type == "stabilizer" ? "stabilizer" : "scalar";
    auto text = filled("{}: {}", name, meant);
    Span span{end - type.size(), at_ + name.size()};
    return with_fix(make(span, "a parameter's type stands behind its name", filled("write `{}`", text)), span, text,
                    false);
  }
};

}  // namespace

std::optional<Diagnostic> explain_clause(const SourcePointer& source, std::size_t begin, const Expectations& expected) {
  return UnreadClause(source, begin, expected).explain();
}

}  // namespace ascribe
