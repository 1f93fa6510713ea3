#include "grammar/syntax_error.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "grammar/characters.hpp"
#include "grammar/clause_habits.hpp"
#include "grammar/entry_habits.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/habits.hpp"
#include "grammar/suggest.hpp"

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

// The token at an offset, as far as a message needs it: a word, a number, or a mark.
Span token_at(std::string_view text, std::size_t begin) {
  auto end = begin;
  for (std::string_view mark : {"=>", "==", "!=", "<=", ">=", "->"})
    if (text.substr(begin).starts_with(mark)) return {begin, begin + mark.size()};
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
  Explanation(const SourcePointer& source, std::size_t begin, const Expectations& expectations,
              const std::vector<std::string_view>& reserved_words, std::string_view whole)
      : source_(source),
        text_(source->text()),
        begin_(begin),
        at_(expectations.offset()),
        expected_(expectations),
        reserved_(reserved_words),
        whole_(whole) {}

  Diagnostic explain() {
    if (auto found = string_without_end()) return *found;
    if (auto found = closing_mark()) return *found;
    if (auto found = explain_entry(source_, begin_, expected_)) return *found;
    if (auto found = explain_clause(source_, begin_, expected_)) return *found;
    if (auto found = number()) return *found;
    if (auto found = mark_habit()) return *found;
    if (auto found = word_habit()) return *found;
    if (auto found = chained_comparison()) return *found;
    if (auto found = path()) return *found;
    if (auto found = misplaced_if()) return *found;
    if (auto found = comment_with_dashes()) return *found;
    if (auto found = reserved_name()) return *found;
    if (auto found = missing_operator()) return *found;
    auto token = token_at(text_, at_);
    auto out = make(Code::syntax, at_end() ? last_token() : token,
                    filled("expected {}, found {}", expected_.listed(), shown(token)), help(token));
    label_open_bracket(out);
    return out;
  }

 private:
  Diagnostic make(Code code, Span span, std::string message, std::string help) const {
    return {.code = code, .message = std::move(message), .primary = {source_, span, ""}, .help = std::move(help)};
  }

  std::string shown(Span token) const {
    return token.begin >= text_.size() ? filled("the end of {}", whole_) : filled("`{}`", source_->text(token));
  }

  bool at_end() const { return at_ >= text_.size(); }

  // The last token that the grammar read, neither blank nor comment: there is nothing to see at the end of a file.
  Span last_token() const {
    Span last{at_, at_};
    for (std::size_t i = begin_; i < at_;) {
      if (text_[i] == '#') {
        i = std::min(text_.find('\n', i), at_);
      } else if (std::isspace(static_cast<unsigned char>(text_[i]))) {
        ++i;
      } else {
        last = token_at(text_, i);
        if (text_[i] == '"') last.end = end_of_string(i, at_) + 1;
        i = last.end;
      }
    }
    return last;
  }

  // Where the string that begins there ends: at its closing quote, at the latest at `most`.
  std::size_t end_of_string(std::size_t i, std::size_t most) const {
    for (++i; i < most && text_[i] != '"' && text_[i] != '\n'; ++i)
      if (text_[i] == '\\') ++i;
    return std::min(i, most);
  }

  // The last byte before the place where the grammar stopped that is no blank.
  std::size_t previous() const {
    auto i = at_;
    while (i > 0 && std::isspace(static_cast<unsigned char>(text_[i - 1]))) --i;
    return i == 0 ? 0 : i - 1;
  }

  std::optional<Diagnostic> string_without_end() {
    if (at_ >= text_.size() || text_[at_] != '"') return {};
    auto end = end_of_string(at_, text_.size());
    if (end < text_.size() && text_[end] == '"') return {};
    end = std::min(text_.find('\n', at_), text_.size());
    if (end > at_ && text_[end - 1] == '\r') --end;
    return make(Code::unfinished_string, {at_, end}, "the string has no end", "close it with `\"` on the same line");
  }

  // Whether nothing but blanks stands between the last byte that was read and the one where the grammar stopped.
  bool on_line_of_previous() const {
    return at_ > 0 && text_.substr(previous(), at_ - previous()).find('\n') == std::string_view::npos;
  }

  std::string_view previous_word() const {
    auto end = previous() + 1, begin = end;
    while (begin > 0 && is_name_character(text_[begin - 1])) --begin;
    return at_ == 0 ? "" : text_.substr(begin, end - begin);
  }

  Diagnostic make(const Habit& habit, std::size_t begin) const {
    return {.code = habit.code,
            .message = std::string(habit.message),
            .primary = {source_, {begin, begin + habit.written.size()}, ""},
            .help = std::string(habit.help)};
  }

  std::optional<Diagnostic> mark_habit() const {
    if (text_.substr(previous(), 2) == "--" && at_ == previous() + 1 && !on_line_of_previous()) return {};
    for (auto& habit : mark_habits()) {
      if (habit.fits && !habit.fits(expected_)) continue;
      // The grammar may have taken the first of two characters for an operator of its own.
      for (std::size_t begin : {at_, previous()})
        if (begin < text_.size() && text_.substr(begin, habit.written.size()) == habit.written &&
            begin + habit.written.size() > at_ && !(habit.written == "!" && text_.substr(begin, 2) == "!="))
          return make(habit, begin);
    }
    return {};
  }

  // A word that the grammar took for a name counts, too, if it stopped right behind it.
  std::optional<Diagnostic> word_habit() const {
    auto token = source_->text(token_at(text_, at_));
    for (auto& habit : word_habits()) {
      if (habit.fits && !habit.fits(expected_)) continue;
      if (habit.assigned && !is_assigned(token.size())) continue;
      if (token == habit.written) return make(habit, at_);
      if (!habit.fits && on_line_of_previous() && previous_word() == habit.written)
        return make(habit, previous() + 1 - habit.written.size());
    }
    return {};
  }

  // Whether a word of that length, where the grammar stopped, is given a value.
  bool is_assigned(std::size_t length) const {
    auto next = text_.find_first_not_of(" \t", at_ + length);
    return next != std::string_view::npos && text_[next] == '=' && text_.substr(next, 2) != "==" &&
           text_.substr(next, 2) != "=>";
  }

  std::optional<Diagnostic> number() {
    if (at_ >= text_.size()) return {};
    if (is_digit(text_[at_])) {  // the grammar refuses a number only for the letter behind it
      auto end = at_;
      while (end < text_.size() && (is_digit(text_[end]) || text_[end] == '.')) ++end;
      if (end < text_.size() && is_letter(text_[end]) && expected_.has(expecting::expression)) {
        auto rest = token_at(text_, end);
        auto digits = text_.substr(at_, end - at_), letters = source_->text(rest);
        if (letters.find_first_not_of("_0123456789") == std::string_view::npos) {
          std::string whole(digits);
          std::copy_if(letters.begin(), letters.end(), std::back_inserter(whole), is_digit);
          return make(Code::malformed_number, {at_, rest.end}, "the digits of a number stand together",
                      filled("write `{}`", whole));
        }
        if ((letters == "e" || letters == "E") && rest.end + 1 < text_.size() && is_digit(text_[rest.end + 1])) {
          auto last = rest.end + 1;
          while (last < text_.size() && is_digit(text_[last])) ++last;
          return make(Code::malformed_number, {at_, token_at(text_, last).end}, "a number ends with its digits",
                      filled("write `{}`", text_.substr(at_, last - at_)));
        }
        if (letters == "e" || letters == "E")
          return make(Code::malformed_number, {at_, rest.end}, "the exponent has no digits",
                      filled("write `{}e-6`", digits));
        if (digits == "0" && (letters[0] == 'x' || letters[0] == 'b') && letters.size() > 1)
          return make(Code::malformed_number, {at_, rest.end}, "numbers are decimal", "write `255` or `2.55e2`");
        return make(Code::missing_operator, {at_, rest.end},
                    filled("an operator is missing between `{}` and `{}`", digits, letters),
                    filled("write `{} * {}`", digits, letters));
      }
    }
    bool digit_follows = at_ + 1 < text_.size() && is_digit(text_[at_ + 1]);
    bool digit_before = at_ > 0 && is_digit(text_[at_ - 1]);
    if (text_[at_] == ',' && digit_before && digit_follows && expected_.has(expecting::operation) &&
        !expected_.has(expecting::comma))
      return make(Code::malformed_number, {at_, at_ + 1}, "numbers have a point", "write `1.5` instead of `1,5`");
    if (text_[at_] == '.' && (digit_follows || digit_before)) {
      auto begin = at_, end = at_ + 1;
      while (begin > 0 && is_digit(text_[begin - 1])) --begin;
      while (end < text_.size() && is_digit(text_[end])) ++end;
      auto written = text_.substr(begin, end - begin);
      if (digit_before && digit_follows) {  // the grammar took a point already
        while (begin > 0 && (is_digit(text_[begin - 1]) || text_[begin - 1] == '.')) --begin;
        return make(Code::malformed_number, {begin, end}, "a number has one point",
                    filled("a version is a string: `\"{}\"`", text_.substr(begin, end - begin)));
      }
      return make(Code::malformed_number, {begin, end}, "a number has digits on both sides of its point",
                  filled("write `{}{}{}`", digit_before ? "" : "0", written, digit_follows ? "" : "0"));
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

  std::optional<Diagnostic> path() {
    if (at_ >= text_.size() || text_[at_] != '.') return {};
    bool spaced = previous() + 1 < at_ || (at_ + 1 < text_.size() && !is_letter(text_[at_ + 1]));
    auto before = text_[previous()];
    if (before == ')' || before == ']')
      return make(Code::syntax, {at_, at_ + 1}, "values have no methods",
                  "a function stands in front: `abs(x)`, `sum(x)`");
    if (spaced) return make(Code::syntax, {at_, at_ + 1}, "`.` joins two names without a space", "write `positive.y`");
    auto words_before = text_.substr(0, previous() + 1 - previous_word().size());
    bool second = words_before.ends_with('.');
    if (!second && expected_.has(expecting::arrow))
      return make(Code::syntax, {at_, at_ + 1}, "a layer kind is one word",
                  "write `linear => …`; a module is named by a string: `\"features.*\" => …`");
    if (!second && !expected_.has(expecting::operation))
      return make(Code::syntax, {at_, at_ + 1}, "a name that is defined holds no `.`",
                  "write `a_b`; what comes from a pack is called by the pack's name: `acme.a`");
    return make(Code::syntax, {at_, at_ + 1}, "a path has two names at most",
                "functions need no module in front: `abs(x)`, `max(x, 0)`");
  }

  std::optional<Diagnostic> misplaced_if() {
    auto token = token_at(text_, at_);
    if (source_->text(token) != "if") return {};
    if (expected_.has(expecting::expression))
      return make(Code::syntax, token, "behind an operator, `if` stands in parentheses",
                  "write `2 * (if c then a else b)`");
    if (!(expected_.has(expecting::close_brace) || expected_.has(expecting::item)) || expected_.has(expecting::entry))
      return {};
    if (on_line_of_previous() && expected_.has(expecting::operation))
      return make(Code::syntax, token, "`if` stands before its values", "write `if c then a else b`");
    return make(Code::syntax, token, "`if` is no clause", "a condition stands in a value: `map = if c then a else b`");
  }

  // The words of a comment end what was read as `R - -the`.
  std::optional<Diagnostic> comment_with_dashes() {
    auto line_begin = at_ == 0 ? 0 : text_.rfind('\n', at_ - 1) + 1;
    auto dashes = text_.substr(line_begin, at_ - line_begin).find("-- ");
    if (dashes == std::string_view::npos) return {};
    auto begin = line_begin + dashes;
    return make(Code::foreign_operator, {begin, begin + 2}, "`--` begins no comment",
                "a comment begins with `#` and ends with its line");
  }

  std::optional<Diagnostic> reserved_name() {
    auto token = token_at(text_, at_);
    auto found = source_->text(token);
    if (std::find(reserved_.begin(), reserved_.end(), found) == reserved_.end()) return {};
    auto next = text_.find_first_not_of(" \t", token.end);
    auto is_named = [&] {
      return next != std::string_view::npos && text_[next] == '=' && text_.substr(next, 2) != "=>";
    };
    // Only a session's inputs give values names where definitions stand: `input = load("x.npy")`.
    bool inside = (!expected_.has(expecting::expression) && expected_.has(expecting::name)) ||
                  (expected_.has(expecting::item) && expected_.has(expecting::expression) && is_named());
    // Where a whole expression was due, a reserved word mostly begins the next clause: then the plain message is right.
    bool ends =
        next != std::string_view::npos && std::string_view(",)+-*/^]}\n").find(text_[next]) != std::string_view::npos;
    if (!inside && !(expected_.has(expecting::expression) && ends)) return {};
    return make(Code::reserved_name, token, filled("`{}` is a reserved word, not a name", found),
                "choose another name");
  }

  // Two values side by side; in a list it is a comma that is missing, on the next line an operator is not what is.
  std::optional<Diagnostic> missing_operator() {
    if (at_ >= text_.size() || !expected_.has(expecting::operation) || expected_.has(expecting::comma)) return {};
    auto token = token_at(text_, at_);
    auto begin = text_[at_];
    if (!(is_name_character(begin) || begin == '(') || !on_line_of_previous()) return {};
    if (std::find(reserved_.begin(), reserved_.end(), source_->text(token)) != reserved_.end()) return {};
    auto next = text_.find_first_not_of(" \t", token.end);
    if (next != std::string_view::npos && text_[next] == '=') return {};  // a field's name
    auto before = previous_word();
    if (expected_.has(expecting::then)) return {};
    if (before.empty() || begin == '(')
      return make(Code::missing_operator, token, "an operator is missing here", "write `a * b`");
    return make(Code::missing_operator, token,
                filled("an operator is missing between `{}` and `{}`", before, source_->text(token)),
                filled("write `{} * {}`", before, source_->text(token)));
  }

  // The word that was meant, of those that could stand here.
  std::string meant(std::string_view found) const {
    constexpr std::size_t shortest = 3;  // shorter ones are near to everything
    if (found.size() < shortest || !is_letter(found[0])) return "";
    std::vector<std::string> words;
    auto listed = expected_.listed();
    for (auto open = listed.find('`'); open != listed.npos; open = listed.find('`', open + 1)) {
      auto close = listed.find('`', open + 1);
      auto word = listed.substr(open + 1, close - open - 1);
      if (std::all_of(word.begin(), word.end(), is_letter)) words.push_back(word);
      open = close;
    }
    auto lower = std::string(found);
    for (auto& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return nearest(lower, words);
  }

  std::string help(Span token) const {
    auto found = source_->text(token);
    if (text_.find_first_not_of(" \t\r\n") == std::string_view::npos)
      return "write a call: `epsilon_plus`, `gamma(0.25)`";
    if (auto word = meant(found); !word.empty()) return filled("did you mean `{}`?", word);
    bool reserved = std::find(reserved_.begin(), reserved_.end(), found) != reserved_.end();
    bool value = !found.empty() && (is_name_character(found[0]) || found == "\"" || found == "[" || found == "(");
    if (value && !reserved && expected_.has(expecting::comma)) return "write a `,` between the two";
    if (expected_.has(expecting::open_brace) && !reserved) return "";
    if (expected_.has(expecting::open_brace)) return "a body stands in braces: `{ … }`";
    if (value && !reserved && (expected_.has(expecting::clause) || expected_.has(expecting::modifier))) {
      auto next = text_.find_first_not_of(" \t", token.end);
      auto assigned = next == std::string_view::npos ? "" : text_.substr(next, 2);
      if (assigned.starts_with('=') || assigned.ends_with('='))
        return filled("a value gets a name by `let`, once: `let {} = …`", found);
    }
    return "";
  }

  // The brackets of this piece that are open where the grammar stopped, the innermost last.
  std::vector<std::size_t> open_brackets() const {
    std::vector<std::size_t> open;
    for (std::size_t i = begin_; i < at_; ++i) {
      switch (text_[i]) {
        case '"':
          i = end_of_string(i, at_);
          break;
        case '#':
          i = std::min(text_.find('\n', i), at_);
          break;
        case '(':
        case '[':
        case '{':
          open.push_back(i);
          break;
        case ')':
        case ']':
        case '}':
          if (!open.empty()) open.pop_back();
          break;
        default:
          break;
      }
    }
    return open;
  }

  // A closing bracket that does not belong to the one that is open.
  std::optional<Diagnostic> closing_mark() const {
    if (at_ >= text_.size() || std::string_view(")]").find(text_[at_]) == std::string_view::npos) return {};
    auto open = open_brackets();
    auto wanted = text_[at_] == ')' ? '(' : '[';
    if (!open.empty() && text_[open.back()] == wanted) return {};
    bool other = !open.empty() && text_[open.back()] != '{';
    Diagnostic out{.code = Code::syntax,
                   .message = filled("this `{}` closes nothing", text_[at_]),
                   .primary = {source_, {at_, at_ + 1}, ""},
                   .help = other ? filled("write `{}`", text_[open.back()] == '(' ? ')' : ']') : "leave it out"};
    if (other) out.others.push_back({source_, {open.back(), open.back() + 1}, "opened here"});
    return out;
  }

  // Where a bracket is what is missing, and it was not opened just before, the message shows where it was.
  void label_open_bracket(Diagnostic& out) const {
    auto open = open_brackets();
    if (open.empty()) return;
    auto begin = open.back();
    auto close = text_[begin] == '('   ? expecting::close_parenthesis
                 : text_[begin] == '[' ? expecting::close_bracket
                                       : expecting::close_brace;
    auto found = source_->text(out.primary.span);
    bool definition = !at_end() && text_[begin] == '{' &&
                      (found == "rule" || found == "composite" || found == "fn" || found == "test" || found == "pack" ||
                       found == "import");
    bool same_line = text_.substr(begin, at_ - begin).find('\n') == std::string_view::npos;
    bool ends = found == "}" || found == ";";
    if (!(at_end() || definition || (close != expecting::close_brace && expected_.has(close) && (!same_line || ends))))
      return;
    out.others.push_back({source_, {begin, begin + 1}, "opened here"});
    if (out.help.empty() && (expected_.has(close) || definition)) {
      out.help = filled("close it with {}", close);
      // At the end of the file, all that is open.
      std::string closing;
      for (auto each = open.rbegin(); each != (at_end() ? open.rend() : open.rbegin() + 1); ++each)
        closing += text_[*each] == '(' ? ")" : text_[*each] == '[' ? "]" : " }";
      auto end = last_token().end;
      if (expected_.has(close)) out.fixes = {{filled("add `{}`", closing), {{{end, end}, closing}}}};
    }
    if (definition) out.message = filled("expected {} before `{}`", close, found);
  }

  const SourcePointer& source_;
  std::string_view text_;
  std::size_t begin_;
  std::size_t at_;
  const Expectations& expected_;
  const std::vector<std::string_view>& reserved_;
  std::string_view whole_;
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

Diagnostic explain_syntax_error(const SourcePointer& source, std::size_t begin, const Expectations& expectations,
                                const std::vector<std::string_view>& reserved_words, std::string_view whole) {
  return Explanation(source, begin, expectations, reserved_words, whole).explain();
}

}  // namespace ascribe
