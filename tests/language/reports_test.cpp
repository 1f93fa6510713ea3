// Messages as programs read them: JSON, and SARIF as its schema demands it.
#include <nlohmann/json.hpp>
#include <set>

#include "grammar/explanation.hpp"
#include "grammar/json.hpp"
#include "grammar/sarif.hpp"
#include "tests/catch.hpp"

namespace {

using namespace ascribe;
using nlohmann::json;

std::vector<Diagnostic> some() {
  auto source = std::make_shared<Source>("my rules/größe.rule", "rule ä {}\n\nrule a {}\nrule a {\n}");
  return {
      {.code = Code::unreadable_file, .message = "cannot read 'x'", .help = "check it"},
      {.code = Code::duplicate_name,
       .message = "`a` is defined twice",
       .primary = {source, {27, 35}, "here"},
       .others = {{source, {17, 18}, "first here"}, {nullptr, {}, "nowhere"}},
       .note = "a note",
       .help = "rename one"},
      {.code = Code::covered_entry, .severity = Severity::warning, .message = "w", .primary = {source, {5, 7}, ""}}};
}

// What the schema of SARIF 2.1.0 requires of the objects that are used here.
void check_text(const json& message) {
  REQUIRE(message.is_object());
  CHECK(message.at("text").is_string());
}
void check_location(const json& location) {
  auto& physical = location.at("physicalLocation");
  auto uri = physical.at("artifactLocation").at("uri").get<std::string>();
  CHECK(uri.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/%:") ==
        std::string::npos);
  auto& region = physical.at("region");
  for (auto* key : {"startLine", "startColumn", "endLine", "endColumn"}) CHECK(region.at(key).get<int>() >= 1);
  CHECK(region["endLine"] >= region["startLine"]);
  if (region["endLine"] == region["startLine"]) CHECK(region["endColumn"] >= region["startColumn"]);
  if (location.contains("message")) check_text(location["message"]);
}
void check_sarif(const json& log) {
  CHECK(log.at("version") == "2.1.0");
  REQUIRE(log.at("runs").is_array());
  for (auto& run : log["runs"]) {
    auto& driver = run.at("tool").at("driver");
    CHECK(driver.at("name") == "ascribe");
    CHECK(driver.at("version").get<std::string>() != "");
    std::set<std::string> ids;
    for (auto& rule : driver.at("rules")) {
      CHECK(ids.insert(rule.at("id")).second);
      for (auto* key : {"shortDescription", "fullDescription", "help"}) check_text(rule.at(key));
    }
    CHECK((run.at("columnKind") == "utf16CodeUnits" || run["columnKind"] == "unicodeCodePoints"));
    REQUIRE(run.at("results").is_array());
    for (auto& result : run["results"]) {
      check_text(result.at("message"));
      CHECK(std::set<std::string>{"none", "note", "warning", "error"}.contains(result.at("level")));
      auto index = result.at("ruleIndex").get<int>();
      REQUIRE(index >= 0);
      CHECK(driver["rules"].at(static_cast<std::size_t>(index)).at("id") == result.at("ruleId"));
      for (auto* key : {"locations", "relatedLocations"})
        if (result.contains(key)) {
          REQUIRE(result[key].is_array());
          for (auto& location : result[key]) check_location(location);
        }
    }
  }
}

}  // namespace

TEST_CASE("JSON has every message with its places, and how many there are") {
  auto document = json::parse(render_json(some()));
  CHECK(document["errors"] == 2);
  CHECK(document["warnings"] == 1);
  REQUIRE(document["diagnostics"].size() == 3);
  CHECK(document["diagnostics"][0] == json::parse(R"({"code": "A0001", "severity": "error",
    "message": "cannot read 'x'", "file": null, "line": null, "column": null, "end_line": null, "end_column": null,
    "note": "", "help": "check it", "related": [], "fixes": []})"));
  auto& second = document["diagnostics"][1];
  CHECK(second["file"] == "my rules/größe.rule");
  CHECK(second["line"] == 4);
  CHECK(second["column"] == 6);
  CHECK(second["end_line"] == 5);
  CHECK(second["end_column"] == 2);
  CHECK(second["note"] == "a note");
  CHECK(second["related"].size() == 2);
  CHECK(second["related"][0]["column"] == 6);
  CHECK(second["related"][0]["end_column"] == 7);
  CHECK(second["related"][0]["text"] == "first here");
  CHECK(second["related"][1]["file"] == nullptr);
  CHECK(document["diagnostics"][2]["severity"] == "warning");
  CHECK(document["diagnostics"][2]["column"] == 6);
  CHECK(document["diagnostics"][2]["end_column"] == 7);  // one character of two bytes
}

