#include "grammar/syntax_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace ascribe {
namespace {

// In the order in which a message lists them. An operator is worth a word only where nothing else would do.
constexpr std::array listed_order{expecting::item,          expecting::clause,
                                  expecting::modifier,      expecting::entry,
                                  expecting::test_clause,   expecting::expression,
                                  expecting::layers,        expecting::name,
                                  expecting::string,        expecting::parameters,
                                  expecting::equals,        expecting::arrow,
                                  expecting::open_brace,    expecting::then,
                                  expecting::otherwise,     expecting::as,
                                  expecting::comma,         expecting::close_parenthesis,
                                  expecting::close_bracket, expecting::close_brace,
                                  expecting::operation,     expecting::end};

// What people write out of habit from other languages.
struct ForeignOperator {
  std::string_view text, message, help;
};
constexpr ForeignOperator foreign_operators[] = {
    {"**", "`**` is not an operator", "a power is written `x ^ 2`"},
    {"//", "`//` is not an operator", "division is `/`; a comment begins with `#`"},
    {"&&", "`&&` is not an operator", "write `and`"},
    {"||", "`||` is not an operator", "write `or`"},
    {"!", "`!` is not an operator", "write `not`"},
    {"%", "`%` is not an operator", "the operators are `+ - * / ^`"},
    {"@", "`@` is not an operator", "the layer itself is applied by the rule; the operators are `+ - * / ^`"},
    {"?", "`? :` is not an operator", "write `if c then a else b`"},
    {"'", "strings are written in double quotes", "write \"bias\" instead of 'bias'"},
    {"+=", "`+=` is not an assignment", "a name is defined once: write `let total = a + b`"},
    {"->", "`->` is no arrow", "an entry is written `convolution => epsilon`"},
};

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)); }
bool is_name_character(char c) { return is_letter(c) || is_digit(c); }

// The token at an offset, as far as a message needs it: a word, a number, or a single character.
Span token_at(std::string_view text, std::size_t begin) {
  auto end = begin;
  if (end < text.size() && is_name_character(text[end])) {
    while (end < text.size() && is_name_character(text[end])) ++end;
  } else if (end < text.size()) {
    ++end;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  }
  return {begin, end};
}

class Explanation {
 public:
  Explanation(const SourcePointer& source, const Expectations& expectations,
              const std::vector<std::string_view>& reserved_words)
      : source_(source),
        text_(source->text()),
        at_(expectations.offset()),
        expected_(expectations),
        reserved_(reserved_words) {}

  Diagnostic explain() {
    if (auto found = string_without_end()) return *found;
    if (auto found = foreign_operator()) return *found;
    if (auto found = lambda()) return *found;
    if (auto found = number()) return *found;
    if (auto found = chained_comparison()) return *found;
    if (auto found = assignment_or_comparison()) return *found;
    if (auto found = spaced_path()) return *found;
    if (auto found = reserved_name()) return *found;
    auto token = token_at(text_, at_);
    return make(Code::syntax, token, fmt::format("expected {}, found {}", expected_.listed(), shown(token)), "");
  }

 private:
  Diagnostic make(Code code, Span span, std::string message, std::string help) {
    return {.code = code, .message = std::move(message), .primary = {source_, span, ""}, .help = std::move(help)};
  }

  std::string shown(Span token) const {
    return token.begin >= text_.size() ? "the end of the file" : fmt::format("`{}`", source_->text(token));
  }

  // The last byte before the place where the grammar stopped that is no blank.
  std::size_t previous() const {
    auto i = at_;
    while (i > 0 && std::isspace(static_cast<unsigned char>(text_[i - 1]))) --i;
    return i == 0 ? 0 : i - 1;
  }

  std::optional<Diagnostic> string_without_end() {
    if (at_ >= text_.size() || text_[at_] != '"') return {};
    auto end = at_ + 1;
    while (end < text_.size() && text_[end] != '"' && text_[end] != '\n') end += text_[end] == '\\' ? 2 : 1;
    if (end < text_.size() && text_[end] == '"') return {};
    end = std::min(text_.find('\n', at_), text_.size());
    if (end > at_ && text_[end - 1] == '\r') --end;
    return make(Code::unfinished_string, {at_, end}, "the string has no end", "close it with `\"` on the same line");
  }

  std::optional<Diagnostic> foreign_operator() {
    for (auto& [spelling, message, help] : foreign_operators) {
      // The grammar may have taken the first of two characters for an operator of its own.
      for (std::size_t begin : {at_, previous()})
        if (begin < text_.size() && text_.substr(begin, spelling.size()) == spelling && begin + spelling.size() > at_ &&
            !(spelling == "!" && text_.substr(begin, 2) == "!="))
          return make(Code::foreign_operator, {begin, begin + spelling.size()}, std::string(message),
                      std::string(help));
    }
    return {};
  }

  std::optional<Diagnostic> lambda() {
    auto end = previous() + 1;
    constexpr std::string_view word = "lambda";
    if (end < word.size() || text_.substr(end - word.size(), word.size()) != word) return {};
    return make(Code::foreign_operator, {end - word.size(), end}, "there is no `lambda`",
                "write the expression itself: `input = max(x, 0)`");
  }

