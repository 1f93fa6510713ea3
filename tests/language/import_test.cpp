// Packs and imports: which files belong together, what importers reach, and what happens to folders that are wrong.
#include <sys/stat.h>

#include <functional>
#include <map>

#include "ascribe/pack.hpp"
#include "grammar/limits.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/binding.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"
#include "tests/language/loading.hpp"

namespace {

using namespace ascribe;
using Catch::Contains;
using test::from;
using test::load;
using test::Memory;
using test::messages;
using test::pack_rule;
namespace fs = std::filesystem;

const std::string acme = test::pack_rule("acme");

// What is wrong with a pack.rule.
std::string mistakes(const std::string& text) {
  return messages(Memory(std::map<std::string, std::string>{{"acme/pack.rule", text}}), {"acme"});
}

const fs::path data = ASCRIBE_TEST_DATA;

}  // namespace

TEST_CASE("a pack is its folder: its files share one scope, nested packs are no part of it") {
  auto pack = Pack::load(data / "packs/acme");
  CHECK(pack.name() == "acme");
  CHECK(pack.version() == "1.2.0");
  CHECK(Inside::bound(pack.composite("my_vgg")).entries.size() == 3);
  CHECK(pack.rule("some_rule").description() == "some_rule(epsilon = 1e-06)");
  CHECK(pack.rule("epsilon").description() == "epsilon(epsilon = 1e-06)");
  CHECK(pack.call("my_vgg(0.5)").description() == "my_vgg(epsilon = 0.5)");
  CHECK(Pack::load(data / "packs/acme/pack.rule").name() == "acme");
  CHECK(Pack::load(data / "packs/single.rule").name().empty());
}

TEST_CASE("names that begin with _ cannot be asked of a pack, but of a file that is loaded itself") {
  auto pack = Pack::load(data / "packs/acme");
  for (auto& ask :
       std::vector<std::function<void()>>{[&] { pack.rule("_plain"); }, [&] { pack.composite("_plain"); },
                                          [&] { pack.call("_plain"); }, [&] { pack.call("some_rule(_shared(1))"); }})
    CHECK_THROWS_WITH(ask(), Contains("A0805") && Contains("stays inside its pack"));
  test::Folder folder;
  CHECK_NOTHROW(Pack::load(folder.file("own.rule", "rule _plain { map = R }")).rule("_plain"));
}

TEST_CASE("a call on the command line reaches the loaded names, and no imports of the files") {
  auto pack = Pack::load(data / "valid/imports.rule");
  CHECK(pack.call("of_a_composite").description() == "of_a_composite");
  CHECK_THROWS_WITH(pack.call("single.halves"), Contains("unknown pack `single`"));
  CHECK_THROWS_WITH(pack.call("mine.of_a_rule"), Contains("unknown pack `mine`") && Contains("write `of_a_rule`"));
  CHECK_THROWS_WITH(pack.call("halves"), Contains("unknown rule or composite `halves`"));
}

TEST_CASE("the tests of what is loaded come with it, those of what it imports do not") {
  auto test = [](const std::string& name) {
    return "test \"" + name + "\" { model = relu; x = [[1]]; expect y == x }\n";
  };
  Memory reader({{"acme/pack.rule", acme + test("of the pack")},
                 {"acme/more.rule", "fn f(z) = z\n" + test("of its other file")},
                 {"mine.rule", "import \"acme\" as acme\nfn g(z) = acme.f(z)\n" + test("of the file")}});
  auto names = [&](const std::vector<fs::path>& paths) {
    std::vector<std::string> out;
    auto loaded = load(paths, from(reader));
    for (auto& each : loaded.definitions->tests) out.push_back(each->name);
    return out;
  };
  CHECK(names({"mine.rule"}) == std::vector<std::string>{"of the file"});
  CHECK(names({"acme"}) == std::vector<std::string>{"of the pack", "of its other file"});
  CHECK(names({"acme", "mine.rule"}).size() == 3);
}

