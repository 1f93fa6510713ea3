// Messages as people read them.
#include "ascribe/pack.hpp"
#include "grammar/limits.hpp"
#include "tests/catch.hpp"

namespace {

using namespace ascribe;

std::string message_for(const std::string& text) {
  try {
    Pack::parse(text, "mine.rule");
  } catch (const Error& error) {
    return std::string(error.what()) + "\n";
  }
  return "fine";
}

}  // namespace

TEST_CASE("a message shows the place, the line, a caret for every character, and the way out") {
  CHECK(message_for("rule a {\n  map = R / stabilise(y)\n}") == R"(error[A0203]: unknown function `stabilise`
 --> mine.rule:2:13
2 |   map = R / stabilise(y)
  |             ^^^^^^^^^
  = help: did you mean `stabilize`?
)");
}

TEST_CASE("a message shows the places that explain it") {
  CHECK(message_for("rule a {}\n\nrule a {}") == R"(error[A0205]: `a` is defined twice
 --> mine.rule:3:6
3 | rule a {}
  |      ^
1 | rule a {}
  |      - first here
  = help: rename one of them
)");
}

TEST_CASE("columns and carets count characters, and tabs are four wide") {
  CHECK(message_for("rule a { map = R * sum(yy) } # Größe") == R"(error[A0201]: unknown name `yy`
 --> mine.rule:1:24
1 | rule a { map = R * sum(yy) } # Größe
  |                        ^^
  = help: did you mean `y`?
)");
  CHECK(message_for("rule a {\n\tparam \"größe.\" = yy }")
            .find("--> mine.rule:2:8\n2 |     param \"größe.\" = yy }\n  |           ^^^^^^^^\n") != std::string::npos);
}

TEST_CASE("carets stand below wide, combining and invisible characters") {
  auto marked = [](const std::string& line, const std::string& what) {
    auto begin = line.find(what);
    auto text = render_text({.code = Code::syntax,
                             .message = "m",
                             .primary = {std::make_shared<Source>("f", line), {begin, begin + what.size()}, ""}});
    auto shown = text.find("1 | "), marks = text.find("  | ");
    return text.substr(shown + 4, marks - shown - 4) + text.substr(marks + 4);
  };
  CHECK(marked("# 関連 yy", "yy") == "# 関連 yy\n       ^^\n");
  CHECK(marked("a 関連 b", "関連") == "a 関連 b\n  ^^^^\n");
  CHECK(marked("🔥 yy", "yy") == "🔥 yy\n   ^^\n");
  CHECK(marked("Gro\u0308\u00DFe yy", "yy") == "Gro\u0308\u00DFe yy\n      ^^\n");
  CHECK(marked("o\u0308 y", "\u0308") == "o\u0308 y\n^\n");
  CHECK(marked("\tyy", "yy") == "    yy\n    ^^\n");
  CHECK(marked("a\tb", "\t") == "a    b\n ^^^^\n");
  CHECK(marked("yy\xFFzz", "zz") == "yy\xEF\xBF\xBDzz\n   ^^\n");
  CHECK(marked("\u202Eyy", "yy") == "\xEF\xBF\xBDyy\n ^^\n");  // would turn the line's direction
}

TEST_CASE("of a span over several lines, what lies on the first is marked, and no more") {
  auto source = std::make_shared<Source>("f", "rule a {\r\n  map = R\r\n}\r\n");
  auto rendered = [&](Span span) {
    return render_text({.code = Code::syntax, .message = "m", .primary = {source, span, ""}});
  };
  CHECK(rendered({5, 22}) == "error[A0101]: m\n --> f:1:6\n1 | rule a {\n  |      ^^^\n");
  CHECK(rendered({8, 9}) == "error[A0101]: m\n --> f:1:9\n1 | rule a {\n  |         ^\n");
  CHECK(rendered({24, 24}) == "error[A0101]: m\n --> f:4:1\n4 | \n  | ^\n");
  CHECK(rendered({24, 90}) == rendered({24, 24}));
  CHECK(rendered({12, 3}) == "error[A0101]: m\n --> f:2:3\n2 |   map = R\n  |   ^\n");
}

