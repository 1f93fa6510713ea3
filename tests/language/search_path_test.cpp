// Imports by name, and which places imports do not reach.
#include "tests/catch.hpp"
#include "tests/folder.hpp"
#include "tests/language/loading.hpp"

namespace {

using namespace ascribe;
using Catch::Contains;
using test::pack_rule;
using Texts = std::map<std::string, std::string>;

// What loading says, with a search path.
std::string loading(const Texts& texts, const std::string& path, const std::vector<std::filesystem::path>& searched) {
  test::Memory files(texts);
  auto options = test::from(files);
  options.path = searched;
  return test::messages({path}, options);
}

std::string imports(const std::string& what, const char* rule = "acme.soft") {
  return "import \"" + what + "\" as acme\nrule mine = " + rule + "\n";
}

// A pack with a rule of this name.
void add_pack(Texts& texts, const std::string& folder, const std::string& name, const std::string& rule) {
  texts[folder + "/pack.rule"] = pack_rule(name) + "rule " + rule + " { map = R }\n";
}

}  // namespace

TEST_CASE("an import by name is looked for beside the file, then in each folder of the search path") {
  Texts texts{{"work/main.rule", imports("acme")}};
  add_pack(texts, "second/acme", "acme", "soft");
  CHECK(loading(texts, "work/main.rule", {"none", "first", "second"}) == "");
  add_pack(texts, "first/acme", "acme", "another");
  CHECK_THAT(loading(texts, "work/main.rule", {"none", "first", "second"}), Contains("A0202"));
  CHECK(loading(texts, "work/main.rule", {"second", "first"}) == "");
  add_pack(texts, "work/acme", "acme", "another");
  CHECK_THAT(loading(texts, "work/main.rule", {"second"}), Contains("A0202"));
}

TEST_CASE("single files are found on the search path, too, and packs in folders of it") {
  Texts texts{{"main.rule", imports("tools.rule") + "import \"group/more/\" as more\nrule another = more.soft"},
              {"lib/tools.rule", "rule soft { map = R }"}};
  add_pack(texts, "lib/group/more", "more", "soft");
  CHECK(loading(texts, "main.rule", {"lib"}) == "");
}

TEST_CASE("the search path serves the imports of imported packs") {
  Texts texts{{"main.rule", imports("acme")},
              {"lib/acme/pack.rule", pack_rule("acme")},
              {"lib/acme/soft.rule", "import \"base\" as base\nrule soft = base.plain"}};
  add_pack(texts, "lib/base", "base", "plain");
  CHECK(loading(texts, "main.rule", {"lib"}) == "");
}

TEST_CASE("imports that begin with a dot are looked for from their file only") {
  Texts texts;
  add_pack(texts, "lib/acme", "acme", "soft");
  for (auto* written : {"./acme", "../acme", "work/../../acme"}) {
    texts["work/main.rule"] = imports(written);
    CHECK_THAT(loading(texts, "work/main.rule", {"lib", "lib/x"}),
               Contains("A0801 cannot import '") && Contains("no such file or folder"));
  }
}

TEST_CASE("an import that is not found says where it was looked for") {
  Texts texts{{"work/main.rule", imports("acme")}, {"lib/acme.rule", ""}};
  test::Memory files(texts);
  auto options = test::from(files);
  options.path = {"lib", "none"};
  CHECK_THROWS_WITH(test::load({"work/main.rule"}, options),
                    Contains("note: looked for in 'work', 'lib', 'none' (no such folder)\n") &&
                        Contains("help: did you mean `\"acme.rule\"`?"));
  options.path.clear();
  CHECK_THROWS_WITH(test::load({"work/main.rule"}, options),
                    Contains("note: looked for in 'work'\n") && Contains("`--path DIR`"));
}

TEST_CASE("the first thing of an import's name counts, whatever it is") {
  Texts texts{{"work/main.rule", imports("acme")}, {"work/acme/notes.txt", ""}};
  add_pack(texts, "lib/acme", "acme", "soft");
  CHECK(loading(texts, "work/main.rule", {"lib"}) ==
        "work/main.rule:1:8 A0801 cannot import 'acme': it is a folder without a pack.rule\n");
}

TEST_CASE("on the search path a pack's folder has its name; from a file it may have any") {
  Texts texts{{"main.rule", imports("acme")}};
  add_pack(texts, "lib/acme", "other", "soft");
  CHECK(loading(texts, "main.rule", {"lib"}) == "main.rule:1:8 A0801 'lib/acme' is the pack `other`, not `acme`\n");
  texts["main.rule"] = imports("lib/acme");
  CHECK(loading(texts, "main.rule", {}) == "");
}