TEST_CASE("packs and files that are loaded together join their public names") {
  Memory disk({{"acme/pack.rule", acme + "rule one { map = R } rule _own { map = R }"},
               {"other/pack.rule", "pack other { version = \"0.0.1\"; language = 1 } rule two { map = R }"},
               {"mine.rule", "composite mine { linear => one; any => two }"},
               {"private.rule", "composite mine { linear => _own }"},
               {"twice.rule", "rule one { map = R }"},
               {"clash/pack.rule", "pack clash { version = \"0.0.1\"; language = 1 } rule one { map = R }"}});
  CHECK(messages(disk, {"acme", "mine.rule", "other", "mine.rule", "acme"}) == "");
  auto loaded = load({"acme", "mine.rule", "other"}, from(disk));
  CHECK(loaded.definitions->targets.size() == 3);
  CHECK(loaded.pack.name.empty());
  CHECK(messages(disk, {"acme", "private.rule"}) == "private.rule:1:28 A0805 `_own` stays inside its pack\n");
  CHECK(messages(disk, {"acme", "twice.rule"}) == "twice.rule:1:6 A0205 `one` is defined twice\n");
  CHECK(messages(disk, {"acme", "clash"}) == "clash/pack.rule:1:48 A0205 two of the packs define `one`\n");
}

TEST_CASE("what two files import is read once, whatever the paths to it look like") {
  Memory disk(
      {{"main.rule", "import \"a.rule\" as a; import \"sub/b.rule\" as b; composite c { linear => a.r; any => b.r }"},
       {"a.rule", "import \"sub/../base.rule\" as base; rule r = base.r"},
       {"sub/b.rule", "import \"../base.rule\" as base; rule r = base.r"},
       {"base.rule", "rule r { map = R / y }"}});
  auto loaded = load({"main.rule"}, from(disk));
  CHECK(disk.reads == 4);
  CHECK(loaded.definitions->targets.size() == 1);
}

TEST_CASE("mistakes of what is imported are told once, in its own file, and importers say nothing about them") {
  Memory disk(
      {{"main.rule", "import \"a.rule\" as a; import \"b.rule\" as b; composite c { linear => a.r; any => b.r }"},
       {"a.rule", "import \"base.rule\" as base; rule r = base.unsound; rule s = base.missing"},
       {"b.rule", "import \"base.rule\" as base; rule r = base.unread"},
       {"base.rule", "rule unsound { map = R / yy }\nrule unread { map = R / }\n"}});
  CHECK(messages(disk, {"main.rule"}) ==
        "base.rule:1:26 A0201 unknown name `yy`\nbase.rule:2:25 A0101 expected an expression, found `}`\n");
}

TEST_CASE("imports that lead in a circle give one message that shows it") {
  Memory disk({{"a.rule", "import \"b.rule\" as b; rule r = b.r"},
               {"b.rule", "import \"sub\" as sub; rule r = sub.r"},
               {"sub/pack.rule", acme},
               {"sub/rules.rule", "import \"a.rule\" as a; rule r = a.r"},
               {"self/pack.rule", acme + "import \"../self\" as self; rule r = self.s; rule s { map = R }"},
               {"one.rule", "import \"one.rule\" as one; rule r = one.r"}});
  auto searching = from(disk);
  searching.path = {"."};
  CHECK(
      messages({"a.rule"}, searching) ==
      "sub/rules.rule:1:8 A0802 imports lead in a circle: 'a.rule' imports 'b.rule' imports 'sub' imports 'a.rule'\n");
  CHECK(messages(disk, {"self"}) == "self/pack.rule:2:8 A0802 the pack imports itself\n");
  CHECK(messages(disk, {"one.rule"}) == "one.rule:1:8 A0802 the file imports itself\n");
  CHECK_THROWS_WITH(load({"a.rule"}, searching), Contains("b.rule:1:8"));
  // Given together, the files are one scope; what they import is a scope of its own.
  CHECK_THAT(messages(disk, {"a.rule", "one.rule"}), Contains("A0205 `r` is defined twice"));
}

