// The language reference: its examples do what it says, and its grammar and tables are those of the program.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "ascribe/pack.hpp"
#include "grammar/parser.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/type.hpp"
#include "tests/catch.hpp"
#include "tests/documentation.hpp"

namespace {

using namespace ascribe;
namespace fs = std::filesystem;

using Words = std::set<std::string>;

const fs::path data = ASCRIBE_TEST_DATA;
const fs::path root = data / "../..";

std::vector<Diagnostic> messages(const std::function<Pack()>& load) {
  try {
    return load().warnings();
  } catch (const Error& error) {
    return error.diagnostics();
  }
}

Words split(const std::string& text) {
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), {}};
}

// ---------------------------------------------------------------------------------------------------------- grammar

// What stands in quotes in an EBNF, and the names that are used and defined outside of them.
struct Ebnf {
  Words terminals, used, defined;
};

Ebnf read_ebnf(const std::string& text) {
  Ebnf out;
  std::string name;
  auto end_of = [&](std::size_t begin, const char* mark) {
    auto end = text.find(mark, begin);
    REQUIRE(end != std::string::npos);
    return end;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (std::isalpha(static_cast<unsigned char>(c))) {
      name += c;
      continue;
    }
    if (c == '=' && !name.empty()) out.defined.insert(std::exchange(name, ""));
    if (c == ' ' && i + 1 < text.size() && (text[i + 1] == '=' || text[i + 1] == ' ')) continue;  // before a `=`
    if (!name.empty()) out.used.insert(std::exchange(name, ""));
    if (c == '(' && text[i + 1] == '*') i = end_of(i, "*)") + 1;
    if (c == '?') i = end_of(i + 1, "?");
    if (c == '"' || c == '\'') {
      auto end = end_of(i + 1, c == '"' ? "\"" : "'");
      out.terminals.insert(text.substr(i + 1, end - i - 1));
      i = end;
    }
  }
  return out;
}

// The marks of the parser's grammar: of `mark<'('>` and `one<'+', '-'>` each, of `string<'=', '>'>` all together.
Words marks_of_the_parser() {
  auto text = test::bytes_of(root / "grammar/grammar.hpp");
  Words out;
  std::regex opening(R"((\w+)<')");
  for (std::sregex_iterator it(text.begin(), text.end(), opening), none; it != none; ++it) {
    auto name = (*it)[1].str();
    if (name != "mark" && name != "one" && name != "string") continue;
    std::string all;
    auto i = static_cast<std::size_t>(it->position() + it->length()) - 1;
    for (; text[i] == '\''; i += text[i + 1] == ',' ? 3 : 1) {
      bool escaped = text[i + 1] == '\\';
      char c = text[i + (escaped ? 2 : 1)];
      if (escaped && c != '\\' && c != '\'') c = ' ';  // some blank
      i += escaped ? 3 : 2;
      if (name == "string")
        all += c;
      else if (c != ' ')
        out.insert(std::string(1, c));
    }
    if (!all.empty()) out.insert(all);
  }
  return out;
}

Ebnf ebnf() {
  for (auto& block : test::blocks_of(root, "grammar/README.md"))
    if (block.mark == "ebnf") return read_ebnf(block.text);
  FAIL("the reference has no grammar");
  return {};
}

// ----------------------------------------------------------------------------------------------------------- tables

std::string trimmed(const std::string& text) {
  auto begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// The rows of the reference's table whose first heading this is.
std::vector<std::vector<std::string>> table(const std::string& heading) {
  std::vector<std::vector<std::string>> out;
  std::istringstream lines(test::bytes_of(root / "grammar/README.md"));
  std::string line;
  while (std::getline(lines, line) && !line.starts_with("| " + heading + " |"))
    ;
  std::getline(lines, line);  // the rule below the headings
  while (std::getline(lines, line) && line.starts_with('|')) {
    std::istringstream cells(line.substr(1));
    out.emplace_back();
    for (std::string cell; std::getline(cells, cell, '|');) out.back().push_back(trimmed(cell));
  }
  REQUIRE_FALSE(out.empty());
  return out;
}

std::vector<std::string> code_spans(const std::string& cell) {
  std::vector<std::string> out;
  std::regex span("`([^`]*)`");
  for (std::sregex_iterator it(cell.begin(), cell.end(), span), end; it != end; ++it) out.push_back((*it)[1]);
  return out;
}

}  // namespace