TEST_CASE("of a very long line, what lies around the mistake is shown") {
  auto message = message_for("rule a { map = R" + std::string(5000, ' ') + "* yy }");
  CHECK(message.size() < 600);
  CHECK(message.find("…") != std::string::npos);
  CHECK(message.find("yy }") != std::string::npos);
}

TEST_CASE("colour is a matter of the renderer") {
  std::vector<Diagnostic> one{{.code = Code::usage, .message = "m"}};
  CHECK(render_text(one) == "error[A0705]: m\n");
  CHECK(render_text(one, true) == "\033[1;31merror[A0705]\033[0m: \033[1mm\033[0m\n");
}

TEST_CASE("diagnostics are put in the order of their places, equal ones once") {
  auto source = std::make_shared<Source>("a", "0123456789");
  auto at = [&](std::size_t begin) {
    return Diagnostic{.code = Code::syntax, .message = "m", .primary = {source, {begin, begin + 1}, ""}};
  };
  std::vector<Diagnostic> some{at(5), at(2), at(5), at(0)};
  put_in_order(some);
  REQUIRE(some.size() == 3);
  CHECK(some[0].primary.span.begin == 0);
  CHECK(some[2].primary.span.begin == 5);
}

TEST_CASE("a bracket that is not closed is shown where it was opened") {
  CHECK(message_for("rule a {\n  map = max(R,\n    0\n}\n") == R"(error[A0101]: expected `,` or `)`, found `}`
 --> mine.rule:4:1
4 | }
  | ^
2 |   map = max(R,
  |            - opened here
  = help: close it with `)`
)");
  CHECK(message_for("rule a {\n  map = R\n\nrule b {}\n") == R"(error[A0101]: expected `}` before `rule`
 --> mine.rule:4:1
4 | rule b {}
  | ^^^^
1 | rule a {
  |        - opened here
  = help: close it with `}`
)");
}

TEST_CASE("the help for a habit is the expression as it is written here") {
  auto help = [](const std::string& clause) {
    auto message = message_for("rule a { " + clause + " }");
    auto begin = message.find("help: ");
    return begin == std::string::npos ? message : message.substr(begin + 6, message.size() - begin - 7);
  };
  CHECK(help("input = x.clamp(min=0)") == "write `max(x, 0)`");
  CHECK(help("input = x.clamp(max=1)") == "write `min(x, 1)`");
  CHECK(help("input = x.clamp(0, 1)") == "write `min(max(x, 0), 1)`");
  CHECK(help("input = torch.clamp(x * 2, min = -1)") == "write `max(x * 2, -1)`");
  CHECK(help("input = clamp(x)") == "write `max(x, 0)` or `min(x, 0)`");
  CHECK(help("map = torch.where(y > 0, R, 0)") == "write `if y > 0 then R else 0`");
  CHECK(help("map = where(y > 0)") == "write `if c then a else b`");
  CHECK(help("input = x.pow(2)") == "write `x ^ 2`");
  CHECK(help("map = R / x.sum(1)") == "functions stand in front of their values: `sum(x, 1)`");
  CHECK(help("map = R / sum(y, dim=1)") == "write `sum(y, 1)`");
  CHECK(help("input = self.x") == "write `x`");
  CHECK(help("map = 1_000 * R") == "write `1000`");
  CHECK(help("map = 1e * R") == "write `1e-6`");
  CHECK(help("foo = 1") == "a value gets a name by `let`, once: `let foo = …`");
}

TEST_CASE("many mistakes in a large source take no more time than reading it") {
  std::string text;
  while (text.size() < 900'000) text += "rule a { map = (((((R }\n";
  std::vector<Diagnostic> found;
  try {
    Pack::parse(text, "large.rule");
  } catch (const Error& error) {
    found = error.diagnostics();
  }
  CHECK(found.size() == limits.messages + 1);
}

TEST_CASE("what a terminal would obey is replaced, whatever a file is called") {
  auto source = std::make_shared<Source>("\033[2J\xFF.rule", "a");
  CHECK(render_text({.code = Code::syntax,
                     .message = "a\033b",
                     .primary = {source, {0, 1}, "\u202E"},
                     .note = "\x9B",
                     .help = "\r"}) ==
        "error[A0101]: a\uFFFDb\n --> \uFFFD[2J\uFFFD.rule:1:1\n1 | a\n  | ^ \uFFFD\n  = note: \uFFFD\n  = help: "
        "\uFFFD\n");
}