TEST_CASE("the files of a pack do not import each other") {
  Memory disk({{"acme/pack.rule", acme},
               {"acme/a.rule", "import \"b.rule\" as b; rule r = b.s"},
               {"acme/b.rule", "rule s { map = R }"},
               {"main.rule", "import \"acme/b.rule\" as b; rule r = b.s"}});
  CHECK(messages(disk, {"acme"}) == "acme/a.rule:1:8 A0801 cannot import 'b.rule': it belongs to this pack\n");
  CHECK(messages(disk, {"main.rule"}) ==
        "main.rule:1:8 A0810 cannot import 'acme/b.rule': it is inside the pack 'acme'\n");
}

TEST_CASE("an alias belongs to its file") {
  Memory disk({{"acme/pack.rule", acme},
               {"acme/a.rule", "import \"one\" as it; rule a = it.r"},
               {"acme/b.rule", "import \"two\" as it; rule b = it.s"},
               {"acme/c.rule", "rule c = it.r"},
               {"acme/one/pack.rule", pack_rule("one") + "rule r { map = R }"},
               {"acme/two/pack.rule", pack_rule("two") + "rule s { map = R }"}});
  CHECK(messages(disk, {"acme"}) == "acme/c.rule:1:10 A0202 unknown pack `it`\n");
}

TEST_CASE("pack.rule says which pack it is, which version, which language") {
  CHECK(mistakes(acme) == "");
  CHECK(mistakes("") == "acme/pack.rule:1:1 A0803 pack.rule does not say which pack it is\n");
  CHECK(mistakes(acme + acme) == "acme/pack.rule:2:1 A0803 a second `pack`\n");
  CHECK(mistakes("pack a { }") ==
        "acme/pack.rule:1:6 A0803 the pack `a` needs `language`\nacme/pack.rule:1:6 A0803 the pack `a` needs "
        "`version`\n");
  CHECK(mistakes("pack a { version = 1.2; language = \"1\" }") ==
        "acme/pack.rule:1:20 A0803 `version` takes three numbers in a string\n"
        "acme/pack.rule:1:36 A0803 `language` takes a whole number from 1 on\n");
  for (auto* version :
       {"", "1", "1.2", "1.2.", "1.2.x", "1.2.3.4", "a.b.c", " 1.2.3", "1.2.3 ", "1..3", "1.2.1234567890"})
    CHECK_THAT(mistakes("pack a { version = \"" + std::string(version) + "\"; language = 1 }"), Contains("A0803"));
  for (auto* language : {"1.0", "1e0", "-1", "0", "[1]", "one", "1 + 0"})
    CHECK_THAT(mistakes("pack a { version = \"1.0.0\"; language = " + std::string(language) + " }"), Contains("A0803"));
  CHECK(mistakes("pack a { version = \"1.0.0\"; language = 1; langauge = 2; version = \"2.0.0\" }") ==
        "acme/pack.rule:1:43 A0803 a pack has no `langauge`\nacme/pack.rule:1:57 A0803 `version` is given twice\n");
  const Memory misspelt({{"a/pack.rule", "pack a { verison = \"1.0.0\" }"}, {"a/b.rule", ""}});
  CHECK_THROWS_WITH(load({"a"}, from(misspelt)), Contains("did you mean `version`?"));
  CHECK_THAT(mistakes("pack std { version = \"1.0.0\"; language = 1 }"), Contains("A0206"));
  CHECK_THAT(mistakes("pack rule { version = \"1.0.0\"; language = 1 }"), Contains("A0106"));
  CHECK(mistakes("pack a { version = \"1.0.0\" language = }") ==
        "acme/pack.rule:1:39 A0101 expected an expression, found `}`\n");
}

