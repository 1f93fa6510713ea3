// `ascribe pack`, and the options that say how rules are loaded.
#include "tests/catch.hpp"

#include "tests/command/ascribe_command.hpp"

namespace {

using namespace test;
using Catch::Contains;
namespace fs = std::filesystem;

// A pack, one that it imports over the search path, and a file that uses both.
void write_packs(const Folder& folder) {
  fs::create_directories(folder / "acme/deep folder");
  fs::create_directories(folder / "acme/nested");
  fs::create_directories(folder / "lib/base");
  folder.file("acme/pack.rule",
              "pack acme { version = \"1.2.0\"; language = 1 }\nimport \"base\" as base\nrule plain = base.plain\n");
  folder.file("acme/deep folder/soft.rule",
              "import \"../nested\" as inner\nrule soft = inner.soft\ncomposite all { any => soft }\nfn half(z) = z / "
              "2\nrule _own = soft\n"
              "test \"soft\" { model = relu; x = [[1]]; expect relevance(soft) == x within 1e-2 }\n");
  folder.file("acme/nested/pack.rule",
              "pack nested { version = \"0.1.0\"; language = 1 }\nrule soft = epsilon(1e-3)\n");
  folder.file("acme/README.md", "no rule");
  folder.file("lib/base/pack.rule", "pack base { version = \"2.0.0\"; language = 1 }\nrule plain = epsilon\n");
  folder.file("mine.rule", "import \"acme\" as acme\nrule mine = acme.soft\n");
}

}  // namespace

TEST_CASE("pack lock writes what sha256sum checks, and nothing else") {
  Folder folder;
  write_packs(folder);
  auto outcome = run_shell(folder, "ascribe pack lock acme");
  CHECK(outcome.code == 0);
  CHECK(outcome.out == "acme/pack.lock: 2 files\n");
  CHECK(outcome.err == "");
  auto lock = bytes_of(folder / "acme/pack.lock");
  CHECK(lock.size() == 2 * 66 + std::string("deep folder/soft.rule\npack.rule\n").size());
  CHECK_THAT(lock, Contains("  deep folder/soft.rule\n") && Contains("  pack.rule\n"));
  CHECK_FALSE(fs::exists(folder / "acme/nested/pack.lock"));
  CHECK(
      run_shell(folder, "command -v sha256sum >/dev/null || exit 0; cd acme && sha256sum --strict -c pack.lock").code ==
      0);
  auto theirs = run_shell(folder,
                          "command -v sha256sum >/dev/null || exec cat acme/pack.lock; cd acme && LC_ALL=C "
                          "sha256sum 'deep folder/soft.rule' pack.rule");
  CHECK(theirs.out == lock);
  CHECK(run_shell(folder, "ascribe pack lock acme/pack.rule acme/nested && ascribe pack verify acme acme/nested").out ==
        "acme/pack.lock: 2 files\nacme/nested/pack.lock: 1 file\nacme: 2 files, all as locked\n"
        "acme/nested: 1 file, all as locked\n");
  CHECK(bytes_of(folder / "acme/pack.lock") == lock);
}

TEST_CASE("pack verify lists every difference") {
  Folder folder;
  write_packs(folder);
  auto none = run_shell(folder, "ascribe pack verify acme");
  CHECK(none.code == 1);
  CHECK(none.out == "");
  CHECK_THAT(none.err, Contains("error[A0809]: the pack 'acme' has no lock\n") && Contains("`ascribe pack lock acme`"));
  folder.file("acme/gone.rule", "");
  run_shell(folder, "ascribe pack lock acme");
  fs::remove(folder / "acme/gone.rule");
  folder.file("acme/more.rule", "");
  folder.file("acme/README.md", "anything else");
  folder.file("acme/pack.rule", bytes_of(folder / "acme/pack.rule") + "# more\n");
  auto outcome = run_shell(folder, "ascribe pack verify acme");
  CHECK(outcome.code == 1);
  CHECK(outcome.err == "");
  CHECK(
      outcome.out ==
      "missing  acme/gone.rule\nadded    acme/more.rule\nchanged  acme/pack.rule\nacme: 3 differences from its lock\n");
  auto checked = run_shell(folder, "ascribe check mine.rule --path lib");
  CHECK(checked.code == 1);
  CHECK_THAT(checked.err, Contains("error[A0808]") && Contains("mine.rule:1:8"));
  CHECK(run_shell(folder, "ascribe pack lock acme && ascribe check mine.rule --path lib").code == 0);
  folder.file("acme/pack.lock", "nonsense\r\n");
  auto malformed = run_shell(folder, "ascribe pack verify acme");
  CHECK(malformed.code == 1);
  CHECK_THAT(malformed.err, Contains("error[A0807]") && Contains("acme/pack.lock:1:1"));
}

