// From lines to inputs: what is whole, what goes on, and what is not worth waiting for.
#include "interpreter/command/repl/input.hpp"
#include "grammar/render_text.hpp"

#include <ctime>

#include "tests/catch.hpp"

using namespace ascribe;
using repl::InputReader;

namespace {

// How many lines it takes until the input is whole; 0 where it is not.
int lines_until_whole(std::initializer_list<std::string_view> lines) {
  InputReader reader(InputReader::Naming::by_number);
  int count = 0;
  for (auto line : lines) {
    ++count;
    if (reader.add(line)) return count;
  }
  return 0;
}

}  // namespace

TEST_CASE("an input goes on while it is incomplete") {
  CHECK(lines_until_whole({"x = 1"}) == 1);
  CHECK(lines_until_whole({"rule a = epsilon"}) == 1);
  CHECK(lines_until_whole({"rule a {", "  map = R / stabilize(y)", "", "  # a comment", "}"}) == 5);
  CHECK(lines_until_whole({"composite c", "{ any => pass", "}"}) == 3);
  CHECK(lines_until_whole({"x = [", "[1, 2],", "[3, 4]", "]"}) == 4);
  CHECK(lines_until_whole({"x = 1 +", "2"}) == 2);
  CHECK(lines_until_whole({"if y > 0", "then 1", "else 2"}) == 3);
  CHECK(lines_until_whole({"fn f(z)", "= z"}) == 2);
  CHECK(lines_until_whole({"## what it is for", "rule a = epsilon"}) == 2);
  CHECK(lines_until_whole({"name =", "\"text # not a comment\""}) == 2);
}

TEST_CASE("a mistake ends an input at once, also inside of brackets") {
  CHECK(lines_until_whole({"rule a {", "  foo"}) == 2);
  CHECK(lines_until_whole({"x = )"}) == 1);
  CHECK(lines_until_whole({"x = \"no end"}) == 1);
  CHECK(lines_until_whole({"x y"}) == 1);
  CHECK(lines_until_whole({std::string_view("\x7f\x45LF\x02\x01", 6)}) == 1);
}

TEST_CASE("empty lines and comments are no inputs") {
  InputReader reader(InputReader::Naming::by_number);
  CHECK(!reader.add(""));
  CHECK(!reader.add("   "));
  CHECK(!reader.add("# nothing"));
  CHECK(!reader.is_open());
  CHECK(!reader.add("## a document"));
  CHECK(reader.is_open());
  CHECK(!reader.add(""));  // which documents nothing
  CHECK(!reader.is_open());
  CHECK(!reader.finish());
}

TEST_CASE("a command is a line of its own") {
  InputReader reader(InputReader::Naming::by_number);
  auto entered = reader.add("  :help values");
  REQUIRE(entered);
  CHECK(entered->is_command);
  CHECK(entered->source->name() == "input:1");
  CHECK(!reader.add("x = ["));
  auto inside = reader.add(":help");  // which a list does not hold
  REQUIRE(inside);
  CHECK(!inside->is_command);
  CHECK(!inside->mistakes.empty());
}

TEST_CASE("inputs are called by their number, or by the line of all that was read") {
  InputReader numbered(InputReader::Naming::by_number);
  numbered.add("x = 1");
  auto second = numbered.add("x = )");
  REQUIRE(second);
  CHECK(second->source->name() == "input:2");
  CHECK(second->source->position(second->mistakes.front().primary.span.begin).line == 1);

  InputReader by_line(InputReader::Naming::by_line);
  for (auto line : {"x = 1", "", "# a comment", "rule a {"}) by_line.add(line);
  auto broken = by_line.add("  oops");
  REQUIRE(broken);
  CHECK(broken->source->name() == "<stdin>");
  auto& place = broken->mistakes.front().primary;
  CHECK(broken->source->position(place.span.begin).line == 5);
  CHECK(broken->source->line(5) == "  oops");
  CHECK(render_text(broken->mistakes.front()).find("5 |   oops") != std::string::npos);
}

TEST_CASE("what is not whole at the end of all lines has a message") {
  InputReader reader(InputReader::Naming::by_number);
  reader.add("rule a {");
  auto rest = reader.finish();
  REQUIRE(rest);
  CHECK(!rest->tree);
  REQUIRE(rest->mistakes.size() == 1);
  CHECK(rest->mistakes.front().help == "close it with `}`");
  CHECK(!reader.is_open());
}

TEST_CASE("long inputs are read in a time that grows with their length") {
  auto begin = std::clock();  // of this process, however busy the machine is
  InputReader reader(InputReader::Naming::by_number);
  std::optional<repl::Entered> entered;
  SECTION("a composite of many lines") {
    reader.add("composite long {");
    for (int i = 0; i < 20'000; ++i) REQUIRE(!reader.add("  linear \"layer\" => epsilon(0.25)"));
    entered = reader.add("}");
    REQUIRE(entered);
    CHECK(entered->tree);
  }
  SECTION("more than anybody writes") {
    reader.add("x = [");
    for (int i = 0; i < 300'000 && !entered; ++i) entered = reader.add("  1,");
    REQUIRE(entered);
    CHECK(entered->mistakes.front().code == Code::too_large);
  }
  SECTION("documents of nothing") {
    for (int i = 0; i < 300'000 && !entered; ++i) entered = reader.add("## …");
    REQUIRE(entered);
    CHECK(entered->mistakes.front().code == Code::too_large);
  }
  SECTION("an operator at the end of every line") {
    for (int i = 0; i < 300'000 && !entered; ++i) entered = reader.add("1 +");
    REQUIRE(entered);
    CHECK(entered->mistakes.front().code == Code::too_large);
  }
  constexpr int enough = 60;  // seconds, where it takes less than one; parsing after each line would take an hour
  CHECK((std::clock() - begin) / CLOCKS_PER_SEC < enough);
}
