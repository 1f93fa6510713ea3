// Hover, definitions, signatures, structure.
#include "tests/assist/placed.hpp"

using namespace test;

TEST_CASE("hovering tells signatures, doc comments, spaces and values") {
  auto rule = hovered(
      "## Half of it.\n## Formula: R / 2\n## Source: Here.\nrule half(k = 0.5) { map = k * R }\ncomposite c { any => "
      "ha|lf }");
  CHECK(rule.find("rule half(k = 0.5)") != std::string::npos);
  CHECK(rule.find("Half of it.") != std::string::npos);
  CHECK(rule.find("**Formula:**") != std::string::npos);
  CHECK(rule.find("R / 2") != std::string::npos);
  CHECK(hovered("composite c { any => epsil|on }").find("of the standard pack") != std::string::npos);
  CHECK(hovered("rule a { let s|hare = R / stabilize(y); map = share }").find("a value at the output") !=
        std::string::npos);
  CHECK(hovered("rule a { map = R |* 2 / stabilize(y) }").find("a value at the output") != std::string::npos);
  CHECK(hovered("rule a { map = R * (2 |+ 3) }").find("5") != std::string::npos);
  CHECK(hovered("rule a { map = |R }").find("relevance") != std::string::npos);
  CHECK(hovered("rule a { map = stab|ilize(R) }").find("stabilize(z, e = 1e-6)") != std::string::npos);
  CHECK(hovered("composite c { convo|lution => epsilon }").find("conv_transpose2d") != std::string::npos);
  CHECK(hovered("rule a(e: stabil|izer) { map = stabilize(R, e) }").find("ε") != std::string::npos);
  CHECK(hovered("test \"t\" { model = con|v2d(1, 1) }").find("kernel") != std::string::npos);
  CHECK(hovered("test \"t\" { expect relevance(epsilon) fails A0|601 }").find("A0601") != std::string::npos);
  CHECK(hovered("rule a {|}").empty());
}

TEST_CASE("names lead to their definitions") {
  CHECK(defined("rule a {}\ncomposite c { any => a| }") == "1:6 a");
  CHECK(defined("composite c { any => epsilo|n }").starts_with("std/"));
  CHECK(defined("rule a(k = 1) { map = |k * R }") == "1:8 k");
  CHECK(defined("rule a { let q = y; map = R / stabilize(q|) }") == "1:14 q");
  CHECK(defined("rule a { map = R / stabilize(po|s.y); term pos { input = x } }") == "1:43 pos");
  CHECK(defined("rule a(low = 1) { map = low * R }\ncomposite c { any => a(lo|w = 2) }") == "1:8 low");
  CHECK(defined("fn f(z) = z\nrule a { map = f|(R) }") == "1:4 f");
  CHECK(defined("fn f(z) = z\nrule a(e: stabilizer = |f) { map = stabilize(R, e) }") == "1:4 f");
  CHECK(defined("rule a { map = |R }") == "of the language");
  CHECK(defined("rule a { map = u|nknown }") == "nothing");
  CHECK(defined("rule epsilon(epsilon = 1) = std.gamma(e|psilon)") == "1:14 epsilon");
}

TEST_CASE("all uses of a name are found, and no other's") {
  Placed at("rule a(k| = 1) { map = k * R }\nrule b(k = 2) { map = k * R }\ncomposite c(k = 3) { any => a(k = k) }");
  auto found = references(*at.project, *symbol_at(*at.project, at.page, at.offset));
  CHECK(found.size() == 3);
}

TEST_CASE("a call that is being written shows its parameters") {
  Placed at("rule a(low: input = 0, high = 1) { input = x * low * high }\ncomposite c { any => a(0, |");
  auto found = signature_help(*at.project, at.page, at.offset);
  REQUIRE(found);
  CHECK(found->label == "rule a(low: input = 0, high = 1)");
  REQUIRE(found->parameters.size() == 2);
  CHECK(found->label.substr(found->parameters[1].begin, found->parameters[1].end - found->parameters[1].begin) ==
        "high = 1");
  CHECK(found->active == 1);
  Placed named("rule a(low: input = 0, high = 1) { input = x * low * high }\ncomposite c { any => a(high = |) }");
  CHECK(signature_help(*named.project, named.page, named.offset)->active == 1);
  Placed many("rule a { map = max(R, 1, | }");
  CHECK(signature_help(*many.project, many.page, many.offset)->active == 2);
  Placed outside("rule a { map = | }");
  CHECK_FALSE(signature_help(*outside.project, outside.page, outside.offset));
}

TEST_CASE("symbols, folds and what encloses a place") {
  Placed at(
      "## Words.\n## More.\nrule a {\n  let q = 2 * |y\n  map = R / stabilize(q)\n}\ntest \"one\" { model = relu }\n");
  auto listed = listed_symbols(*at.page);
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].name == "a");
  CHECK(listed[0].detail == "Words.");
  REQUIRE(listed[0].inner.size() == 2);
  CHECK(listed[0].inner[0].name == "q");
  CHECK(listed[1].name == "one");
  CHECK(folds(*at.page).size() == 2);
  auto around = enclosing(*at.page, at.offset);
  std::vector<std::string> shown;
  for (auto& each : around) shown.emplace_back(at.page->text(each));
  CHECK(shown[0] == "y");
  CHECK(shown[1] == "2 * y");
  CHECK(shown[2] == "let q = 2 * y");
  CHECK(shown.back() == at.page->source->text());
}

TEST_CASE("lets show their spaces, and arguments by position their names") {
  Placed at(
      "|rule a(p = 1, q = 2) { let m = mean(R); let s = R * p * q; map = s * m }\ncomposite c { any => a(3, q = 4) }");
  std::vector<std::string> found;
  for (auto& each : hints(*at.project, at.page, {0, at.page->source->text().size()})) found.push_back(each.text);
  CHECK(found == std::vector<std::string>{": sample", ": output", "p ="});
}

TEST_CASE("every name has a colour by what it is") {
  Placed at("|## Doc.\nrule a(k: scalar = 1) { map = k * abs(R) } # c\n");
  std::string found;
  for (auto& each : colours(*at.project, at.page)) found += std::to_string(static_cast<int>(each.sort)) + " ";
  CHECK(found == "4 0 6 8 5 11 5 2 0 5 8 5 7 9 3 ");
}