TEST_CASE("a pack says who wrote it, its licence and what it is for") {
  auto head = [](const std::string& more) { return "pack acme { version = \"1.0.0\"; language = 2; " + more + " }\n"; };
  test::Folder folder;
  folder.file("pack.rule",
              head("author = \"Ada <ada@example.org>\"; licence = \"MIT OR Apache-2.0\"; description = \"Soft\""));
  auto pack = Pack::load(folder.path);
  CHECK(pack.author() == "Ada <ada@example.org>");
  CHECK(pack.licence() == "MIT OR Apache-2.0");
  CHECK(pack.description() == "Soft");
  CHECK(Pack::standard().licence().empty());
  for (auto* licence : {"MIT", "GPL-3.0-or-later WITH GCC-exception-3.1", "(MIT OR GPL-2.0+) AND LicenseRef-ours"})
    CHECK(mistakes(head("licence = \"" + std::string(licence) + "\"")) == "");
  for (auto* licence : {"", "GPL 3", "MIT OR", "(MIT", "MIT, really", "OR MIT", "()"})
    CHECK_THAT(mistakes(head("licence = \"" + std::string(licence) + "\"")),
               Contains("A0803 `licence` takes an SPDX expression in a string"));
  CHECK_THAT(mistakes(head("author = 3")), Contains("A0803 `author` takes a text in a string"));
  CHECK_THAT(mistakes(head("description = \" \"")), Contains("A0803 `description` takes a text in a string"));
  CHECK_THAT(mistakes(head("author = [\"Ada\"]")), Contains("A0803 `author` takes a text in a string"));
  Memory american(std::map<std::string, std::string>{{"a/pack.rule", head("license = \"MIT\"")}});
  CHECK_THROWS_WITH(load({"a"}, from(american)), Contains("did you mean `licence`?"));
}

TEST_CASE("a pack in a newer language says so, and nothing else") {
  Memory disk({{"acme/pack.rule", "pack acme { version = \"1.0.0\"; language = 3 }\nrule new { whatever }"},
               {"acme/a.rule", "neither this"},
               {"main.rule", "import \"acme\" as acme; composite c { any => acme.shiny }"}});
  auto message = "acme/pack.rule:1:43 A0804 the pack `acme` needs language 3, this is language 2\n";
  CHECK(messages(disk, {"acme"}) == message);
  CHECK(messages(disk, {"main.rule"}) == message);
}

TEST_CASE("a text imports nothing and is no pack") {
  CHECK_THROWS_WITH(Pack::parse("import \"a.rule\" as a\nrule r = a.r"), Contains("A0801") && !Contains("A0202"));
  CHECK_THROWS_WITH(Pack::parse(acme), Contains("A0803"));
}

