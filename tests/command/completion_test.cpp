// `ascribe completion` and `ascribe man`: that all of them know every option, and that the programs they are for take
// them.
#include "tests/catch.hpp"

#include <algorithm>
#include <sstream>
#include <vector>

#include "tests/command/ascribe_command.hpp"

namespace {

using namespace ascribe;
using namespace test;
using Catch::Contains;
using Catch::StartsWith;

const std::vector<std::string> commands{
    "ascribe",           "ascribe run",         "ascribe compare",   "ascribe layers", "ascribe bench",
    "ascribe check",     "ascribe doc",         "ascribe explain",   "ascribe fmt",    "ascribe pack",
    "ascribe pack lock", "ascribe pack verify", "ascribe pack list", "ascribe plan",   "ascribe repl",
    "ascribe test",      "ascribe completion",  "ascribe lsp",       "ascribe man"};

std::string output(const std::string& command) {
  Folder folder;
  auto outcome = run_shell(folder, command);
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  return outcome.out;
}

// The long options that a command's help shows.
std::vector<std::string> options_of(const std::string& command) {
  std::vector<std::string> out;
  std::istringstream help(output(command + " --help"));
  for (std::string line; std::getline(help, line);)
    if (auto begin = line.find("--"); line.starts_with("  -") && begin <= 5)
      out.push_back(line.substr(begin, line.find_first_of(" ,", begin) - begin));
  return out;
}

// What stands from one text on, up to another.
std::string part(const std::string& whole, const std::string& from, const std::string& to) {
  auto begin = whole.find(from);
  return begin == std::string::npos ? "" : whole.substr(begin, whole.find(to, begin + from.size()) - begin);
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

// What bash offers for the last of these words, in the order of the alphabet.
std::string offered(const Folder& folder, const std::string& words) {
  auto outcome = run_shell(folder, "bash -c 'source <(ascribe completion bash); COMP_WORDS=(" + words +
                                       "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _ascribe; echo ${COMPREPLY[@]}' | "
                                       "tr ' ' '\\n' | LC_ALL=C sort | tr '\\n' ' '");
  CHECK(outcome.err == "");
  return outcome.out;
}

bool has(const std::string& program) {
  Folder folder;
  return run_shell(folder, "command -v " + program).code == 0;
}

}  // namespace

TEST_CASE("the manual page and the completions know every option of every command") {
  auto man = output("ascribe man"), bash = output("ascribe completion bash"), zsh = output("ascribe completion zsh"),
       fish = output("ascribe completion fish");
  for (auto& command : commands) {
    INFO(command);
    auto options = options_of(command);
    CHECK(std::count(options.begin(), options.end(), "--help") == 1);
    auto section =
        command == "ascribe" ? part(man, ".SH OPTIONS", ".SH COMMANDS") : part(man, ".SS " + command + "\n", ".S");
    auto offer = part(bash, "\"" + command + " -\"*) ", ";;");
    auto function = part(zsh, "\n_" + replaced(command, " ", "_") + "() {", "\n}\n");
    for (auto& option : options) {
      INFO(option);
      CHECK_THAT(section, Contains("\\fB" + replaced(option, "-", "\\-") + "\\fR"));
      CHECK_THAT(replaced(offer, "'", " "), Contains(" " + option + " "));
      CHECK_THAT(function, Contains(option + "["));
      CHECK_THAT(replaced(fish, " -s h", ""),
                 Contains("complete -c ascribe -n '__ascribe_at " + command + "' -l " + option.substr(2) + " "));
    }
  }
}

TEST_CASE("bash is offered commands, options, values, and files by their endings") {
  Folder folder;
  for (auto* name : {"a.rule", "a.npy", "b.npy", "m.pt", "m.pt2", "names.txt"}) folder.file(name, "");
  std::filesystem::create_directory(folder / "zoo");
  folder.file("zoo/inner.rule", "");
  auto in = [&](const std::string& words) { return offered(folder, words); };
  CHECK(in("ascribe ch") == "check ");
  CHECK_THAT(in("ascribe \"\""), Contains("check ") && Contains("completion ") && Contains("run "));
  CHECK(in("ascribe pack \"\"") == "list lock verify ");
  CHECK(in("ascribe run --he") == "--heatmap --help ");
  CHECK(in("ascribe run --model m") == "m.pt m.pt2 ");
  CHECK(in("ascribe run --input b") == "b.npy ");
  CHECK(in("ascribe run --output = a") == "a.npy ");
  CHECK(in("ascribe run --labels n") == "names.txt ");
  CHECK(in("ascribe run --start o") == "one output ");
  CHECK(in("ascribe check --format \"\"") == "json sarif text ");
  CHECK(in("ascribe check --format =") == "json sarif text ");
  CHECK(in("ascribe check a") == "a.rule ");
  CHECK(in("ascribe check zo") == "zoo ");
  CHECK(in("ascribe check zoo/") == "zoo/inner.rule ");
  CHECK(in("ascribe check --path zo") == "zoo ");
  CHECK(in("ascribe pack list zo") == "zoo ");
  CHECK(in("ascribe pack list --lo") == "--locked ");
  CHECK(in("ascribe pack lock --lo") == " ");
  CHECK(in("ascribe test --filter a") == " ");
  CHECK(in("ascribe completion f") == "fish ");
}

TEST_CASE("bash registers the completion when it reads the file") {
  CHECK_THAT(output("bash -c 'source <(ascribe completion bash); complete -p ascribe'"),
             StartsWith("complete -F _ascribe"));
}

TEST_CASE("the shells and man take what is written for them") {
  for (auto* shell : {"bash", "zsh", "fish"})
    if (has(shell)) output(std::string("ascribe completion ") + shell + " >script; " + shell + " -n script");
  if (has("groff")) {
    Folder folder;
    CHECK(run_shell(folder, "ascribe man | groff -man -Kutf8 -Tutf8 -ww -z").err == "");
  }
  if (has("man")) CHECK_THAT(output("ascribe man >page; man --warnings -l page | cat"), Contains("EXIT STATUS"));
}

TEST_CASE("another shell's name is refused") {
  Folder folder;
  auto outcome = run_shell(folder, "ascribe completion csh");
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Contains("csh") && Contains("ascribe completion --help"));
}