TEST_CASE("the examples of the documentation are sound, or give the message that they are marked with") {
  std::map<std::string, int> marks;
  test::Folder folder;
  std::vector<fs::path> files;
  for (std::string page : {"grammar/README.md", "README.md"})
    for (auto& [mark, text, place] : test::blocks_of(root, page)) {
      INFO(place);
      if (!mark.starts_with("rule")) {
        // The README's other blocks are run, whatever their marks: tests/documentation.
        CHECK((page == "README.md" || mark == "" || mark == "ebnf" || mark == "shell"));
        continue;
      }
      std::istringstream words(mark.substr(4));
      std::string what, code;
      words >> what >> code;
      ++marks[what];
      if (what == "file") {
        auto path = folder.path / code;
        fs::create_directories(path.parent_path());
        std::ofstream(path) << text;
        files.push_back(path);
        continue;
      }
      auto found = messages([&source = text, &where = place] { return Pack::parse(source, where); });
      INFO(render_text(found));
      if (what.empty()) {
        CHECK(found.empty());
        continue;
      }
      CHECK((what == "fails" || what == "warns"));
      CHECK(has_errors(found) == (what == "fails"));
      REQUIRE(found.size() == 1);
      CHECK(code_name(found.front().code) == code);
    }
  for (auto& path : files) {  // those of packs are loaded with them
    auto inside = path.parent_path() != folder.path && path.filename() != "pack.rule";
    if (!inside) CHECK(render_text(messages([&] { return Pack::load(path); })) == "");
  }
  CHECK(marks[""] >= 15);
  CHECK(marks["fails"] >= 4);
  CHECK(marks["warns"] >= 2);
  CHECK(marks["file"] >= 3);
}

TEST_CASE("the example of an import in the language's description leads where it says") {
  CHECK(render_text(messages([] { return Pack::load(data / "packs/guide/import.rule"); })) == "");
}

TEST_CASE("the reference's grammar has the words and marks of the parser's, and defines what it uses") {
  auto [terminals, used, defined] = ebnf();
  used.insert({"file", "comment"});  // where it begins, and what lies between the tokens
  CHECK(used == defined);
  Words words, marks, reserved;
  for (auto& each : terminals) {
    bool is_word = each.size() > 1 && std::isalpha(static_cast<unsigned char>(each.front()));
    (is_word ? words : marks).insert(each);
  }
  for (auto word : reserved_words()) reserved.emplace(word);
  for (auto& row : language::type_words) reserved.emplace(row.word);
  CHECK(words == reserved);
  CHECK(marks == marks_of_the_parser());
}

TEST_CASE("the reference's table of functions is the program's") {
  std::vector<std::string> written, known;
  for (auto& row : table("function"))
    for (auto& signature : code_spans(row.at(0))) written.push_back(signature);
  for (auto& row : language::builtins()) known.emplace_back(row.signature);
  std::sort(written.begin(), written.end());
  std::sort(known.begin(), known.end());
  CHECK(written == known);
}

TEST_CASE("the reference's table of types is the program's") {
  Words written, known;
  for (auto& row : table("type"))
    for (auto& word : code_spans(row.at(0))) written.insert(word);
  for (auto& row : language::type_words) known.emplace(row.word);
  CHECK(written == known);
}

TEST_CASE("the reference's table of layer kinds is the program's") {
  using Rows = std::set<std::vector<std::string>>;  // member, group, parameters
  Rows written, known;
  for (auto& row : table("kind"))
    for (auto& group : code_spans(row.at(0))) {
      bool itself = row.at(1) == "itself" || row.at(1) == "themselves";
      for (auto& member : itself ? Words{group} : split(row.at(1))) {
        INFO(member << " is there twice");
        CHECK(written.insert({member, group, row.at(2)}).second);
      }
    }
  for (auto& kind : language::kinds()) {
    std::string parameters;
    for (auto name : kind.parameters) parameters += (parameters.empty() ? "" : ", ") + std::string(name);
    known.insert({std::string(kind.name), std::string(kind.group), parameters.empty() ? "–" : parameters});
  }
  CHECK(written == known);
}

TEST_CASE("the reference's table of layers for tests is the program's") {
  std::map<std::string, std::string> written, known;
  std::string before;
  std::regex the_same(R"(the same, with (.+) behind (\w+))");
  for (auto& row : table("layers")) {
    auto arguments = row.at(1);
    if (std::smatch match; std::regex_match(arguments, match, the_same))
      arguments = std::regex_replace(before, std::regex("(, " + match[2].str() + " = [^,]*)"), "$1, " + match[1].str());
    for (auto& name : split(row.at(0))) written[name] = arguments;
    before = arguments;
  }
  for (auto& layer : language::buildable_layers()) {
    auto text = language::signature(layer).substr(layer.name.size() + 1);
    text.pop_back();
    known[std::string(layer.name)] = text.empty() ? "–" : text;
  }
  CHECK(written == known);
}
