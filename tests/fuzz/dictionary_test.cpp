// The fuzzer's dictionary holds the words of the language.
#include <set>
#include <sstream>
#include <string>

#include "grammar/parser.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/kinds.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"

TEST_CASE("the fuzzer's dictionary holds every reserved word, built-in function, layer kind and layer's argument") {
  std::set<std::string, std::less<>> known;
  std::istringstream lines(test::bytes_of(ASCRIBE_FUZZ_DICTIONARY));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with('"')) known.insert(line.substr(1, line.size() - 2));

  std::vector<std::string_view> wanted = ascribe::reserved_words();
  for (auto& builtin : ascribe::language::builtins()) wanted.push_back(builtin.name);
  for (auto word : ascribe::language::kind_words()) wanted.push_back(word);
  for (auto word : ascribe::language::module_words) wanted.push_back(word);
  for (auto& layer : ascribe::language::buildable_layers()) {
    wanted.push_back(layer.name);
    for (auto& argument : layer.arguments) wanted.push_back(argument.name);
  }
  CHECK(wanted.size() > 100);
  for (auto word : wanted) {
    INFO(word);
    CHECK(known.contains(word));
  }
}
