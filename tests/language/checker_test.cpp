// Rule files as data: each line says behind `#!` which messages it makes (`#! A0201:31 unknown name `yy``: code,
// column, message). What is in mistakes/ is refused; what is in valid/ makes warnings at most. A line `#! program NAME`
// begins another program of the same file, which is checked by itself.
#include <filesystem>
#include <set>
#include <sstream>

#include "ascribe/pack.hpp"
#include "grammar/parser.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/binding.hpp"
#include "interpreter/language/checker.hpp"
#include "interpreter/language/kinds.hpp"
#include "tests/catch.hpp"
#include "tests/expected_messages.hpp"
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

struct Program {
  std::string name, text;
  std::filesystem::path path{};  // where it is a whole file, which may import others
};

// The programs of a file; what stands before the first `#! program` belongs to none. Their lines keep their numbers.
std::vector<Program> programs_of(const std::filesystem::path& path) {
  auto text = bytes_of(path);
  auto file = path.filename().string();
  const std::string mark = "#! program ";
  if (text.find(mark) == std::string::npos) return {{file, text, path}};
  std::vector<Program> out;
  std::istringstream lines(text);
  std::string line, before;
  for (; std::getline(lines, line); before += '\n') {
    if (line.starts_with(mark))
      out.push_back({file + ": " + line.substr(mark.size()), before + "\n"});
    else if (!out.empty())
      out.back().text += line + "\n";
  }
  return out;
}

std::vector<Program> programs_in(const std::string& folder) {
  std::vector<Program> out;
  for (auto& path : rule_files(folder))
    for (auto& program : programs_of(path)) out.push_back(std::move(program));
  return out;
}

std::vector<Diagnostic> diagnostics_of(const Program& program) {
  try {
    return (program.path.empty() ? Pack::parse(program.text, program.name) : Pack::load(program.path)).warnings();
  } catch (const Error& error) {
    return error.diagnostics();
  }
}

std::vector<std::string> messages(const std::vector<Diagnostic>& diagnostics) {
  std::vector<std::string> out;
  for (auto& each : diagnostics) out.push_back(test::shown_message(each));
  return out;
}

}  // namespace

TEST_CASE("every mistake of a program gives its message, at its place, in order, and no other") {
  std::size_t count = 0;
  for (auto& program : programs_in("mistakes")) {
    INFO(program.name);
    auto found = diagnostics_of(program);
    CHECK(has_errors(found));
    CHECK(messages(found) == test::expected_messages(program.text));
    count += found.size();
  }
  CHECK(count >= 200);
}

TEST_CASE("every code of what a rule file can get wrong has a mistake that shows it") {
  std::set<std::string> found;
  for (auto* folder : {"mistakes", "valid"})
    for (auto& program : programs_in(folder))
      for (auto& each : diagnostics_of(program)) found.insert(code_name(each.code));
  for (auto code : {101, 102, 103, 104, 105, 106, 107, 108, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210,
                    211, 212, 213, 215, 216, 301, 302, 303, 304, 305, 306, 401, 402, 403, 501, 502, 504})
    CHECK(found.contains(code_name(static_cast<Code>(code))));
}

TEST_CASE("a sound program gives no message but the warnings that it states") {
  auto programs = programs_in("valid");
  CHECK(programs.size() >= 60);
  for (auto& program : programs) {
    INFO(program.name);
    auto found = diagnostics_of(program);
    CHECK(!has_errors(found));
    CHECK(messages(found) == test::expected_messages(program.text));
    for (auto& each : found) CHECK(!each.help.empty());
  }
}

TEST_CASE("what the program is called, how its lines end and what begins it does not matter") {
  auto text = bytes_of(std::filesystem::path(ASCRIBE_TEST_DATA) / "valid/language_guide.rule");
  CHECK(Pack::parse(text).warnings().empty());
  std::string windows = "\xEF\xBB\xBF";
  for (char c : text) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  CHECK(Pack::parse(windows).warnings().empty());
}

TEST_CASE("the standard pack is sound and gives no warning") {
  std::vector<Diagnostic> diagnostics;
  std::vector<syntax::File> files;
  for (auto& path : std::filesystem::directory_iterator(std::filesystem::path(ASCRIBE_TEST_DATA) / "../../stdlib"))
    if (path.path().extension() == ".rule")
      files.push_back(
          parse_file(std::make_shared<Source>(path.path().filename().string(), bytes_of(path.path())), diagnostics));
  CHECK(files.size() >= 7);
  std::vector<const syntax::File*> together;
  for (auto& file : files) together.push_back(&file);
  language::check(together, {}, diagnostics);
  CHECK(render_text(diagnostics) == "");
}

