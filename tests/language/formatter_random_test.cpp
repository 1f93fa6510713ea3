// The canonical form of random programs: written with random blanks and comments, they keep what they say.
#include <random>

#include "grammar/formatter.hpp"
#include "grammar/parser.hpp"
#include "grammar/render_text.hpp"
#include "grammar/syntax_compare.hpp"
#include "grammar/tokens.hpp"
#include "tests/catch.hpp"

namespace {

using namespace ascribe;

// Writes programs that follow the grammar and mean nothing. The same seed gives the same programs everywhere: of the
// standard library's random numbers, only the engine does.
class RandomProgram {
 public:
  explicit RandomProgram(unsigned seed) : random_(seed) {}

  std::string write() {
    if (chance(10)) text_ = "\xEF\xBB\xBF";
    clean_ = chance(4);
    for (auto i = below(6); i > 0; --i) item();
    blanks();
    return text_;
  }

 private:
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  bool chance(std::size_t n) { return below(n) == 0; }

  void blanks() {
    constexpr const char* choices[] = {"", "", "", "", " ", " ", " ", "  ", "\t", "\n", "\n", "\r\n", "\n\n", "\n\n\n"};
    constexpr const char* comments[] = {"#",           "# why", "## documentation", "##  Größe \t",
                                        "# \"a, b; }", "#\r",   "# c\r\n\n"};
    text_ += choices[below(clean_ ? 8 : std::size(choices))];
    while (!clean_ && chance(12)) text_.append(comments[below(std::size(comments))]).append("\n").append(below(3), ' ');
  }

  void token(std::string_view text) {
    blanks();
    auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
    if (!text_.empty() && is_word(text_.back()) && is_word(text.front())) text_ += ' ';
    text_ += text;
  }
  template <typename... Texts>
  void tokens(Texts... texts) {
    (token(texts), ...);
  }

  template <typename Write>
  void several(std::size_t least, std::size_t most, std::string_view between, Write write) {
    auto count = least + below(most - least + 1);
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0 && !between.empty()) token(between);
      write();
    }
    if (count > 0 && between == "," && chance(4)) token(between);
  }

  void name() {
    constexpr const char* names[] = {"x", "y", "R", "_w2", "epsilon", "a_name_that_is_longer_than_the_others", "iff"};
    token(names[below(std::size(names))]);
  }
  void string() {
    constexpr const char* strings[] = {"\"\"", "\"bias\"", "\"features.*\"", "\"\\\"# ;ü\\\\\"", "\"a\\\nb\""};
    token(strings[below(chance(20) ? std::size(strings) : 4)]);
  }
  void number() {
    constexpr const char* numbers[] = {"0", "1", "1e-6", "0.250", "12345678901234567890", "2E+05", "007"};
    token(numbers[below(std::size(numbers))]);
  }

  void call(std::size_t depth) {
    chance(4) ? token("std.name") : name();
    if (chance(2)) return;
    token("(");
    several(0, 3, ",", [&] { expression(depth); });
    if (chance(3) && text_.back() != ',') {
      if (text_.back() != '(') token(",");
      name();
      tokens("=");
      expression(depth);
    }
    token(")");
  }

  void expression(std::size_t depth) {
    if (depth == 0) return chance(2) ? name() : chance(3) ? string() : number();
    --depth;
    switch (below(10)) {
      case 0:
        token("(");
        expression(depth);
        return token(")");
      case 1:
        token("[");
        several(0, chance(8) ? 60 : 4, ",", [&] { expression(chance(2) ? 0 : depth); });
        return token("]");
      case 2:
        token("if");
        expression(depth);
        token("then");
        expression(depth);
        token("else");
        return expression(depth);
      case 3:
        for (auto i = below(6); i > 0; --i) {
          operand(depth);
          constexpr const char* operators[] = {"+", "-", "*", "/", "^"};
          token(operators[below(std::size(operators))]);
        }
        return operand(depth);
      case 4: {
        if (chance(2)) token("not");
        operand(depth);
        constexpr const char* comparisons[] = {"==", "!=", "<=", ">=", "<", ">"};
        token(comparisons[below(std::size(comparisons))]);
        operand(depth);
        if (!chance(3)) return;
        token("within");
        return operand(depth);
      }
      case 5:
        several(2, 5, chance(2) ? "and" : "or", [&] { operand(depth); });
        return;
      default:
        return call(depth);
    }
  }

  void operand(std::size_t depth) {
    while (chance(5)) token("-");
    if (depth == 0 || chance(2)) return chance(2) ? name() : number();
    if (chance(2)) return call(depth - 1);
    token("(");
    expression(depth - 1);
    token(")");
  }

  void assign(std::string_view word) {
    tokens(word, "=");
    expression(3);
  }

  void parameters() {
    token("(");
    several(0, 4, ",", [&] {
      name();
      constexpr const char* types[] = {"scalar", "names", "stabilizer", "input", "output", "param"};
      if (chance(2)) tokens(":", types[below(std::size(types))]);
      if (!chance(2)) return;
      token("=");
      expression(1);
    });
    token(")");
  }

  void semicolon() {
    if (chance(3)) token(";");
  }

  template <typename Write>
  void body(std::size_t most, Write write) {
    bool clean = clean_;
    clean_ = clean_ || chance(3);
    token("{");
    several(0, most, "", [&] {
      write();
      semicolon();
    });
    token("}");
    clean_ = clean;
  }

  void modifier() {
    constexpr const char* words[] = {"input", "output", "map"};
    if (chance(2)) return assign(words[below(std::size(words))]);
    token("param");
    if (chance(3)) {
      token("[");
      several(0, 3, ",", [&] { string(); });
      token("]");
    } else if (chance(2)) {
      chance(2) ? string() : name();
    }
    token("=");
    expression(3);
  }

  void clause() {
    constexpr const char* words[] = {"reduce", "forward", "backward"};
    switch (below(5)) {
      case 0:
        token("term");
        name();
        return body(3, [&] { modifier(); });
      case 1:
        token("let");
        name();
        token("=");
        return expression(3);
      case 2:
        return assign(words[below(std::size(words))]);
      case 3:
        token("require");
        expression(2);
        if (!chance(2)) return;
        token(",");
        return string();
      default:
        return modifier();
    }
  }

  void entry() {
    if (chance(3)) {
      token(chance(2) ? "first" : "last");
      if (chance(2)) token("12");
    }
    auto count = 1 + below(chance(10) ? 20 : 3);
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) token(",");
      if (chance(3)) {
        string();
        continue;
      }
      name();
      if (chance(3)) string();
    }
    token("=>");
    call(2);
  }

  void test_clause() {
    if (chance(3)) {
      token("let");
    } else if (chance(2)) {
      token("expect");
      expression(2);
      if (chance(2)) tokens("fails", "A0305");
      return;
    }
    name();
    token("=");
    expression(2);
  }

  void item() {
    switch (below(8)) {
      case 0:
        token("fn");
        name();
        parameters();
        token("=");
        expression(4);
        break;
      case 1:
        token("test");
        string();
        body(4, [&] { test_clause(); });
        break;
      case 2:
        tokens("pack", "acme");
        body(3, [&] {
          name();
          token("=");
          expression(1);
        });
        break;
      case 3:
        tokens("import", "\"../acme\"", "as", "acme");
        break;
      default: {
        bool rule = chance(2);
        token(rule ? "rule" : "composite");
        name();
        if (chance(2)) parameters();
        if (chance(5)) {
          token("=");
          call(2);
        } else if (rule) {
          body(6, [&] { clause(); });
        } else {
          body(6, [&] { entry(); });
        }
      }
    }
    semicolon();
  }

  std::mt19937 random_;
  std::string text_;
  bool clean_ = false;  // without line ends and comments
};

