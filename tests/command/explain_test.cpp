// `ascribe explain`, and the examples of its pages that are shell commands.
#include "tests/catch.hpp"

#include "grammar/explanation.hpp"
#include "tests/command/ascribe_command.hpp"

namespace {

using namespace ascribe;
using namespace test;
using Catch::Contains;
using Catch::StartsWith;

}  // namespace

TEST_CASE("explain shows a code's page, with what the failing example really says") {
  Folder folder;
  auto outcome = run_shell(folder, "ascribe explain A0203");
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "");
  CHECK_THAT(outcome.out, StartsWith("A0203: an unknown function\n") &&
                              Contains("    error[A0203]: unknown function `x.clamp`\n     --> example.rule:1:25\n") &&
                              Contains("      = help: write `max(x, 0)`\n") && Contains("This is right:"));
  for (auto* other : {"a0203", "203", "A203"})
    CHECK(run_shell(folder, std::string("ascribe explain ") + other).out == outcome.out);
}

TEST_CASE("explain without a code lists all of them") {
  Folder folder;
  auto outcome = run_shell(folder, "ascribe explain");
  CHECK(outcome.code == 0);
  CHECK(static_cast<std::size_t>(std::count(outcome.out.begin(), outcome.out.end(), '\n')) == explanations().size());
  CHECK_THAT(outcome.out, StartsWith("A0001  ") && Contains("\nA0207  "));
}

TEST_CASE("explain says which code may be meant") {
  Folder folder;
  auto near = run_shell(folder, "ascribe explain A0300");
  CHECK(near.code == 2);
  CHECK(near.out == "");
  CHECK_THAT(near.err, StartsWith("error[A0705]: there is no code 'A0300'\n") && Contains("did you mean"));
  auto far = run_shell(folder, "ascribe explain unknown");
  CHECK(far.code == 2);
  CHECK_THAT(far.err, Contains("codes go from A0001 to "));
}

TEST_CASE("the pages' shell examples do what they say") {
  std::size_t count = 0;
  for (auto& page : explanations()) {
    if (page.failing.kind != Example::Kind::shell) continue;
    ++count;
    auto code = "[" + code_name(page.code) + "]";
    INFO(code);
    Folder first, second;
    auto failing = run_shell(first, page.failing.text);
    INFO(failing.err);
    CHECK_THAT(failing.err, StartsWith("error" + code) || StartsWith("warning" + code));
    CHECK((failing.code == 0) == failing.err.starts_with("warning"));
    auto mended = run_shell(second, page.mended.text);
    CHECK(mended.code == 0);
    CHECK(mended.err == "");
  }
  CHECK(count >= 10);
}