TEST_CASE("one slip makes one message: any mark that is left out of a sound file") {
  std::size_t slips = 0;
  for (auto& [name, text, path] : programs_in("valid")) {
    if (text.find("import") != std::string::npos) continue;  // a text imports nothing
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '#' && !in_string) i = std::min(text.find('\n', i), text.size() - 1);
      if (text[i] == '"') in_string = !in_string;
      auto before = text.find_last_not_of(" \n", i == 0 ? 0 : i - 1);
      bool sign = text[i] == '-' && before != std::string::npos &&
                  std::string_view("(,=[").find(text[before]) != std::string_view::npos;
      if (sign) continue;  // another number is no slip that could be seen
      if (in_string || std::string_view("(){}[],.=>+-*/^<").find(text[i]) == std::string_view::npos) continue;
      auto slip = text;
      slip[i] = ' ';
      ++slips;
      try {
        Pack::parse(slip, "slip.rule");
      } catch (const Error& error) {
        INFO(name << ", byte " << i << "\n" << error.what());
        CHECK(std::count_if(error.diagnostics().begin(), error.diagnostics().end(),
                            [](auto& d) { return d.severity == Severity::error; }) == 1);
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

TEST_CASE("long chains of conditions are checked in no time") {
  std::string chain = "rule r { map = ", inside = "rule s { map = ", ends;
  for (int i = 0; i < 120; ++i) chain += "if y > 0 then R else ";
  for (int i = 0; i < 60; ++i) inside += "if y > 0 then ", ends += " else 0";
  CHECK(Pack::parse(chain + "0 }\n" + inside + "R" + ends + " }").warnings().empty());
}

TEST_CASE("arrays that would fill the memory when they are spread end in a message") {
  std::string column, row;
  for (int i = 0; i < 3000; ++i) column += "[1],", row += "1,";
  CHECK_THROWS_WITH(Pack::parse("fn both(a: input, b: input) = a + b\nrule r(a: input) { input = a * x }\n"
                                "composite c { any => r(both([" +
                                column + "], [[" + row + "]])) }"),
                    Catch::Contains("A0004") && Catch::Contains("[3000, 1] and [1, 3000]"));
}

TEST_CASE("arithmetic on arrays that would take hours ends in a message") {
  std::string text = "fn f0(z) = z", numbers;
  for (int i = 1; i <= 13; ++i)
    text +=
        "\nfn f" + std::to_string(i) + "(z) = f" + std::to_string(i - 1) + "(z) + f" + std::to_string(i - 1) + "(z)";
  for (int i = 0; i < 20000; ++i) numbers += "1,";
  CHECK_THROWS_WITH(
      Pack::parse(text + "\nrule r(a: input) { require f13(a) > 0 input = a * x }\ncomposite c { any => r([" + numbers +
                  "]) }"),
      Catch::Contains("A0004"));
}

TEST_CASE("tensors from a host meet requirements like those from a file") {
  auto pack = Pack::parse(
      "rule box(low: input, high: input) { require low < high, \"low has to be below high\"\n"
      "  input = max(min(x, high), low) }\n"
      "composite symmetric(bound: input) { any => box(-bound, bound) }");
  CHECK(Inside::bound(pack.composite("symmetric", {{"bound", Numbers{{3}, {1, 2, 3}}}})).entries.size() == 1);
  CHECK_THROWS_WITH(
      pack.composite("symmetric", {{"bound", Numbers{{3}, {1, -1, 3}}}}),
      Catch::Contains("`box(low = [-1, 1, -3], high = [1, -1, 3])` is refused: low has to be below high"));
  CHECK_THROWS_WITH(pack.rule("box", {{"low", Numbers{{2}, {1, 2}}}, {"high", Numbers{{3}, {3, 3, 3}}}}),
                    Catch::Contains("tensors of shape [2] and [3] do not fit") && Catch::Contains("text:1:45"));
}

TEST_CASE("what an entry selects reaches those who match layers: kinds and names, modules by path and by class") {
  using language::LayerSelector;
  using Selects = LayerSelector::Selects;
  auto pack = Pack::parse(
      "composite inner { first 2 class \"SMELU\", relu \"a.*\" => pass }\n"
      "composite outer { module \"encoder.*.act\" => zplus; \"b\" => inner; any => epsilon }");
  auto bound = Inside::bound(pack.composite("outer"));
  REQUIRE(bound.entries.size() == 3);
  auto shown = [](const LayerSelector& selector) {
    auto word = selector.selects == Selects::layers   ? "layers"
                : selector.selects == Selects::module ? "module"
                                                      : "class";
    return std::string(word) + " " + selector.kind + " " + selector.glob.value_or("-");
  };
  auto& module = bound.entries[0].conditions;
  REQUIRE(module.size() == 1);
  REQUIRE(module[0].layers.size() == 1);
  CHECK(shown(module[0].layers[0]) == "module  encoder.*.act");
  auto& nested = bound.entries[1].conditions;
  REQUIRE(nested.size() == 2);
  CHECK(shown(nested[0].layers.at(0)) == "layers  b");
  REQUIRE(nested[1].layers.size() == 2);
  CHECK(nested[1].count == language::Entry::Count::first);
  CHECK(nested[1].number == 2);
  CHECK(shown(nested[1].layers[0]) == "class  SMELU");
  CHECK(shown(nested[1].layers[1]) == "layers relu a.*");
  CHECK(shown(bound.entries[2].conditions.at(0).layers.at(0)) == "layers any -");
}

TEST_CASE("layers have their parameters by their kinds, modules by paths inside") {
  auto parameters = [](std::string_view kind) {
    auto* found = language::find_kind(kind);
    return found ? std::vector<std::string_view>(found->parameters.begin(), found->parameters.end())
                 : std::vector<std::string_view>{"no such kind"};
  };
  using List = std::vector<std::string_view>;
  for (auto kind : {"add", "sum", "mean", "scale", "interpolate", "avg_pool2d", "adaptive_avg_pool1d"})
    CHECK(parameters(kind) == List{"coefficient"});
  for (auto kind : {"matmul", "product", "quotient", "statistic", "operator", "max_pool2d"})
    CHECK(parameters(kind) == List{});
  CHECK(parameters("rms_norm") == List{"weight"});
  for (auto& kind : language::kinds()) CHECK(language::covers("any", kind));
  for (auto name : {"weight", "bias", "coefficient"}) CHECK(language::is_parameter_name(name));
  for (auto name : {"weight", "bias", "coefficient", "0.weight", "a.b.c", "g", "scale", "running_mean"})
    CHECK_FALSE(language::refused_parameter_name(name));
  for (auto name : {"", ".", "wieght", ".weight", "weight.", "a..b", "Weight", "bais"})
    CHECK(language::refused_parameter_name(name));
}

TEST_CASE("help for modules and for what they are given can be pasted") {
  auto help = [](const std::string& text) {
    try {
      auto warnings = Pack::parse(text).warnings();
      return warnings.empty() ? std::string("no message") : warnings.front().help;
    } catch (const Error& error) {
      return error.diagnostics().front().help;
    }
  };
  CHECK(help("composite c { module => pass }") == "write `module \"encoder.*.act\"`, with the module's path");
  CHECK(help("composite c { class => pass }") == "write `class \"SMELU\"`, with the name of the module's class");
  CHECK(help("composite c { modul \"a\" => pass }") == "did you mean `module`?");
  CHECK(help("composite c { Class \"a\" => pass }") == "did you mean `class`?");
  CHECK(help("composite c { module \"a.*\" => base(1) }") ==
        "name a rule, or leave `module` out for the layers inside: `\"a.*\" => base`");
  CHECK(help("rule r { param \"coeficient\" = 0 }") == "did you mean `coefficient`?");
  CHECK(help("rule r { param \".gamma\" = 0 }") ==
        "layers have \"weight\", \"bias\" and \"coefficient\", modules their own and what they have inside: "
        "\"0.weight\"");
  CHECK(help("composite c { mul => pass }") == "write `product`, or `scale` where one factor is constant");
  CHECK(help("composite c { topk => pass }") == "write `operator`, which is for all that has no kind of its own");
  CHECK(help("composite c { RMSNorm => pass }") == "did you mean `rms_norm`?");
  CHECK(help("rule r { param \"weight\" = 0 }\ncomposite c { add => r }") ==
        "they have \"coefficient\": write `param \"coefficient\" = …` in the rule");
  CHECK(help("rule r { param \"weight\" = 0 }\ncomposite c { product => r }") ==
        "they have no parameters, so the rule does what `epsilon` does: write that");
}
