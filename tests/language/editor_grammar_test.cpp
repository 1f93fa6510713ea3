// The editor grammar: its words are those of the program's tables, and its patterns are patterns.
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "grammar/parser.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/language/type.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"

namespace {

using namespace ascribe;
using nlohmann::json;
using Words = std::set<std::string>;

const std::filesystem::path editors = std::filesystem::path(ASCRIBE_TEST_DATA) / "../../editors";

json read(const std::string& name) { return json::parse(test::bytes_of(editors / name)); }

const json& grammar() {
  static const auto read_once = read("ascribe.tmLanguage.json");
  return read_once;
}

// The words of a list `(one|two)` in a part of the grammar.
Words words_of(const std::string& part) {
  auto pattern = grammar().at("repository").at(part).at("match").get<std::string>();
  std::smatch list;
  REQUIRE(std::regex_search(pattern, list, std::regex(R"(\((\w+(?:\|\w+)+)\))")));
  Words out;
  std::istringstream words(list[1]);
  for (std::string word; std::getline(words, word, '|');) out.insert(word);
  return out;
}

// Every value of one of these keys, however deep.
void collect(const json& node, const Words& keys, std::vector<std::string>& out) {
  if (!node.is_structured()) return;
  for (auto& [key, value] : node.items()) {
    if (value.is_string() && keys.contains(key)) out.push_back(value);
    collect(value, keys, out);
  }
}

// What the part of the grammar says is meant in a line: what its pattern matches first.
std::string first_match(const std::string& part, const std::string& line) {
  auto pattern = grammar().at("repository").at(part).at("match").get<std::string>();
  std::smatch found;
  return std::regex_search(line, found, std::regex(pattern)) ? found.str() : "";
}

}  // namespace

TEST_CASE("the editor grammar's reserved words are the parser's, each in one role") {
  Words known;
  for (auto word : reserved_words()) known.emplace(word);
  std::multiset<std::string> written;
  for (auto* role :
       {"definition-words", "clause-words", "count-words", "linking-words", "condition-words", "logical-words"})
    for (auto& word : words_of(role)) written.insert(word);
  CHECK(Words(written.begin(), written.end()) == known);
  CHECK(written.size() == known.size());
}

TEST_CASE("the editor grammar's functions, kinds, layers, types and values are the program's") {
  Words builtins, kinds, layers, types;
  for (auto& row : language::builtins()) builtins.emplace(row.name);
  for (auto word : language::kind_words()) kinds.emplace(word);
  for (auto word : language::module_words) kinds.emplace(word);
  for (auto& row : language::buildable_layers()) layers.emplace(row.name);
  for (auto& row : language::type_words) types.emplace(row.word);
  CHECK(words_of("builtins") == builtins);
  CHECK(words_of("kinds") == kinds);
  CHECK(words_of("layers") == layers);
  CHECK(words_of("types") == types);
  auto values = words_of("values");
  CHECK(values.size() == 9);
  for (auto& value : values) CHECK(language::is_protected(value));
}

TEST_CASE("the editor grammar's patterns compile, and its parts are there") {
  std::vector<std::string> patterns, included;
  collect(grammar(), {"match", "begin", "end"}, patterns);
  CHECK(patterns.size() >= 25);
  for (auto& pattern : patterns) {
    INFO(pattern);
    CHECK_NOTHROW(std::regex(pattern));
  }
  collect(grammar(), {"include"}, included);
  Words used;
  for (auto& each : included)
    if (each != "$self") used.insert(each.substr(1));
  Words parts;
  for (auto& [name, part] : grammar().at("repository").items()) parts.insert(name);
  CHECK(used == parts);
}

TEST_CASE("the editor grammar tells words by their places") {
  CHECK(first_match("kinds", "  first linear, convolution => flat") == "linear");
  CHECK(first_match("kinds", "  convolution \"features.*\" => mean") == "convolution");
  CHECK(first_match("kinds", "  module \"encoder.*.act\" => pass") == "module");
  CHECK(first_match("kinds", "  class \"SMELU\", relu => pass") == "class");
  CHECK(first_match("kinds", "map = R * sum(mean(x)) / 2") == "");
  CHECK(first_match("builtins", "share = sum * mean (x)") == "mean");
  CHECK(first_match("types", "rule r(low: input, input = 1)") == ": input");
  CHECK(first_match("numbers", "x2 + 1.5e-6)") == "1.5e-6");
  CHECK(first_match("names", "a == b, k => c, low = -3") == "low =");
  CHECK(first_match("values", "xy + grad") == "grad");
}

TEST_CASE("the editor extension leads to its files and to rule files") {
  auto package = read("package.json");
  auto& contributes = package.at("contributes");
  auto& language = contributes.at("languages").at(0);
  CHECK(language.at("extensions") == json{".rule"});
  CHECK_NOTHROW(read(language.at("configuration")));
  auto& entry = contributes.at("grammars").at(0);
  CHECK(entry.at("language") == language.at("id"));
  CHECK(read(entry.at("path")).at("scopeName") == entry.at("scopeName"));
}
