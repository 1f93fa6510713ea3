// What Tab offers, and what is remembered from session to session.
#include "interpreter/command/repl/completion.hpp"

#include <sys/stat.h>

#include "interpreter/command/repl/history.hpp"
#include "interpreter/language/builtins.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"
#include "tests/repl/entered.hpp"

using namespace ascribe;
using Catch::VectorContains;
using test::Entering;
using test::Folder;
using test::texts;

namespace {

using Words = std::vector<std::string>;

Words words(const Entering& entering, const std::string& line, const std::string& before = "") {
  return texts(repl::complete(entering.session.state(), before, line, line.size()));
}

}  // namespace

TEST_CASE("commands are completed from their table") {
  Entering enter;
  CHECK(words(enter, ":re") == Words{":reload", ":reset "});
  CHECK(words(enter, ":").size() == repl::commands().size());
  CHECK(words(enter, ":help zpl") == Words{"zplus", "zplus_fast"});
  CHECK(words(enter, ":help val") == Words{"values"});
  CHECK(words(enter, ":nothing x").empty());
}

TEST_CASE("a rule's clauses and a composite's entries have words of their own") {
  Entering enter;
  CHECK(words(enter, "rule r { map = R / inp") == Words{"inputs"});
  CHECK(words(enter, "rule r { backward = R * oth") == Words{"other"});
  CHECK(words(enter, "oth", "rule r {\n  reduce = x * v * ") == Words{"other"});
  CHECK(words(enter, "composite c { rms") == Words{"rms_norm"});
  CHECK_THAT(words(enter, "composite c { softmax => st"), VectorContains(std::string("stop")));
  CHECK(words(enter, "oth").empty());
}

TEST_CASE("names of everything that can be used are completed") {
  Entering enter;
  enter("photograph = [[1, 2]]; rule my_own { backward = R }");
  CHECK(words(enter, "phot") == Words{"photograph"});
  CHECK(words(enter, "relevance(my_o") == Words{"my_own"});
  CHECK(words(enter, "relevance(min") == Words{});
  CHECK(words(enter, "max(x, mi") == Words{"min("});
  CHECK(words(enter, "expl") == Words{"explain("});
  CHECK(words(enter, "conv2") == Words{"conv2d("});
  CHECK(words(enter, "epsilon_p") == Words{"epsilon_plus", "epsilon_plus_flat"});
  CHECK(words(enter, "std.zplus_") == Words{"zplus_fast"});
  CHECK(words(enter, ":type phot") == Words{"photograph"});
  CHECK(words(enter, ":rules phot").empty());
  CHECK(words(enter, ":reset my") == Words{"my_own"});
  CHECK(words(enter, "").empty());
  auto found = repl::complete(enter.session.state(), "", "2 * phot + 1", 8);
  CHECK(found.begin == 4);
  CHECK(texts(found) == Words{"photograph"});
}

TEST_CASE("names of arguments are completed where an argument begins") {
  Entering enter;
  enter("rule mine(amount = 2) { backward = amount * R }");
  CHECK(words(enter, "relevance(mine(amo") == Words{"amount = "});
  CHECK(words(enter, "explain(zplus, tar") == Words{"target = "});
  CHECK(words(enter, "conv2d(3, 8, ker") == Words{"kernel = "});
  CHECK_THAT(words(enter, "epsilon("), VectorContains(std::string("zero_params = ")));
  CHECK(words(enter, "explain(zplus,", "") ==
        Words{"against = ", "clip = ", "colour_map = ", "of_output = ", "position = ", "target = ", "x = "});
  CHECK(words(enter, "  tar", "explain(zplus,\n") == Words{"target = "});
}

TEST_CASE("files are completed inside of strings and behind commands that take them") {
  Folder folder;
  folder.file("cat.png", "");
  folder.file("cats.rule", "");
  std::filesystem::create_directory(folder / "catalogue");
  Entering enter;
  auto path = folder.path.string();
  CHECK(words(enter, "image(\"" + path + "/cat") ==
        Words{path + "/cat.png\"", path + "/catalogue/", path + "/cats.rule\""});
  CHECK(words(enter, ":load " + path + "/cat") == Words{path + "/catalogue/", path + "/cats.rule"});
  CHECK(words(enter, "import \"" + path + "/cats") == Words{path + "/cats.rule\""});
  CHECK(words(enter, "load(\"/nowhere/at/all").empty());
  auto found = repl::complete(enter.session.state(), "", "load(\"" + path + "/cat", 6 + path.size() + 4);
  CHECK(found.common() == path + "/cat");
}