TEST_CASE("pack lock refuses what is no sound pack, and keeps the lock that was there") {
  Folder folder;
  write_packs(folder);
  CHECK(run_shell(folder, "ascribe pack lock acme/README.md").code == 3);
  CHECK(run_shell(folder, "ascribe pack lock none").code == 3);
  CHECK(run_shell(folder, "ascribe pack lock lib").code == 3);
  CHECK(run_shell(folder, "ascribe pack").code == 2);
  CHECK(run_shell(folder, "ascribe pack lock").code == 2);
  folder.file("acme/pack.lock", "what was there");
  auto refused = [&](const std::string& text) {
    folder.file("acme/pack.rule", text);
    auto outcome = run_shell(folder, "ascribe pack lock acme");
    CHECK(outcome.code == 1);
    CHECK(bytes_of(folder / "acme/pack.lock") == "what was there");
    return outcome.err.substr(0, outcome.err.find('\n'));
  };
  CHECK(refused("") == "error[A0803]: pack.rule does not say which pack it is");
  CHECK(refused("pack acme { version = \"1.0.0\"; language = 3 }") ==
        "error[A0804]: the pack `acme` needs language 3, this is language 2");
  folder.file("acme/pack.rule", "pack acme { version = \"1.0.0\"; language = 1 }");
  fs::remove(folder / "acme/pack.lock");
  folder.file("elsewhere", "what was there");
  fs::create_symlink("../elsewhere", folder / "acme/pack.lock");
  auto linked = run_shell(folder, "ascribe pack lock acme");
  CHECK(linked.code == 1);
  CHECK_THAT(linked.err, Contains("error[A0810]: 'acme/pack.lock' is a link"));
  CHECK(bytes_of(folder / "elsewhere") == "what was there");
  for (auto* other : {"mkfifo acme/pack.lock", "mkdir acme/pack.lock"}) {
    fs::remove(folder / "acme/pack.lock");
    auto outcome = run_shell(folder, std::string(other) + " && timeout 10 ascribe pack lock acme");
    CHECK(outcome.code == 3);
    CHECK_THAT(outcome.err, Contains("error[A0001]: cannot read 'acme/pack.lock': it is no regular file"));
  }
}

TEST_CASE("pack lock writes no lock that loading could not read") {
  Folder folder;
  fs::create_directory(folder / "acme");
  folder.file("acme/pack.rule", "pack acme { version = \"1.0.0\"; language = 1 }");
  CHECK(run_shell(folder, "cd acme && seq -f '%g.rule' 999 | xargs touch").code == 0);
  CHECK(run_shell(folder, "ascribe check acme").code == 0);
  CHECK(run_shell(folder, "ascribe pack lock acme").code == 4);
  CHECK_FALSE(fs::exists(folder / "acme/pack.lock"));
  fs::remove(folder / "acme/1.rule");
  CHECK(run_shell(folder, "ascribe pack lock acme && ascribe check --locked acme").code == 0);
}

TEST_CASE("pack list shows what a pack is") {
  Folder folder;
  write_packs(folder);
  auto outcome = run_shell(folder, "ascribe pack list acme --path lib");
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  CHECK(outcome.out == R"(acme 1.2.0, language 1, not locked
files:
  pack.rule
  deep folder/soft.rule
rules:
  plain
  soft
composites:
  all
functions:
  half
imports:
  base: base 2.0.0, lib/base
  inner: nested 0.1.0, acme/nested
)");
  run_shell(folder, "ascribe pack lock acme");
  CHECK_THAT(run_shell(folder, "ascribe pack list acme --path lib").out, Contains("acme 1.2.0, language 1, locked\n"));
  CHECK(run_shell(folder, "ascribe pack list acme").code == 1);
}