TEST_CASE("two packs cannot have one name, wherever they come from") {
  Texts texts{{"main.rule", "import \"a/acme\" as a; import \"b/acme\" as b\nrule r = a.soft; rule s = b.soft\n"}};
  add_pack(texts, "a/acme", "acme", "soft");
  add_pack(texts, "b/acme", "acme", "soft");
  CHECK(loading(texts, "main.rule", {}) == "b/acme/pack.rule:1:6 A0806 two packs are called `acme`\n");
  test::Memory files(texts);
  CHECK_THROWS_WITH(test::load({"main.rule"}, test::from(files)),
                    Contains("b/acme/pack.rule:1:6") && Contains("a/acme/pack.rule:1:6") &&
                        Contains("main.rule:1:30") && Contains("the other one"));
  CHECK(test::messages(files, {"a/acme", "b/acme"}) == "b/acme/pack.rule:1:6 A0806 two packs are called `acme`\n");
  CHECK(test::messages(files, {"a/acme", "a/../a/acme"}) == "");
}

TEST_CASE("imports do not reach into packs, but their nested packs that are no secret") {
  Texts texts;
  add_pack(texts, "acme", "acme", "soft");
  texts["acme/more.rule"] = "import \"_private/deep\" as deep\nrule more = deep.soft";
  add_pack(texts, "acme/vendored", "vendored", "soft");
  add_pack(texts, "acme/_private/deep", "deep", "soft");
  auto refused = [](const std::string& what, const std::string& why) {
    return "main.rule:1:8 A0810 cannot import '" + what + "': it " + why + " the pack 'acme'\n";
  };
  auto importing = [&](const std::string& what) {
    texts["main.rule"] = imports(what);
    return loading(texts, "main.rule", {});
  };
  CHECK(loading(texts, "acme", {}) == "");
  CHECK(importing("acme") == "");
  CHECK(importing("acme/vendored") == "");
  CHECK(importing("acme/more.rule") == refused("acme/more.rule", "is inside"));
  CHECK(importing("acme/_private/deep") == refused("acme/_private/deep", "stays inside"));
  CHECK(importing("acme/_private/deep/pack.rule") == refused("acme/_private/deep/pack.rule", "stays inside"));
  texts["other/pack.rule"] = pack_rule("other") + imports("_private/deep", "acme.soft");
  CHECK_THAT(loading(texts, "other", {"acme"}), Contains("A0810 cannot import '_private/deep': it stays inside"));
}

TEST_CASE("a pack's files lead out of it by the search path only") {
  Texts texts;
  add_pack(texts, "acme", "acme", "soft");
  add_pack(texts, "base", "base", "plain");
  texts["base.rule"] = "rule plain { map = R }\n";
  auto importing = [&](const std::string& what, const char* file = "acme/deep/more.rule") {
    texts[file] = "import \"" + what + "\" as it\nrule more = it.plain\n";
    auto out = loading(texts, "acme", {"."});
    texts.erase(file);
    return out;
  };
  auto refused = [](const std::string& what, const std::string& file = "acme/deep/more.rule") {
    return file + ":1:8 A0810 cannot import '" + what + "': it leads out of the pack 'acme'\n";
  };
  CHECK(importing("../../base") == refused("../../base"));
  CHECK(importing("../../base.rule") == refused("../../base.rule"));
  CHECK(importing("inner/../../../base/pack.rule") == refused("inner/../../../base/pack.rule"));
  CHECK(importing("base") == "");
  CHECK(importing("base.rule") == "");
  CHECK_THAT(importing("/base"), Contains("A0801"));
  // What is hidden is none of the pack's: no lock covers it, and imports do not bring it back.
  texts["acme/.hidden/plain.rule"] = "rule plain { map = R }\n";
  CHECK(importing(".hidden/plain.rule", "acme/more.rule") ==
        "acme/more.rule:1:8 A0810 cannot import '.hidden/plain.rule': it is hidden in the pack 'acme'\n");
  // So it is for a file of the pack that is read alone.
  texts["acme/more.rule"] = "import \"../base.rule\" as it\nrule more = it.plain\n";
  CHECK(loading(texts, "acme/more.rule", {}) == refused("../base.rule", "acme/more.rule"));
}
