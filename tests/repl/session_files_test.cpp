// What a session has from files: rules and packs, saved definitions, locks.
#include "tests/catch.hpp"
#include "tests/folder.hpp"
#include "tests/repl/entered.hpp"

using namespace ascribe;
using Catch::Contains;
using Catch::StartsWith;
using test::Entering;
using test::Folder;
using test::mistake;

TEST_CASE("rule files are loaded, reloaded and saved") {
  Folder folder;
  auto path = folder.file("mine.rule", "rule mine { backward = 2 * R }\n").string();
  Entering enter;
  enter("layer = relu; x = [[1, 2]]");
  CHECK(enter(":load " + path).text == path + ": 1 rule\n");
  CHECK_THAT(enter("relevance(mine, target = \"all\")").text, Contains("[[2, 4]]"));

  folder.file("mine.rule", "rule mine { backward = 3 * R }\n");
  CHECK(!enter(":reload").failed);
  CHECK_THAT(enter("relevance(mine, target = \"all\")").text, Contains("[[3, 6]]"));

  folder.file("mine.rule", "rule mine { backward = 4 * Q }\n");
  CHECK_THAT(mistake(enter(":reload")), Contains("mine.rule:1:28 unknown name `Q`"));
  CHECK_THAT(enter("relevance(mine, target = \"all\")").text, Contains("[[3, 6]]"));  // as before

  enter("rule mine { backward = 5 * R }");  // in front of the file's
  CHECK_THAT(enter("relevance(mine, target = \"all\")").text, Contains("[[ 5, 10]]"));
  enter("## Doubled.\nfn doubled(z)=2*z");
  auto saved = (folder / "saved.rule").string();
  CHECK(enter(":save " + saved).text == saved + ": 2 definitions\n");
  CHECK(test::bytes_of(saved) == "rule mine { backward = 5 * R }\n\n## Doubled.\nfn doubled(z) = 2 * z\n");
  CHECK(!enter(":save " + saved).failed);  // its own file

  CHECK_THAT(mistake(enter(":save " + path)), Contains("is there already"));
  CHECK(test::bytes_of(path) == "rule mine { backward = 4 * Q }\n");
  CHECK_THAT(mistake(enter(":save mine.txt")), Contains("end in `.rule`"));
}

TEST_CASE("a saved session is one that can be loaded") {
  Folder folder;
  Entering first;
  first("fn part(z) = 0.5 * z\nrule mine(share = 2) { backward = share * part(R) }\ncomposite all { any => mine(4) }");
  auto path = (folder / "session.rule").string();
  REQUIRE(!first(":save " + path).failed);
  Entering second;
  second("layer = relu; x = [[1, 2]]");
  REQUIRE(!second(":load " + path).failed);
  CHECK_THAT(second("relevance(all, target = \"all\")").text, Contains("[[2, 4]]"));
}

TEST_CASE("files that need each other are loaded together") {
  Folder folder;
  auto composite = folder.file("composite.rule", "composite all { any => mine }\n").string();
  auto rule = folder.file("rule.rule", "rule mine { backward = 2 * R }\nfn half(z) = 0.5 * z\n").string();
  Entering enter;
  CHECK(mistake(enter(":load " + composite)) == "A0202 " + composite + ":1:24 unknown rule or composite `mine`");
  CHECK(enter(":load " + composite + " " + rule).text ==
        composite + ": 1 composite\n" + rule + ": 1 rule, 1 function\n");
  CHECK(enter(":reload").text == "2 paths: 1 rule, 1 composite, 1 function\n");
  std::filesystem::create_directory(folder / "acme");
  auto pack =
      folder.file("acme/pack.rule", "pack acme { version = \"1.0.0\"; language = 1 }\nrule acme { }\n").string();
  CHECK(enter(":load " + pack).text == pack + ": 1 rule\n");
}