TEST_CASE("the history is a private file, and goes on in the next session") {
  Folder folder;
  auto path = folder / "state/ascribe/history";
  {
    repl::History history(path);
    CHECK(history.add("x = 1"));
    CHECK(!history.add("x = 1"));  // again
    CHECK(!history.add("   "));
    CHECK(!history.add("\xff\xfe"));
    CHECK(!history.add(std::string(20'000, 'a')));
    CHECK(history.add("y"));
  }
  struct stat about {};
  REQUIRE(::stat(path.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  REQUIRE(::stat((folder / "state").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0700);
  CHECK(repl::History(path).entries() == Words{"x = 1", "y"});
}

TEST_CASE("an input of several lines is one in the history") {
  Folder folder;
  auto path = folder / "history";
  Words entries{"rule a {\n  backward = R\n}", "x = 1", "\"ends with a backslash\\"};
  {
    repl::History history(path);
    for (auto& each : entries) CHECK(history.add(each + "\n"));
    CHECK(!history.add("\n\n"));
  }
  entries.back() += ' ';  // which would go on otherwise
  CHECK(repl::History(path).entries() == entries);
}

TEST_CASE("the history stays short, and is never a failure") {
  Folder folder;
  std::string text;
  for (int i = 0; i < 3'000; ++i) text += "line " + std::to_string(i) + "\n";
  auto path = folder.file("history", text + "\xff binary \x01\n");
  repl::History history(path);
  CHECK(history.entries().size() == repl::History::most_entries);
  CHECK(history.entries().back() == "line 2999");
  CHECK(std::filesystem::file_size(path) < 20'000);

  for (auto& nowhere : {std::filesystem::path(), folder.path, std::filesystem::path("/proc/nothing/here/history"),
                        std::filesystem::path("/dev/full")}) {
    repl::History lost(nowhere);
    CHECK(lost.add("x"));
    CHECK(lost.entries() == Words{"x"});
  }
}

TEST_CASE("what is offered is what an editor offers, with its signature") {
  Entering enter;
  enter("net = relu; rule mine(amount: stabilizer = 2) { map = R / stabilize(y, amount) }; fn half(z) = z / 2");
  auto detail = [&](const std::string& line, const std::string& word) {
    for (auto& each : repl::complete(enter.session.state(), "", line, line.size()).words)
      if (each.text == word) return each.detail;
    return std::string("not offered");
  };
  CHECK(detail("quant", "quantile(") == std::string(language::find_builtin("quantile")->signature));
  CHECK(detail("relevance(mi", "mine") == "rule mine(amount: stabilizer = 2)");
  CHECK(detail("explain(mine(", "amount = ") == "amount: stabilizer = 2");
  CHECK(detail("conv2", "conv2d(").starts_with("conv2d("));
  CHECK(detail("compare(zplus, ne", "net") == "a model of 1 layer");
  CHECK(detail("2 * hal", "half(") == "fn half(z)");
  CHECK(words(enter, "  map = R / stabilize(positive.", "rule r {\n  term positive { input = max(x, 0) }\n") ==
        Words{"x", "y"});
  CHECK(words(enter, "  bac", "rule r {\n") == Words{"backward "});
  CHECK(words(enter, "rule r(a: stab") == Words{"stabilizer"});
  CHECK_THAT(words(enter, "layer = [linear(3, 2), sigm"), VectorContains(std::string("sigmoid")));
  CHECK(words(enter, "relevance(zplus, target = ne") == Words{"net"});
  CHECK(words(enter, "a = 1; b = quant") == Words{"quantile("});
  CHECK(words(enter, "comp") == Words{"compare(", "composite "});
  CHECK(words(enter, ":layers eps").size() > 1);
  CHECK(words(enter, ":layers epsilon --") == Words{"--tree"});
  CHECK(words(enter, "quant\nquant") == Words{"quantile("});  // of several lines, the last
  CHECK(words(enter, "a = 1\nrule r {\n  bac") == Words{"backward "});
  auto found = repl::complete(enter.session.state(), "", "1\nquant", 7);
  CHECK(found.begin == 2);
}

TEST_CASE("help is what an editor shows") {
  Entering enter;
  enter("## Mine.\nrule mine(amount = 2) { backward = amount * R }");
  for (auto& [topic, text] : std::initializer_list<std::pair<std::string, std::string>>{
           {"zplus", "of the standard pack"},
           {"quantile", std::string(language::find_builtin("quantile")->documentation)},
           {"convolution", "a kind of layers"},
           {"w", "each parameter of the layer"},
           {"merge", "batch norm"},
           {"stabilizer", "a number ε"},
           {"layer.x", "whatever the clauses make of it"},
           {"std.epsilon", "rule epsilon("}}) {
    INFO(topic);
    auto answer = enter(":help " + topic);
    CHECK(!answer.failed);
    CHECK_THAT(answer.text, Catch::Contains(text));
    CHECK_THAT(answer.text, !Catch::Contains("```") && !Catch::Contains("**"));
  }
}
