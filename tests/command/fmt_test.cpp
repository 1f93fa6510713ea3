// `ascribe fmt` as a user meets it: which files it rewrites, what it prints, and its exit code.
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <sstream>

#include "tests/catch.hpp"
#include "tests/folder.hpp"

namespace {

using Catch::StartsWith;
using test::bytes_of;
namespace fs = std::filesystem;

constexpr const char* untidy = "rule a{map=R}";
constexpr const char* tidy = "rule a { map = R }\n";

// Paths as text, for command lines and messages.
struct Folder : test::Folder {
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

struct Outcome {
  int code;
  std::string out, err;
};

// Runs `ascribe fmt` with `input` as its standard input.
Outcome run_fmt(const std::string& arguments, const std::string& input = "") {
  Folder folder;
  folder.file("in", input);
  auto status = std::system(("'" ASCRIBE_COMMAND "' fmt " + arguments + " <'" + folder / "in" + "' >'" +
                             folder / "out" + "' 2>'" + folder / "err" + "'")
                                .c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), bytes_of(folder / "out"),
          bytes_of(folder / "err")};
}

std::string argument(const std::string& path) { return " '" + path + "'"; }

// `before` with the hunks of a unified diff applied; empty where one does not fit.
std::string patched(const std::string& before, const std::string& diff) {
  std::istringstream old_lines(before), diff_lines(diff);
  std::string out, line, old_line;
  std::size_t number = 1;
  auto copy = [&](bool keep) {
    std::getline(old_lines, old_line);
    ++number;
    if (keep) out += old_line + (old_lines.eof() ? "" : "\n");
  };
  while (std::getline(diff_lines, line)) {
    if (line.starts_with("---") || line.starts_with("+++")) continue;
    if (line.starts_with("@@ -")) {
      auto begin = std::stoul(line.substr(4));
      if (line.find(",0 +") != std::string::npos) ++begin;
      while (number < begin) copy(true);
    } else if (line.starts_with("+")) {
      out += line.substr(1) + "\n";
    } else if (line.starts_with("-") || line.starts_with(" ")) {
      copy(line[0] == ' ');
      if (old_line != line.substr(1)) return "";
    }
  }
  while (old_lines.peek() != std::istringstream::traits_type::eof()) copy(true);
  return out;
}

}  // namespace

