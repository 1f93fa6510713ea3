// `ascribe check` with folders, standard input, and reports for programs.
#include "tests/catch.hpp"

#include <nlohmann/json.hpp>

#include "tests/command/ascribe_command.hpp"

namespace {

using namespace test;
using Catch::Contains;
using nlohmann::json;

}  // namespace

TEST_CASE("check finds the rule files of folders") {
  Folder folder;
  std::filesystem::create_directories(folder / "rules/more");
  folder.file("rules/b.rule", "rule b { map = R }");
  folder.file("rules/more/a.rule", "rule a { map = RR }");
  folder.file("rules/notes.txt", "no rules");
  auto outcome = run_shell(folder, "ascribe check rules");
  CHECK(outcome.code == 1);
  CHECK(outcome.out == "rules/b.rule: fine\nrules/more/a.rule: 1 error, 0 warnings\n");
  std::filesystem::create_directory(folder / "empty");
  auto empty = run_shell(folder, "ascribe check empty");
  CHECK(empty.code == 3);
  CHECK_THAT(empty.err, Contains("error[A0001]: cannot read 'empty': the folder holds no .rule file\n"));
}

TEST_CASE("check reads standard input") {
  Folder folder;
  auto outcome = run_shell(folder, "echo 'rule a { map = RR }' | ascribe check -");
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, Contains(" --> <stdin>:1:16\n"));
  CHECK(run_shell(folder, "echo 'rule a { map = R }' | ascribe check -").code == 0);
  CHECK(run_shell(folder, "ascribe check - </dev/zero").code == 4);
}

TEST_CASE("check's reports hold the messages of all files, of those that cannot be read, too") {
  Folder folder;
  folder.file("a.rule", "rule a { map = RR }");
  folder.file("b.rule", "rule b { map = R }");
  for (auto* format : {"json", "sarif"}) {
    INFO(format);
    auto outcome = run_shell(folder, std::string("ascribe check a.rule b.rule none.rule --format ") + format);
    CHECK(outcome.code == 3);
    CHECK(outcome.err == "");
    auto document = json::parse(outcome.out);
    if (std::string(format) == "json") {
      CHECK(document["errors"] == 2);
      CHECK(document["diagnostics"][0]["code"] == "A0201");
      CHECK(document["diagnostics"][0]["file"] == "a.rule");
      CHECK(document["diagnostics"][1]["code"] == "A0001");
      CHECK(document["diagnostics"][1]["file"] == "none.rule");
    } else {
      CHECK(document["runs"][0]["results"][0]["ruleId"] == "A0201");
      CHECK(document["runs"][0]["results"][1]["ruleId"] == "A0001");
    }
    CHECK(run_shell(folder, std::string("ascribe check a.rule --format ") + format).code == 1);
    CHECK(run_shell(folder, std::string("ascribe check b.rule --format ") + format).code == 0);
  }
  CHECK(run_shell(folder, "ascribe check b.rule --format prose").code == 2);
}

TEST_CASE("a file's name may be anything") {
  Folder folder;
  std::string name = "\xFF\x1B[2J.rule";
  folder.file(name, "rule a { map = RR }");
  auto text = run_shell(folder, "ascribe check .");
  CHECK(text.code == 1);
  CHECK(text.err.find('\x1B') == std::string::npos);
  auto report = run_shell(folder, "ascribe check . --format sarif");
  CHECK(report.code == 1);
  CHECK(
      json::parse(report.out)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] ==
      "./%FF%1B%5B2J.rule");
}

TEST_CASE("check --fix makes the changes that are sure, and leaves the others") {
  Folder folder;
  folder.file("a.rule", "rule a { input = x ** 2; param 'bias' = 0 }\nrule b { map = R / stabilise(y) }\n");
  auto shown = run_shell(folder, "ascribe check --diff a.rule");
  CHECK_THAT(shown.out, Contains("-rule a { input = x ** 2; param 'bias' = 0 }\n"));
  CHECK_THAT(bytes_of(folder / "a.rule"), Contains("**"));
  auto outcome = run_shell(folder, "ascribe check --fix a.rule");
  CHECK(outcome.code == 1);
  CHECK(bytes_of(folder / "a.rule") ==
        "rule a { input = x ^ 2; param \"bias\" = 0 }\nrule b { map = R / stabilise(y) }\n");
  CHECK(outcome.out == "a.rule: 1 error, 0 warnings\n");
  CHECK(run_shell(folder, "ascribe check --fix - </dev/null").code == 2);
}

TEST_CASE("check --watch checks again after each change, and ends with 130") {
  Folder folder;
  folder.file("a.rule", "rule a { map = RR }\n");
  auto outcome = run_shell(folder, R"script(
# A shell's jobs ignore interruptions, and so would this one.
python3 -c 'import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execlp("ascribe", "ascribe", "check", "--watch", "a.rule")' > seen 2>/dev/null &
for i in $(seq 300); do grep -q waiting seen && break; sleep 0.1; done
echo 'rule a { map = R }' > a.rule
for i in $(seq 300); do [ "$(grep -c waiting seen)" = 2 ] && break; sleep 0.1; done
kill -INT $!
wait $!
echo $?
cat seen)script");
  CHECK(outcome.out == "130\na.rule: 1 error, 0 warnings\nwaiting for changes\na.rule: fine\nwaiting for changes\n");
}