TEST_CASE("every command that loads rules takes a search path, and asks ASCRIBE_PATH behind it") {
  Folder folder;
  write_packs(folder);
  fs::create_directories(folder / "empty/base");
  const std::string run = "ascribe run --model digits/model.pt --input digits/three.npy --output r.npy --target 3 ";
  for (auto& command : std::vector<std::string>{"ascribe check acme", "ascribe doc acme", "ascribe test acme",
                                                "ascribe pack list acme", run + "--load acme --rules all",
                                                "ascribe layers --model digits/model.pt --input digits/three.npy "
                                                "--load acme --rules all"}) {
    INFO(command);
    auto without = run_shell(folder, command);
    CHECK(without.code == 1);
    CHECK_THAT(without.err, Contains("error[A0801]: cannot import 'base': no such file or folder\n"));
    auto with = run_shell(folder, command + " --path none --path lib");
    INFO(with.err);
    CHECK(with.code == 0);
    CHECK(run_shell(folder, "ASCRIBE_PATH=none::lib " + command).code == 0);
    CHECK(run_shell(folder, "ASCRIBE_PATH=empty " + command + " --path lib").code == 0);
    CHECK(run_shell(folder, "ASCRIBE_PATH=lib " + command + " --path empty").code == 1);
  }
}

TEST_CASE("with --locked, what a lock covers is loaded, and nothing else") {
  Folder folder;
  write_packs(folder);
  auto check = [&](const std::string& what) { return run_shell(folder, "ascribe check --path lib --locked " + what); };
  CHECK_THAT(check("acme/pack.rule").err, Contains("error[A0809]: the pack 'acme' has no lock"));
  run_shell(folder, "ascribe pack lock acme lib/base");
  CHECK_THAT(check("acme/pack.rule").err, Contains("error[A0809]: the pack 'acme/nested' has no lock"));
  run_shell(folder, "ascribe pack lock acme/nested");
  CHECK(check("acme").code == 0);
  CHECK_THAT(check("mine.rule").err, Contains("error[A0809]: no lock covers 'mine.rule'"));
}

TEST_CASE("an unreadable file, ten thousand files and a gigabyte end in one message") {
  Folder folder;
  fs::create_symlink("/proc/self/mem", folder / "unreadable.rule");  // a file whose beginning nobody may read
  auto unreadable = run_shell(folder, "ascribe check unreadable.rule");
  CHECK(unreadable.code == 3);
  CHECK(unreadable.err ==
        "error[A0001]: cannot read 'unreadable.rule': input/output error\n  = help: check the disk\n");
  fs::create_directory(folder / "acme");
  folder.file("acme/pack.rule", "pack acme { version = \"1.0.0\"; language = 1 }");
  fs::resize_file(folder.file("acme/large.rule", ""), std::uintmax_t{1} << 30);
  for (auto* command : {"ascribe check acme", "ascribe pack lock acme", "ascribe pack list acme"}) {
    auto outcome = run_shell(folder, command);
    CHECK(outcome.code == 4);
    CHECK(outcome.err ==
          "error[A0004]: cannot read 'acme/large.rule': it has more than 1048576 bytes\n"
          "  = help: cut it into several files\n");
  }
  fs::remove(folder / "acme/large.rule");
  CHECK(run_shell(folder, "cd acme && seq -f '%g.rule' 9999 | xargs touch").code == 0);
  for (auto* command : {"ascribe check acme", "ascribe pack lock acme"}) {
    auto outcome = run_shell(folder, command);
    CHECK(outcome.code == 4);
    CHECK(outcome.err ==
          "error[A0004]: more than 1000 files are loaded together\n"
          "  = help: load less at a time: one pack, with what it imports\n");
  }
  CHECK(run_shell(folder, "cd acme && rm *[0-9].rule && seq 10000 | xargs touch").code == 0);
  CHECK(run_shell(folder, "ascribe check acme").err ==
        "error[A0004]: the folders of packs hold more than 10000 files and folders, those of 'acme' among them\n"
        "  = help: keep in a pack's folder what belongs to the pack\n");
}

TEST_CASE("a pack in a newer language is not formatted") {
  Folder folder;
  fs::create_directory(folder / "acme");
  std::string manifest = "pack acme {version = \"1.0.0\"; language = 3}\n", more = "rule  a  =  epsilon\n";
  folder.file("acme/pack.rule", manifest + "rule b { newer ? : }\n");
  folder.file("acme/more.rule", more);
  auto outcome = run_shell(folder, "ascribe fmt acme");
  CHECK(outcome.code == 1);
  CHECK(outcome.out == "");
  CHECK_THAT(outcome.err, Contains("error[A0804]: the pack `acme` needs language 3, this is language 2"));
  CHECK_THAT(outcome.err, !Contains("A01"));
  CHECK(bytes_of(folder / "acme/more.rule") == more);
}

TEST_CASE("tests of a pack that does not load are not counted") {
  Folder folder;
  folder.file("wrong.rule", "rule r { backward = Q }\n");
  auto outcome = run_shell(folder, "ascribe test wrong.rule");
  CHECK(outcome.code == 1);
  CHECK(outcome.out == "");
}
