// Messages as people read them.
#include "ascribe/pack.hpp"
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
  CHECK(message_for("rule a {\n\tparam \"größe\" = yy }")
            .find("--> mine.rule:2:8\n2 |     param \"größe\" = yy }\n  |           ^^^^^^^\n") != std::string::npos);
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