TEST_CASE("fmt rewrites what is not in canonical form, names it, and leaves the rest alone") {
  Folder folder;
  auto a = folder / "a.rule", b = folder / "b.rule";
  folder.file("a.rule", untidy);
  folder.file("b.rule", tidy);
  fs::permissions(a, fs::perms::owner_read | fs::perms::owner_write);
  auto long_ago = fs::last_write_time(b) - std::chrono::hours(1);
  fs::last_write_time(b, long_ago);
  auto outcome = run_fmt(argument(a) + argument(b));
  CHECK(outcome.code == 0);
  CHECK(outcome.out == a + "\n");
  CHECK(outcome.err == "");
  CHECK(bytes_of(a) == tidy);
  CHECK(fs::status(a).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(fs::last_write_time(b) == long_ago);
  CHECK(folder.files() == 2);
  auto again = run_fmt(argument(a) + argument(b));
  CHECK(again.code == 0);
  CHECK(again.out == "");
}

TEST_CASE("fmt follows a link and keeps it") {
  Folder folder;
  folder.file("a.rule", untidy);
  fs::create_symlink("a.rule", folder / "link.rule");
  CHECK(run_fmt(argument(folder / "link.rule")).code == 0);
  CHECK(fs::is_symlink(folder / "link.rule"));
  CHECK(bytes_of(folder / "a.rule") == tidy);
}

TEST_CASE("fmt takes the rule files of a folder and of the folders in it") {
  Folder folder;
  fs::create_directories(folder / "deep/er");
  folder.file("b.rule", untidy);
  folder.file("deep/er/a.rule", untidy);
  folder.file("notes.txt", untidy);
  auto outcome = run_fmt(argument(folder.path.string()));
  CHECK(outcome.code == 0);
  CHECK(outcome.out == folder / "b.rule" + "\n" + folder / "deep/er/a.rule" + "\n");
  CHECK(bytes_of(folder / "notes.txt") == untidy);
  fs::create_directory(folder / "empty");
  auto empty = run_fmt(argument(folder / "empty"));
  CHECK(empty.code == 3);
  CHECK_THAT(empty.err,
             StartsWith("error[A0001]: cannot read '" + folder / "empty" + "': the folder holds no .rule file"));
}

TEST_CASE("fmt --check and --diff tell, and change nothing") {
  Folder folder;
  auto a = folder / "a.rule", b = folder / "b.rule";
  folder.file("a.rule", "# one\n# two\n# three\n# four\nrule a{map=R}");
  folder.file("b.rule", tidy);
  auto before = bytes_of(a);
  auto check = run_fmt("--check" + argument(a) + argument(b));
  CHECK(check.code == 1);
  CHECK(check.out == a + "\n");
  auto diff = run_fmt("--diff" + argument(a) + argument(b));
  CHECK(diff.code == 1);
  CHECK(diff.out == "--- " + a + "\n+++ " + a +
                        "\n@@ -2,4 +2,4 @@\n # two\n # three\n # four\n-rule a{map=R}\n\\ No newline at end of file\n" +
                        "+rule a { map = R }\n");
  CHECK(bytes_of(a) == before);
  CHECK(run_fmt("--check" + argument(b)).code == 0);
  CHECK(run_fmt("--diff" + argument(b)).out == "");
}

TEST_CASE("fmt --diff leads from the old text to the new one") {
  Folder folder;
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    std::string text;
    for (auto lines = random() % 60; lines > 0; --lines)
      text += random() % 4 == 0 ? "rule a{map=R}\n" : random() % 4 == 0 ? "\n\n\n" : "rule b { map = R }\n";
    if (random() % 2 == 0) text += "rule a{map=R}";
    INFO(text);
    CHECK(patched(text, run_fmt("--diff -", text).out) == run_fmt("-", text).out);
  }
  std::string large;
  for (int i = 0; i < 20'000; ++i) large += "rule r" + std::to_string(i) + "{map=R}\n";
  CHECK(patched(large, run_fmt("--diff -", large).out) == run_fmt("-", large).out);
}

TEST_CASE("fmt - formats standard input to standard output") {
  auto outcome = run_fmt("-", untidy);
  CHECK(outcome.code == 0);
  CHECK(outcome.out == tidy);
  CHECK(run_fmt("-").out == "");
  CHECK(run_fmt("--check -", untidy).out == "<stdin>\n");
  CHECK(run_fmt("--check -", untidy).code == 1);
  auto wrong = run_fmt("-", "rule a { map = }");
  CHECK(wrong.code == 1);
  CHECK(wrong.out == "");
  CHECK_THAT(wrong.err, StartsWith("error[A0101]: expected an expression, found `}`\n --> <stdin>:1:16"));
}

TEST_CASE("fmt leaves a file with mistakes as it is, and goes on with the others") {
  Folder folder;
  auto bad = folder / "bad.rule", good = folder / "good.rule";
  folder.file("bad.rule", "rule a{map=}");
  folder.file("good.rule", untidy);
  auto outcome = run_fmt(argument(bad) + argument(good));
  CHECK(outcome.code == 1);
  CHECK(outcome.out == good + "\n");
  CHECK_THAT(outcome.err, StartsWith("error[A0101]"));
  CHECK(bytes_of(bad) == "rule a{map=}");
  CHECK(bytes_of(good) == tidy);
  auto none = run_fmt(argument(folder / "none.rule") + argument(bad));
  CHECK(none.code == 3);
  CHECK_THAT(none.err, StartsWith("error[A0001]: cannot read '" + folder / "none.rule" + "': no such file\n"));
  CHECK(run_fmt("").code == 2);
  CHECK(run_fmt("--check --diff" + argument(good)).code == 2);
}