TEST_CASE("packs are imported over the search path, and read anew") {
  Folder folder;
  auto pack = [&](const std::string& place, const std::string& name, const std::string& content) {
    std::filesystem::create_directories((folder / place).string());
    folder.file(place + "/pack.rule", "pack " + name + " { version = \"1.0.0\"; language = 1 }\n" + content);
  };
  pack("acme", "acme", "## Twice as much.\nrule twice { backward = 2 * R }\n");
  Entering enter({.loading = {.path = {folder.path}}});
  enter("layer = relu; x = [[1, 2]]");
  CHECK(enter("import \"acme\" as acme").text == "acme: 1 rule from acme\n");
  CHECK_THAT(enter("relevance(acme.twice, target = \"all\")").text, Contains("[[2, 4]]"));
  CHECK(enter(":help acme.twice").text == "rule twice\n\nTwice as much.\n");
  enter("rule mine = acme.twice");
  CHECK_THAT(enter("relevance(mine, target = \"all\")").text, Contains("[[2, 4]]"));

  pack("acme", "acme", "rule twice { backward = 4 * R }\n");
  CHECK_THAT(enter("relevance(mine, target = \"all\")").text, Contains("[[2, 4]]"));
  CHECK(enter(":reload").text == "acme: 1 rule\n");
  CHECK_THAT(enter("relevance(mine, target = \"all\")").text, Contains("[[4, 8]]"));
  pack("acme", "acme", "rule twice { backward = Q }\n");
  CHECK_THAT(mistake(enter(":reload")), StartsWith("A0201") && Contains("unknown name `Q`"));
  CHECK_THAT(enter("relevance(mine, target = \"all\")").text, Contains("[[4, 8]]"));
  pack("acme", "acme", "");
  CHECK_THAT(mistake(enter(":reload")), StartsWith("A0202"));  // `mine` needs it

  pack("acme", "acme", "rule twice { backward = 4 * R }\n");
  pack("other/nested", "acme", "");
  CHECK_THAT(mistake(enter("import \"other/nested\" as nested")), Contains("two packs are called `acme`"));
  CHECK_THAT(mistake(enter(":load " + (folder / "other/nested").string())), Contains("two packs are called `acme`"));
  CHECK(!enter(":load " + (folder / "acme").string()).failed);
  Entering after({.loading = {.path = {folder.path}}});
  CHECK(!after(":load " + (folder / "other/nested").string()).failed);
  CHECK_THAT(mistake(after("import \"acme\" as acme")), Contains("two packs are called `acme`"));
  CHECK_THAT(mistake(enter("import \"" + (folder / "acme").string() + "\" as absolute")),
             StartsWith("A0801") && Contains("an import's path begins at its file or on the search path, not at `/`"));
}

TEST_CASE("packs are verified, and needed to be where the session wants locks") {
  Folder folder;
  auto path = folder.file("mine.rule", "rule mine { backward = R }\n").string();
  Entering enter({.loading = {.path = {folder.path}, .require_lock = true}});
  CHECK_THAT(mistake(enter(":load " + path)), Contains("no lock covers"));
  CHECK_THAT(mistake(enter("import \"mine.rule\" as mine")), Contains("no lock covers"));
  CHECK(!enter("rule mine { backward = R }").failed);
}

TEST_CASE("an unknown rule in a definition is one that a file may bring") {
  Entering enter;
  auto answer = enter("composite all { any => acme_rule }");
  REQUIRE(answer.messages.size() == 1);
  CHECK_THAT(answer.messages.front().help, Contains(":load"));
}

TEST_CASE("the user's home may be written in short") {
  Folder folder;
  auto before = std::getenv("HOME") ? std::string(std::getenv("HOME")) : "";
  setenv("HOME", folder.path.c_str(), 1);
  folder.file("mine.rule", "rule mine { backward = R }\n");
  Entering enter;
  CHECK(!enter(":load ~/mine.rule").failed);
  CHECK_THAT(mistake(enter("x = load(\"~/x.npy\")")), Contains((folder / "x.npy").string()));
  setenv("HOME", before.c_str(), 1);
}
