// What is offered where.
#include "tests/assist/placed.hpp"

using namespace test;

TEST_CASE("at the top, words that begin a definition are offered") {
  auto found = offered("|");
  for (auto* each : {"rule", "composite", "fn", "test", "import"}) CHECK(contains(found, each));
  CHECK_FALSE(contains(found, "input"));
  CHECK_FALSE(contains(found, "pack"));
}

TEST_CASE("in a rule, clauses are offered; in a term, its own only") {
  auto found = offered("rule a {\n  |\n}\n");
  for (auto* each : {"input", "param", "map", "reduce", "let", "term", "require"}) CHECK(contains(found, each));
  auto of_term = offered("rule a { term t { | } }");
  CHECK(contains(of_term, "map"));
  CHECK_FALSE(contains(of_term, "reduce"));
  CHECK_FALSE(contains(offered("rule a { reduce = x * v; | }"), "reduce"));
}

TEST_CASE("an expression is offered what its clause sees") {
  auto map = offered("rule a(k = 1) { let q = y; map = | }");
  for (auto* each : {"R", "y", "k", "q", "layer.y", "stabilize", "std", "clipped", "if"}) CHECK(contains(map, each));
  CHECK_FALSE(contains(map, "w"));
  CHECK_FALSE(contains(map, "has"));
  CHECK_FALSE(contains(map, "relevance"));
  auto param = offered("rule a { param = | }");
  CHECK(contains(param, "w"));
  CHECK_FALSE(contains(param, "R"));
  CHECK(contains(offered("rule a { require | }"), "has"));
}

TEST_CASE("terms have the members that a clause sees") {
  CHECK(offered("rule a { map = R / t.|; term t { input = x } }") == std::vector<std::string>{"x", "y"});
  CHECK(offered("rule a { reduce = t.|; term t { input = x } }") == std::vector<std::string>{"v", "x", "y"});
  CHECK(offered("rule a { map = layer.| }") == std::vector<std::string>{"x", "y"});
}

TEST_CASE("behind an arrow, rules, composites and what the engine does are offered") {
  auto found = offered("rule mine {}\ncomposite c { linear => | }");
  for (auto* each : {"mine", "epsilon", "epsilon_plus", "merge", "refuse", "std"}) CHECK(contains(found, each));
  CHECK_FALSE(contains(found, "stabilize"));
  CHECK_FALSE(contains(offered("rule a = |"), "merge"));
  CHECK(contains(offered("composite c { linear => std.| }"), "gamma"));
}

TEST_CASE("in front of an arrow, kinds are offered") {
  auto found = offered("composite c { |  }");
  for (auto* each : {"first", "last", "linear", "convolution", "any", "module"}) CHECK(contains(found, each));
  CHECK_FALSE(contains(offered("composite c { first 3 | => epsilon }"), "last"));
  CHECK(contains(offered("composite c { linear, | => epsilon }"), "conv2d"));
}

TEST_CASE("arguments that are not given are offered first, with their declarations") {
  Placed at("rule mine(low: input, high = 1) { input = max(low, x) * high }\ncomposite c { any => mine(0, |) }");
  auto found = complete(*at.project, at.page, at.offset);
  REQUIRE_FALSE(found.offers.empty());
  CHECK(found.offers.front().text == "high = ");
  CHECK(found.offers.front().detail == "high = 1");
  CHECK_FALSE(contains(texts(found), "low = "));
  CHECK(contains(offered("test \"t\" { model = conv2d(| }"), "kernel = "));
}

TEST_CASE("tests are offered their fields, layers and functions") {
  auto found = offered("test \"t\" { model = relu; | }");
  CHECK(contains(found, "expect"));
  CHECK(contains(found, "x"));
  CHECK_FALSE(contains(found, "model"));
  CHECK(contains(offered("test \"t\" { model = [relu, |] }"), "conv2d"));
  CHECK(contains(offered("test \"t\" { expect | }"), "relevance"));
  CHECK(contains(offered("test \"t\" { expect relevance(|) }"), "epsilon"));
  CHECK(contains(offered("test \"t\" { expect relevance(epsilon) fails | }"), "A0601"));
}

TEST_CASE("types, parameter names and labels are offered where they stand") {
  CHECK(contains(offered("rule a(e: |)"), "stabilizer"));
  CHECK(offered("rule a { param \"|\" = 0 }") == std::vector<std::string>{"weight", "bias", "coefficient"});
  CHECK(contains(offered("## |\nrule a {}"), "Formula: "));
  CHECK(offered("rule a { input = x } # |").empty());
  CHECK(contains(offered("rule a { map = if R > 0 |"), "then"));
  CHECK(contains(offered("import \"x\" |"), "as"));
  CHECK(offered("rule |").empty());
  CHECK(offered("rule a { map = 12| }").empty());
}

TEST_CASE("a broken definition above hides nothing") {
  auto found = offered("rule broken { map = ( }\nrule sound(k = 1) { map = | }");
  CHECK(contains(found, "k"));
  CHECK(contains(found, "R"));
}

TEST_CASE("files and packs beside, and on the search path, are offered to imports") {
  Folder folder;
  std::filesystem::create_directories(folder / "acme");
  std::filesystem::create_directories(folder / "lib/other");
  folder.file("acme/pack.rule", "pack acme { version = \"1.0.0\"; language = 2 }\nrule soft = epsilon(0.1)\n");
  folder.file("lib/other/pack.rule", "pack other { version = \"1.0.0\"; language = 2 }\n");
  folder.file("near.rule", "rule near = epsilon(0.2)\n");
  auto file = folder.file("mine.rule", "import \"\" as a\nimport \"acme\" as acme\ncomposite c { any => acme. }\n");
  LoadOptions options;
  options.path = {folder / "lib"};
  auto project = load_project(file, options);
  REQUIRE(project->own.size() == 1);
  auto& page = project->own.front();
  auto found = texts(complete(*project, page, 8, &options));
  for (auto* each : {"./acme", "./near.rule", "other"}) CHECK(contains(found, each));
  CHECK_FALSE(contains(found, "./mine.rule"));
  CHECK(texts(complete(*project, page, page->source->text().find("acme. }") + 5, &options)) ==
        std::vector<std::string>{"soft"});
  auto targets = complete(*project, page, page->source->text().find("acme. }"), &options);
  auto other =
      std::find_if(targets.offers.begin(), targets.offers.end(), [](auto& each) { return each.text == "other"; });
  REQUIRE(other != targets.offers.end());
  CHECK(other->others.at(0).text == "import \"other\" as other\n");
}