// What no canonical text has: blanks at the end of a line, or several empty lines in a row.
void check_is_tidy(const std::string& text) {
  CHECK(text.find(" \n") == std::string::npos);
  CHECK(text.find("\n\n\n") == std::string::npos);
  CHECK_FALSE(text.starts_with('\n'));
  CHECK_FALSE(text.ends_with("\n\n"));
  CHECK((text.empty() || text.ends_with('\n')));
}

}  // namespace

TEST_CASE("random programs keep what they say, and have one canonical form") {
  std::size_t accepted = 0, bytes = 0;
#ifdef __SANITIZE_ADDRESS__
  constexpr unsigned programs = 300;  // each takes twenty times as long
#else
  constexpr unsigned programs = 2000;
#endif
  for (unsigned seed = 0; seed < programs; ++seed) {
    auto text = RandomProgram(seed).write();
    INFO("seed " << seed << ":\n" << text);
    std::vector<Diagnostic> mistakes, diagnostics;
    auto file = parse_file(std::make_shared<Source>("random.rule", text), mistakes);
    auto formatted = format_source(file.source, diagnostics);
    INFO(render_text(diagnostics));
    CHECK(formatted.has_value() == mistakes.empty());
    if (!formatted) continue;
    INFO("formatted:\n" << *formatted);
    auto again = parse_file(std::make_shared<Source>("formatted.rule", *formatted), mistakes);
    CHECK((mistakes.empty() && same_syntax(file, again)));
    CHECK(same_order(cut_into_tokens(file), cut_into_tokens(again)));
    CHECK(format_source(again.source, diagnostics) == formatted);
    check_is_tidy(*formatted);
    ++accepted;
    bytes += text.size();
  }
  INFO(accepted << " programs of " << bytes << " bytes");
  CHECK(accepted > programs * 9 / 10);
  CHECK(bytes > 300 * programs);
}
