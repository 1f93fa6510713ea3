// Help as edits: each makes its message go, and no other come.
#include <map>

#include "ascribe/pack.hpp"
#include "grammar/explanation.hpp"
#include "grammar/fixes.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"

namespace {

using namespace ascribe;

std::vector<Diagnostic> found_in(const std::string& text) {
  try {
    return Pack::parse(text, "text.rule").warnings();
  } catch (const Error& error) {
    return error.diagnostics();
  }
}

// How many messages there are of each code, errors alone or all, on the line of one of them where `line` is not 0.
std::map<std::string, int> counted(const std::vector<Diagnostic>& diagnostics, bool warnings, std::size_t line) {
  std::map<std::string, int> out;
  for (auto& each : diagnostics) {
    if (each.severity == Severity::warning && !warnings) continue;
    if (line != 0 && each.primary.source->position(each.primary.span.begin).line != line) continue;
    ++out[code_name(each.code)];
  }
  return out;
}

// Tries each fix of each message by itself; gives how many there were. What was unknown hid what there is to warn of,
// where the fix is not sure. `by_line`: the lines of the text are programs that have little to do with each other.
int try_fixes(const std::string& text, bool by_line) {
  int tried = 0;
  auto before = found_in(text);
  for (auto& each : before)
    for (auto& fix : each.fixes) {
      ++tried;
      REQUIRE_FALSE(fix.edits.empty());
      auto mended = edited(each.primary.source->text(), fix.edits);
      auto after = found_in(mended);
      auto line = by_line ? each.primary.source->position(each.primary.span.begin).line : 0;
      std::string said;
      for (auto& other : after)
        if (line == 0 || other.primary.source->position(other.primary.span.begin).line == line)
          said += render_text(std::vector{other});
      INFO(render_text(std::vector{each}) << fix.title << "\n" << said << (by_line ? "" : mended));
      bool warnings = fix.sure || each.severity == Severity::warning;
      auto wanted = counted(before, warnings, line), now = counted(after, warnings, line);
      // What could not be read was not checked.
      bool of_grammar = static_cast<int>(each.code) / 100 == 1;
      if (of_grammar) std::erase_if(now, [](auto& count) { return !count.first.starts_with("A01"); });
      CHECK(now[code_name(each.code)] < wanted[code_name(each.code)]);
      --wanted[code_name(each.code)];
      for (auto& [code, count] : now) CHECK(count <= wanted[code]);
    }
  return tried;
}

std::string fixed(const std::string& text) {
  auto found = found_in(text);
  if (found.empty() || found.front().fixes.empty()) return "no fix";
  auto& fix = found.front().fixes.front();
  return edited(found.front().primary.source->text(), fix.edits) + (fix.sure ? "" : " ?");
}

}  // namespace

TEST_CASE("help says as edits what it says in words") {
  CHECK(fixed("rule a { map = R / stabilise(y) }") == "rule a { map = R / stabilize(y) } ?");
  CHECK(fixed("composite c { linear => epsilon(zero_params = \"bias\") }") ==
        "composite c { linear => epsilon(zero_params = [\"bias\"]) }");
  CHECK(fixed("rule a { input = x ** 2 }") == "rule a { input = x ^ 2 }");
  CHECK(fixed("composite c { linear -> epsilon }") == "composite c { linear => epsilon }");
  CHECK(fixed("rule a { map = R / y }") == "rule a { map = R / stabilize(y) } ?");
  CHECK(fixed("rule a { param 'bias' = 0 }") == "rule a { param \"bias\" = 0 }");
  CHECK(fixed("composite c { linear => zbox }") ==
        "composite c { linear => zbox(low = [-2.1, -2.0, -1.8], high = [-2.1, -2.0, -1.8]) } ?");
  CHECK(fixed("rule b(low) { input = x * low }\ncomposite c { linear => b() }").find("b(low = 0.25)") !=
        std::string::npos);
  CHECK(fixed("rule a { map = R * x }") == "no fix");
  CHECK(fixed("composite c { features.0 => epsilon }") == "composite c { \"features.0\" => epsilon }");
  CHECK(fixed("composite c { linear => epsilon 1e-6 }") == "composite c { linear => epsilon(1e-6) } ?");
  CHECK(fixed("composite c { * => epsilon }") == "composite c { any => epsilon }");
  CHECK(fixed("rule a { map = R / stabilize(median(y)) }") == "rule a { map = R / stabilize(quantile(y, 0.5)) } ?");
  CHECK(fixed("rule a { map = 2 * pow(y + 1, 2) * R }") == "rule a { map = 2 * ((y + 1) ^ 2) * R } ?");
  CHECK(fixed("rule a { map = R / stabilize(mean(abs(y), dim = 0)) }") ==
        "rule a { map = R / stabilize(mean(abs(y))) } ?");
  CHECK(fixed("rule a { map = if y ~= 0 then R else 0 }") == "rule a { map = if y != 0 then R else 0 }");
  CHECK(fixed("rule a { input = x if x > 0 else 0 }") == "rule a { input = if x > 0 then x else 0 } ?");
  CHECK(fixed("rule a(k = 1, l = 2) { map = R * l }") == "rule a(l = 2) { map = R * l } ?");
  CHECK(fixed("rule a { term p { input = abs(x) } map = R / p }") ==
        "rule a { term p { input = abs(x) } map = R / p.y } ?");
  CHECK(fixed("rule a { input = max(0, x }") == "rule a { input = max(0, x) } ?");
}

TEST_CASE("each fix of each explained mistake makes the message go, and no other come") {
  int tried = 0;
  for (auto& page : explanations())
    if (page.failing.kind == Example::Kind::rule) tried += try_fixes(page.failing.text, false);
  CHECK(tried >= 8);
}

TEST_CASE("so does each of the mistakes that are collected") {
  int tried = 0;
  for (auto& file : std::filesystem::directory_iterator(ASCRIBE_TEST_DATA "/mistakes")) {
    auto text = test::bytes_of(file.path());
    // Programs, apart from each other; definitions where the file is one.
    for (std::size_t begin = 0; begin < text.size();) {
      auto end = std::min(text.find("#! program", begin + 1), text.size());
      auto part = text.substr(begin, end - begin);
      begin = end;
      if (file.path().filename() == "imports.rule") continue;
      tried += try_fixes(part, true);
    }
  }
  CHECK(tried >= 200);
}

TEST_CASE("what is sure is done together") {
  auto found = found_in("rule a { input = x ** 2 }\nrule b { param 'bias' = 0 }\nrule c { map = R / stabilise(y) }\n");
  REQUIRE(found.front().primary.source);
  auto& source = *found.front().primary.source;
  CHECK(edited(source.text(), sure_edits(found, source)) ==
        "rule a { input = x ^ 2 }\nrule b { param \"bias\" = 0 }\nrule c { map = R / stabilise(y) }\n");
}
