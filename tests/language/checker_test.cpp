// Rule files as data: each line of mistakes/ says behind `#!` which messages it makes; the files of valid/ make none.
#include <filesystem>
#include <sstream>

#include "ascribe/pack.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"

namespace {

using namespace ascribe;
using test::bytes_of;

std::vector<std::filesystem::path> rule_files(const std::string& folder) {
  std::vector<std::filesystem::path> out;
  for (auto& entry : std::filesystem::directory_iterator(std::filesystem::path(ASCRIBE_TEST_DATA) / folder))
    out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

// "12:5 A0201 unknown name `yy`", one for each `#!` of the file.
std::vector<std::string> expected_messages(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    for (auto begin = line.find("#! "); begin != std::string::npos;) {
      auto next = line.find("  #! ", begin);
      auto message = line.substr(begin + 3, next == std::string::npos ? next : next - begin - 3);
      auto colon = message.find(':'), space = message.find(' ');
      out.push_back(std::to_string(number) + message.substr(colon, space - colon) + " " + message.substr(0, colon) +
                    message.substr(space));
      begin = next == std::string::npos ? next : next + 2;
    }
  }
  return out;
}

std::vector<Diagnostic> diagnostics_of(const std::filesystem::path& path) {
  try {
    return Pack::load(path).warnings();
  } catch (const Error& error) {
    return error.diagnostics();
  }
}

}  // namespace

TEST_CASE("every mistake of a file gives its message, at its place, in order, and no other") {
  std::size_t count = 0;
  for (auto& path : rule_files("mistakes")) {
    INFO(path.filename());
    std::vector<std::string> found;
    for (auto& diagnostic : diagnostics_of(path)) {
      auto [line, column] = diagnostic.primary.source->position(diagnostic.primary.span.begin);
      found.push_back(std::to_string(line) + ":" + std::to_string(column) + " " + code_name(diagnostic.code) + " " +
                      diagnostic.message);
    }
    CHECK(found == expected_messages(bytes_of(path)));
    count += found.size();
  }
  CHECK(count >= 120);
}

TEST_CASE("a sound file gives no message") {
  auto files = rule_files("valid");
  CHECK(files.size() >= 4);
  for (auto& path : files) {
    INFO(path.filename());
    CHECK(render_text(diagnostics_of(path)) == "");
  }
}

TEST_CASE("one slip makes one message: any mark that is left out of a sound file") {
  std::size_t slips = 0;
  for (auto& path : rule_files("valid")) {
    auto text = bytes_of(path);
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '#' && !in_string) i = std::min(text.find('\n', i), text.size() - 1);
      if (text[i] == '"') in_string = !in_string;
      if (in_string || std::string_view("(){}[],.=>+-*/^<").find(text[i]) == std::string_view::npos) continue;
      auto slip = text;
      slip[i] = ' ';
      ++slips;
      try {
        Pack::parse(slip, "slip.rule");
      } catch (const Error& error) {
        INFO(path.filename() << ", byte " << i << "\n" << error.what());
        CHECK(error.diagnostics().size() == 1);
      }
    }
  }
  CHECK(slips > 500);
}

TEST_CASE("what a mistake keeps from being used or read is no second mistake") {
  auto count = [](const std::string& text) {
    try {
      return Pack::parse(text).warnings().size();
    } catch (const Error& error) {
      return error.diagnostics().size();
    }
  };
  CHECK(count("rule a { let share = R / stabilize(y); map = shar }") == 1);
  CHECK(count("rule a(epsilon = 1) { map = R / stabilize(y, epsilom) }") == 1);
  CHECK(count("fn f(z, e) = max(z, ee)") == 1);
  CHECK(count("composite c(k = 1) { any => epsilon(kk) }") == 1);
  CHECK(count("function f(z) = z\nrule a { map = f(R) }") == 1);
  CHECK(count("Rule a { map = R }\ncomposite c { any => a }") == 1);
  CHECK(count("rule a { map = R ** 2 }\nrule b = a\ncomposite c { linear => a; any => b }\ncomposite d = c") == 1);
  CHECK(count("rule a { param = 0; param = 1; param \"bias\" = 1; term t { param = 2 } }") == 1);
  CHECK(count("rule a { map = R ** 2 }\nrule b { map = R ** 2 }\ncomposite c { linear => a; any => d }") == 3);
}

TEST_CASE("the rules in the documentation are sound") {
  std::size_t blocks = 0;
  for (auto* page : {"README.md", "grammar/README.md"}) {
    auto text = bytes_of(std::filesystem::path(ASCRIBE_TEST_DATA) / "../.." / page);
    const std::string open = "```rule\n", close = "```\n";
    for (auto begin = text.find(open); begin != std::string::npos; begin = text.find(open, begin)) {
      begin += open.size();
      auto end = text.find(close, begin);
      INFO(page << ": " << text.substr(begin, 60));
      CHECK_NOTHROW(Pack::parse(text.substr(begin, end - begin), page));
      ++blocks;
    }
  }
  CHECK(blocks >= 5);
}

TEST_CASE("lets that double each other end in a message, not in a hang") {
  std::string text = "rule r { map = R * a60; let a0 = y";
  for (int i = 1; i <= 60; ++i)
    text += "; let a" + std::to_string(i) + " = a" + std::to_string(i - 1) + " + a" + std::to_string(i - 1);
  CHECK_THROWS_WITH(Pack::parse(text + " }"),
                    Catch::Contains("A0004") && Catch::Contains("more than 100000 operations"));
}

TEST_CASE("composites that double each other end in a message, not in a hang") {
  std::string text = "composite a0 { any => pass }";
  for (int i = 1; i <= 40; ++i)
    text += "composite a" + std::to_string(i) + " { any => a" + std::to_string(i - 1) + "; any => a" +
            std::to_string(i - 1) + " }";
  CHECK_THROWS_WITH(Pack::parse(text + "composite top = a40"), Catch::Contains("A0004"));
}

TEST_CASE("functions that double each other end in a message, not in a hang") {
  std::string text = "fn f0(z) = z";
  for (int i = 1; i <= 40; ++i)
    text +=
        "\nfn f" + std::to_string(i) + "(z) = f" + std::to_string(i - 1) + "(z) + f" + std::to_string(i - 1) + "(z)";
  CHECK_THROWS_WITH(Pack::parse(text + "\nrule r { map = f40(R) }"), Catch::Contains("A0004"));
}

TEST_CASE("a long chain of definitions ends in a message, not in a crash") {
  std::string aliases, functions = "fn f0(z) = z";
  for (int i = 0; i < 5000; ++i) aliases += "rule r" + std::to_string(i) + " = r" + std::to_string(i + 1) + "\n";
  CHECK_THROWS_WITH(Pack::parse(aliases + "rule r5000 { map = R }"), Catch::Contains("A0005"));
  for (int i = 1; i < 5000; ++i)
    functions = "fn f" + std::to_string(i) + "(z) = f" + std::to_string(i - 1) + "(z)\n" + functions;
  CHECK_THROWS_WITH(Pack::parse(functions + "\nrule r { map = f4999(R) }"), Catch::Contains("A0005"));
}