  std::optional<Diagnostic> number() {
    if (at_ >= text_.size()) return {};
    if (is_digit(text_[at_])) {  // the grammar refuses a number only for the letter behind it
      auto end = at_;
      while (end < text_.size() && (is_digit(text_[end]) || text_[end] == '.')) ++end;
      if (end < text_.size() && is_letter(text_[end]) && expected_.has(expecting::expression)) {
        auto rest = token_at(text_, end);
        return make(Code::missing_operator, {at_, rest.end},
                    fmt::format("an operator is missing between `{}` and `{}`", text_.substr(at_, end - at_),
                                source_->text(rest)),
                    fmt::format("write `{} * {}`", text_.substr(at_, end - at_), source_->text(rest)));
      }
    }
    bool digit_follows = at_ + 1 < text_.size() && is_digit(text_[at_ + 1]);
    bool digit_before = at_ > 0 && is_digit(text_[at_ - 1]);
    if (text_[at_] == '.' && (digit_follows || digit_before)) {
      auto begin = at_, end = at_ + 1;
      while (begin > 0 && is_digit(text_[begin - 1])) --begin;
      while (end < text_.size() && is_digit(text_[end])) ++end;
      auto written = text_.substr(begin, end - begin);
      return make(Code::malformed_number, {begin, end}, "a number has digits on both sides of its point",
                  fmt::format("write `{}{}{}`", digit_before ? "" : "0", written, digit_follows ? "" : "0"));
    }
    return {};
  }

  std::optional<Diagnostic> chained_comparison() {
    if (at_ >= text_.size() || !expected_.has(expecting::operation)) return {};
    for (std::string_view op : {"==", "!=", "<=", ">=", "<", ">"})
      if (text_.substr(at_, op.size()) == op)
        return make(Code::chained_comparison, {at_, at_ + op.size()}, "comparisons do not chain",
                    "write `0 < y and y < 1`");
    return {};
  }

  std::optional<Diagnostic> assignment_or_comparison() {
    if (expected_.has(expecting::equals) && text_.substr(at_, 2) == "==")
      return make(Code::syntax, {at_, at_ + 2}, "expected `=`, found `==`", "a definition has a single `=`");
    if (expected_.has(expecting::equals) && text_.substr(at_, 2) == "=>")
      return make(Code::syntax, {at_, at_ + 2}, "expected `=`, found `=>`",
                  "`=>` stands in a composite's entries only");
    if (expected_.has(expecting::arrow) && text_.substr(at_, 1) == "=")
      return make(Code::syntax, {at_, at_ + 1}, "expected `=>`, found `=`",
                  "an entry is written `convolution => epsilon`");
    if (text_.substr(at_, 1) == "=" && expected_.has(expecting::operation))
      return make(Code::syntax, {at_, at_ + 1}, "`=` does not compare", "write `==`");
    return {};
  }

  std::optional<Diagnostic> spaced_path() {
    if (at_ >= text_.size() || text_[at_] != '.') return {};
    return make(Code::syntax, {at_, at_ + 1}, "`.` joins two names without a space", "write `positive.y`");
  }

  std::optional<Diagnostic> reserved_name() {
    auto token = token_at(text_, at_);
    auto found = source_->text(token);
    if (std::find(reserved_.begin(), reserved_.end(), found) == reserved_.end()) return {};
    bool inside = !expected_.has(expecting::expression) && expected_.has(expecting::name);
    // Where a whole expression was due, a reserved word mostly begins the next clause: then the plain message is right.
    if (!inside &&
        !(expected_.has(expecting::expression) && text_.find_first_not_of(" \t", token.end) != std::string_view::npos &&
          std::string_view(",)+-*/^]}\n").find(text_[text_.find_first_not_of(" \t", token.end)]) !=
              std::string_view::npos))
      return {};
    return make(Code::reserved_name, token, fmt::format("`{}` is a reserved word, not a name", found),
                "choose another name");
  }

  const SourcePointer& source_;
  std::string_view text_;
  std::size_t at_;
  const Expectations& expected_;
  const std::vector<std::string_view>& reserved_;
};

}  // namespace

void Expectations::note(std::size_t offset, std::string_view what) {
  if (offset < offset_) return;
  if (offset > offset_) expected_.clear();
  offset_ = offset;
  if (!has(what)) expected_.push_back(what);
}

void Expectations::forget() {
  offset_ = 0;
  expected_.clear();
}

bool Expectations::has(std::string_view what) const {
  return std::find(expected_.begin(), expected_.end(), what) != expected_.end();
}

std::string Expectations::listed() const {
  std::vector<std::string_view> shown;
  for (auto what : listed_order) {
    if (!has(what)) continue;
    if (what == expecting::operation && !shown.empty()) continue;
    if (has(expecting::expression) && (what == expecting::name || what == expecting::string)) continue;
    if (has(expecting::layers) && (what == expecting::name || what == expecting::string)) continue;
    if (has(expecting::entry) && (what == expecting::layers || what == expecting::name || what == expecting::string))
      continue;
    // What may follow an expression matters more than what may stand in front of the next line.
    if (has(expecting::operation) && what == expecting::comma && has(expecting::close_brace)) continue;
    shown.push_back(what);
  }
  std::string out;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (i > 0) out += i + 1 == shown.size() ? " or " : ", ";
    out += shown[i];
  }
  return out.empty() ? "something else" : out;
}

Diagnostic explain_syntax_error(const SourcePointer& source, const Expectations& expectations,
                                const std::vector<std::string_view>& reserved_words) {
  return Explanation(source, expectations, reserved_words).explain();
}

}  // namespace ascribe