TEST_CASE("reports have the help that is an edit as one") {
  auto source = std::make_shared<Source>("a.rule", "rule größe { input = x ** 2 }");
  std::vector<Diagnostic> found{{.code = Code::foreign_operator,
                                 .message = "`**` is not an operator",
                                 .primary = {source, {25, 27}, ""},
                                 .fixes = {{"write `^`", {{{25, 27}, "^"}}, true}}}};
  auto fix = json::parse(render_json(found))["diagnostics"][0]["fixes"][0];
  CHECK(fix["title"] == "write `^`");
  CHECK(fix["sure"] == true);
  CHECK(fix["edits"] ==
        json::parse(R"([{"file": "a.rule", "line": 1, "column": 24, "end_line": 1, "end_column": 26, "text": "^"}])"));
  auto sarif = json::parse(render_sarif(found))["runs"][0]["results"][0]["fixes"][0];
  CHECK(sarif["description"]["text"] == "write `^`");
  auto change = sarif["artifactChanges"][0];
  CHECK(change["artifactLocation"]["uri"] == "a.rule");
  CHECK(change["replacements"][0]["deletedRegion"]["startColumn"] == 24);
  CHECK(change["replacements"][0]["insertedContent"]["text"] == "^");
}

TEST_CASE("without messages the reports are whole documents") {
  CHECK(json::parse(render_json({})) == json::parse(R"({"diagnostics": [], "errors": 0, "warnings": 0})"));
  auto log = json::parse(render_sarif({}));
  check_sarif(log);
  CHECK(log["runs"][0]["results"] == json::array());
}

TEST_CASE("SARIF has what its schema demands") {
  auto log = json::parse(render_sarif(some()));
  check_sarif(log);
  auto& run = log["runs"][0];
  CHECK(run["columnKind"] == "unicodeCodePoints");
  CHECK(run["tool"]["driver"]["rules"].size() == explanations().size());
  auto& results = run["results"];
  REQUIRE(results.size() == 3);
  CHECK_FALSE(results[0].contains("locations"));
  auto& physical = results[1]["locations"][0]["physicalLocation"];
  CHECK(physical["artifactLocation"]["uri"] == "my%20rules/gr%C3%B6%C3%9Fe.rule");
  CHECK(physical["region"] == json::parse(R"({"startLine": 4, "startColumn": 6, "endLine": 5, "endColumn": 2})"));
  CHECK(results[1]["message"]["text"] == "`a` is defined twice\nnote: a note\nhelp: rename one");
  CHECK(results[1]["relatedLocations"].size() == 1);
  CHECK(results[1]["relatedLocations"][0]["message"]["text"] == "first here");
  CHECK(results[2]["level"] == "warning");
}

TEST_CASE("paths become URI references") {
  auto uri = [](const std::string& path) {
    auto log = json::parse(render_sarif(
        {{.code = Code::syntax, .message = "m", .primary = {std::make_shared<Source>(path, "a"), {0, 1}, ""}}}));
    return log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        .get<std::string>();
  };
  CHECK(uri("a/b-c_d.rule") == "a/b-c_d.rule");
  CHECK(uri("/a b/c.rule") == "file:///a%20b/c.rule");
  CHECK(uri("c:d?e#f.rule") == "c%3Ad%3Fe%23f.rule");  // no scheme, no query, no fragment
  CHECK(uri("\xFF.rule") == "%FF.rule");
}

TEST_CASE("bytes that are no UTF-8 are replaced, wherever they stand") {
  auto source = std::make_shared<Source>("\xFF.rule", "\xC3\x28");
  std::vector<Diagnostic> hostile{{.code = Code::not_text,
                                   .message = "\xFF\xFE",
                                   .primary = {source, {0, 9}, "\x80"},
                                   .others = {{source, {1, 0}, "\xED\xA0\x80"}},
                                   .note = "\xC0",
                                   .help = std::string("\0\x1B\"\\", 4)}};
  auto document = json::parse(render_json(hostile));
  CHECK(document["diagnostics"][0]["file"] == "\xEF\xBF\xBD.rule");
  CHECK(document["diagnostics"][0]["help"] == std::string("\0\x1B\"\\", 4));
  check_sarif(json::parse(render_sarif(hostile)));
}