TEST_CASE("too many files, too deep imports and files that vanish end in one message") {
  std::map<std::string, std::string> many{{"acme/pack.rule", acme}}, deep;
  for (std::size_t i = 0; i < 2'000; ++i) many["acme/r" + std::to_string(i) + ".rule"] = "";
  CHECK(messages(Memory(many), {"acme"}) == "A0004 more than 1000 files are loaded together\n");
  many["main.rule"] = "import \"acme\" as acme; rule r = acme.r";
  CHECK(messages(Memory(many), {"main.rule"}) == "main.rule:1:8 A0004 more than 1000 files are loaded together\n");
  for (std::size_t i = 0; i < 10'000; ++i) many["acme/notes" + std::to_string(i)] = "";
  CHECK(messages(Memory(many), {"acme"}) ==
        "A0004 the folders of packs hold more than 10000 files and folders, those of 'acme' among them\n");
  auto name = [](std::size_t i) { return "r" + std::to_string(i) + ".rule"; };
  for (std::size_t i = 0; i < 500; ++i) deep[name(i)] = "import \"" + name(i + 1) + "\" as a; rule r = a.r";
  CHECK(messages(Memory(deep), {"r0.rule"}) == "r64.rule:1:8 A0005 imports lead to imports more than 64 deep\n");
  CHECK(messages(Memory(deep), {"r436.rule"}) ==
        "r499.rule:1:8 A0801 cannot import 'r500.rule': no such file or folder\n");
  Memory gone({{"acme/pack.rule", acme}, {"acme/a.rule", ""}, {"m.rule", "import \"acme\" as acme; rule r = acme.r"}});
  gone.vanishing = "acme/a.rule";
  CHECK(messages(gone, {"acme"}) == "A0001 cannot read 'acme/a.rule': it is gone\n");
  CHECK(messages(gone, {"m.rule"}) == "m.rule:1:8 A0801 cannot read 'acme/a.rule': it is gone\n");
}

TEST_CASE("definitions that lead to each other through imports are as deep as those of one file") {
  std::map<std::string, std::string> files{{"r0.rule", "fn f0(z) = z"}};
  for (int i = 1; i < 6; ++i) {
    auto text = "import \"r" + std::to_string(i - 1) + ".rule\" as below\nfn f" + std::to_string(30 * i - 29) +
                "(z) = below.f" + std::to_string(30 * i - 30) + "(z)\n";
    for (int k = 30 * i - 28; k <= 30 * i; ++k)
      text += "fn f" + std::to_string(k) + "(z) = f" + std::to_string(k - 1) + "(z)\n";
    files["r" + std::to_string(i) + ".rule"] = text;
  }
  CHECK(messages(Memory(files), {"r4.rule"}) == "");
  CHECK(messages(Memory(files), {"r5.rule"}) ==
        "r5.rule:9:14 A0005 definitions lead to definitions more than 128 deep\n");
}

TEST_CASE("hidden files, other files and nested packs are no part of a pack") {
  test::Folder folder;
  fs::create_directories(folder / "acme/deep/.hidden");
  folder.file("acme/pack.rule", acme);
  folder.file("acme/.hidden.rule", "no rule");
  folder.file("acme/deep/.hidden/a.rule", "no rule");
  folder.file("acme/notes.txt", "no rule");
  fs::create_symlink("notes.txt", folder / "acme/.linked");
  CHECK(Pack::load(folder / "acme").name() == "acme");
}

TEST_CASE("links, devices, folders called like files and odd names in a pack are refused with one message") {
  test::Folder folder;
  fs::create_directories(folder / "acme/deep");
  folder.file("acme/pack.rule", acme);
  folder.file("acme/soft.rule", "rule soft { map = R }");
  auto loaded = [&] { return test::failure(folder, [&] { Pack::load(folder / "acme"); }); };
  auto with = [&](const std::string& name, const std::function<void(const fs::path&)>& make) {
    make(folder / name);
    auto out = loaded();
    fs::remove(folder / name);
    return out;
  };
  auto link_to = [](const char* target) { return [=](const fs::path& path) { fs::create_symlink(target, path); }; };
  CHECK(with("acme/again.rule", link_to("soft.rule")) ==
        "A0810 'acme/again.rule' is a link: what a pack holds lies in its folder");
  CHECK(with("acme/deep/up", link_to("..")) == "A0810 'acme/deep/up' is a link: what a pack holds lies in its folder");
  CHECK(with("acme/nothing", link_to("none")) ==
        "A0810 'acme/nothing' is a link: what a pack holds lies in its folder");
  CHECK(with("acme/endless.rule", link_to("/dev/zero")) ==
        "A0810 'acme/endless.rule' is a link: what a pack holds lies in its folder");
  CHECK(with("acme/pipe.rule", [](auto& path) { REQUIRE(::mkfifo(path.c_str(), 0600) == 0); }) ==
        "A0803 'acme/pipe.rule' cannot be read: it is no regular file");
  CHECK(with("acme/folder.rule", [](auto& path) { fs::create_directory(path); }) ==
        "A0803 'acme/folder.rule' cannot be read: it is no regular file");
  CHECK(with("acme/deep/odd\nname\x01\xff.rule", [](auto& path) { std::ofstream{path}; }) ==
        "A0803 'acme/deep/odd?name??.rule' has a name that a pack's file cannot have");
  CHECK(with("acme/back\\slash.rule", [](auto& path) { std::ofstream{path}; }) ==
        "A0803 'acme/back\\slash.rule' has a name that a pack's file cannot have");
  CHECK(with("acme/SOFT.rule", [](auto& path) {
          std::ofstream{path};
        }).starts_with("A0803 'SOFT.rule' and 'soft.rule' of the pack '"));
  CHECK(with("acme/c1\xc2\x9bname.rule", [](auto& path) { std::ofstream{path}; }) ==
        "A0803 'acme/c1?name.rule' has a name that a pack's file cannot have");
  // What is called pack.rule makes a nested pack of its folder only where it is a file: nothing is left out unsaid.
  CHECK(with("acme/deep/pack.rule", link_to("../soft.rule")) ==
        "A0810 'acme/deep/pack.rule' is a link: what a pack holds lies in its folder");
  CHECK(with("acme/deep/pack.rule", [](auto& path) { fs::create_directory(path); }) ==
        "A0803 'acme/deep/pack.rule' cannot be read: it is no regular file");
  CHECK(loaded() == "no error");
  fs::rename(folder / "acme/pack.rule", folder / "real.rule");
  CHECK(with("acme/pack.rule", link_to("../real.rule")).ends_with("it is a folder whose pack.rule is a link"));
  CHECK(with("acme/pack.rule", [](auto& path) {
          fs::create_directory(path);
        }).ends_with("it is a folder whose pack.rule is a folder"));
  CHECK(loaded().ends_with("it is a folder without a pack.rule"));
}

TEST_CASE("the path of a pack may be a link, and have some on its way") {
  test::Folder folder;
  fs::create_directories(folder / "real/acme");
  folder.file("real/acme/pack.rule", acme + "rule soft { map = R }");
  fs::create_directory_symlink("real", folder / "way");
  fs::create_directory_symlink("real/acme", folder / "latest");
  CHECK(Pack::load(folder / "way/acme").name() == "acme");
  CHECK(Pack::load(folder / "latest").name() == "acme");
  CHECK(Pack::load(folder / "latest/pack.rule").name() == "acme");
  auto main =
      folder.file("main.rule", "import \"latest\" as a; import \"way/acme\" as b\nrule r = a.soft; rule s = b.soft");
  CHECK_NOTHROW(Pack::load(main));  // one pack, by whatever way
}

TEST_CASE("what an import names may be anything") {
  test::Folder folder;
  fs::create_directories(folder / "acme/deep");
  folder.file("acme/pack.rule", acme);
  auto imports = [&](const std::string& path) {
    auto file = folder.file("main.rule", "import \"" + path + "\" as it\nrule r = it.r");
    return test::failure(folder, [&] { Pack::load(file); });
  };
  constexpr auto nothing = "': it is neither a file nor a folder that can be looked into";
  REQUIRE(::mkfifo((folder / "pipe.rule").c_str(), 0600) == 0);
  CHECK(imports("pipe.rule") == std::string("A0801 cannot import 'pipe.rule") + nothing);
  fs::create_symlink("/dev/zero", folder / "endless.rule");
  CHECK(imports("endless.rule") == std::string("A0801 cannot import 'endless.rule") + nothing);
  fs::create_symlink("loop.rule", folder / "loop.rule");
  CHECK(imports("loop.rule") == std::string("A0801 cannot import 'loop.rule") + nothing);
  CHECK(imports("no\\\nsuch.rule") == "A0801 cannot import 'no?such.rule': no such file or folder");
  CHECK(imports(std::string(5000, 'a')) == "A0801 the path has more than 4096 bytes");
  CHECK_THAT(imports(std::string(1000, 'a')), Contains("A0801 cannot import '…a"));
  CHECK(imports("/etc/acme") == "A0801 an import's path begins at its file or on the search path, not at `/`");
  CHECK(imports("acme/deep") == "A0801 cannot import 'acme/deep': it is a folder without a pack.rule");
  folder.file("acme/notes.txt", "");
  CHECK(imports("acme/notes.txt") == "A0801 cannot import 'acme/notes.txt': it is no .rule file");
  CHECK_THROWS_WITH(Pack::load(folder.path), Contains("A0001") && Contains("it is a folder without a pack.rule"));
}
