// `ascribe test` as a user meets it.
#include "tests/catch.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/command/ascribe_command.hpp"

namespace {

using namespace test;
using Catch::Contains;
using Catch::StartsWith;

const std::string holding = "test \"good <one>\" { model = relu; x = [[1]]; expect y == x }\n";
const std::string failing = "test \"bad & one\" { model = relu; x = [[1]]; expect y == 2 }\n";

// `ascribe test` on files with these texts.
Outcome run_test(const std::vector<std::string>& texts, const std::string& options = "") {
  Folder folder;
  std::string names;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto name = std::to_string(i) + ".rule";
    std::ofstream(folder / name) << texts[i];
    names += " " + name;
  }
  return run_shell(folder, "ascribe test" + names + " " + options);
}

}  // namespace

TEST_CASE("tests that hold are named and counted") {
  auto outcome = run_test({holding, "rule a = epsilon\n"});
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "");
  CHECK(outcome.out == "ok      good <one>\n1 of 1 tests passed\n");
}

TEST_CASE("a failing test shows its message, and the command fails") {
  auto outcome = run_test({holding + failing});
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, StartsWith("error[A0901]: the expectation does not hold\n --> 0.rule:2:") &&
                              Contains("note: left [[1]], right 2; the largest difference is 1"));
  CHECK_THAT(outcome.out, Contains("ok      good <one>\nFAILED  bad & one\n1 of 2 tests passed\n"));
}

TEST_CASE("a filter chooses tests by their names, and choosing none is a failure") {
  auto outcome = run_test({holding + failing}, "--filter 'good*'");
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("1 of 1 tests passed"));
  outcome = run_test({holding}, "--filter 'other*'");
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, StartsWith("error[A0902]: no test is called 'other*'"));
  CHECK(run_test({"rule a = epsilon\n"}).code == 1);
}

TEST_CASE("a file with mistakes is reported, and the others are tested") {
  auto outcome = run_test({"rule a = unknown\n", holding});
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, StartsWith("error[A0202]"));
  CHECK_THAT(outcome.out, Contains("1 of 1 tests passed"));
  CHECK(run_test({holding}, "no_such_file.rule").code == 3);
}

TEST_CASE("results are written for programs, too") {
  auto outcome = run_test({holding + failing}, "--format json");
  CHECK(outcome.code == 1);
  CHECK(outcome.err == "");
  auto json = nlohmann::json::parse(outcome.out);
  CHECK(json["passed"] == 1);
  CHECK(json["failed"] == 1);
  CHECK(json["tests"][0]["name"] == "good <one>");
  CHECK(json["tests"][0]["diagnostics"].empty());
  CHECK(json["tests"][1]["line"] == 2);
  CHECK(json["tests"][1]["diagnostics"][0]["code"] == "A0901");
  outcome = run_test({holding + failing}, "--format junit");
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.out, StartsWith("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites") &&
                              Contains("tests=\"2\" failures=\"1\"") &&
                              Contains("<testcase name=\"good &lt;one&gt;\" classname=\"0.rule\"") &&
                              Contains("<failure message=\"the expectation does not hold\">error[A0901]") &&
                              Contains("name=\"bad &amp; one\""));
}
