// The locks of packs: their digests, their form, and what becomes of packs that are not as their locks say.
#include "interpreter/pack/lock.hpp"

#include "interpreter/pack/sha256.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"
#include "tests/language/loading.hpp"

namespace {

using namespace ascribe;
using Catch::Contains;
using test::messages;
using test::pack_rule;
using Texts = std::map<std::string, std::string>;

const std::string digest(64, 'a');

// What is wrong with a lock.
std::string mistakes(const std::string& text) {
  try {
    read_lock(std::make_shared<Source>("acme/pack.lock", text));
  } catch (const Error& error) {
    return messages(error.diagnostics());
  }
  return "";
}

std::string line(const std::string& name, const std::string& text) { return sha256(text) + "  " + name + "\n"; }

// A pack with a lock that is right.
Texts locked_pack() {
  Texts out{{"acme/pack.rule", pack_rule("acme")}, {"acme/deep/soft.rule", "rule soft { map = R }"}};
  out["acme/pack.lock"] = line("deep/soft.rule", out["acme/deep/soft.rule"]) + line("pack.rule", out["acme/pack.rule"]);
  return out;
}

std::string loading(const Texts& texts, bool require_lock = false, const char* path = "acme") {
  test::Memory files(texts);
  auto options = test::from(files);
  options.require_lock = require_lock;
  return messages({path}, options);
}

}  // namespace

TEST_CASE("SHA-256 gives the digests of NIST's examples") {
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(
      sha256("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrst"
             "nopqrstu") == "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  CHECK(sha256(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  CHECK(sha256(std::string("\xbd", 1)) == "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
}

TEST_CASE("SHA-256 is right around the ends of blocks") {
  // Of strings of zeros, from the NIST's additional vectors.
  CHECK(sha256(std::string(55, '\0')) == "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7");
  CHECK(sha256(std::string(56, '\0')) == "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb");
  CHECK(sha256(std::string(57, '\0')) == "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785");
  CHECK(sha256(std::string(64, '\0')) == "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
}

TEST_CASE("a lock has the files sorted by their names' bytes") {
  auto text = [](const char* name, const char* bytes) {
    return PackText{{name, ""}, std::make_shared<Source>(name, bytes)};
  };
  auto out = lock_of({text("pack.rule", "p"), text("b/a.rule", "1"), text("b.rule", "2"), text("B.rule", "3")});
  CHECK(out == line("B.rule", "3") + line("b.rule", "2") + line("b/a.rule", "1") + line("pack.rule", "p"));
  CHECK(read_lock(std::make_shared<Source>("pack.lock", out)).size() == 4);
}

TEST_CASE("what is no line of a lock gets a message with its place") {
  CHECK(mistakes("") == "");
  CHECK(mistakes(digest + "  a.rule\n") == "");
  constexpr auto no_digest = ":1 A0807 a line begins with the 64 lower-case hexadecimal digits of a SHA-256 digest\n";
  auto at = [](const std::string& place, const std::string& message) {
    return "acme/pack.lock:" + place + " A0807 " + message + "\n";
  };
  CHECK(mistakes("\n" + digest + "  a.rule\n# comment\n") == std::string("acme/pack.lock:1") + no_digest);
  CHECK(mistakes(digest + "  a.rule\n# comment\n#\n") == std::string("acme/pack.lock:2") + no_digest);
  CHECK(mistakes("\xef\xbb\xbf" + digest + "  a.rule\n") == std::string("acme/pack.lock:1") + no_digest);
  CHECK(mistakes(digest.substr(1) + "  a.rule\n") == std::string("acme/pack.lock:1") + no_digest);
  CHECK(mistakes(std::string(64, 'A') + "  a.rule\n") == std::string("acme/pack.lock:1") + no_digest);
  CHECK(mistakes(digest + " a.rule\n") == at("1:1", "two spaces stand between a digest and its file"));
  CHECK(mistakes(digest + "a  a.rule\n") == at("1:1", "two spaces stand between a digest and its file"));
  CHECK(mistakes(digest + " *a.rule\n") == at("1:1", "two spaces stand between a digest and its file"));
  CHECK(mistakes(digest + "  a.rule\r\n") == at("1:1", "the line ends in a carriage return"));
  CHECK(mistakes(digest + "  a.rule") == at("1:1", "the last line has no end"));
  CHECK(mistakes(digest + "  \n") == at("1:67", "the line names no file"));
  CHECK(mistakes(digest + "  /etc/a.rule\n") == at("1:67", "a lock's paths begin at the pack's folder, not at `/`"));
  CHECK(mistakes(digest + "  ../a.rule\n") == at("1:67", "the path leads out of the pack"));
  CHECK(mistakes(digest + "  a/../../b.rule\n") == at("1:67", "the path leads out of the pack"));
  CHECK(mistakes(digest + "  ./a.rule\n") == at("1:67", "the path is not in its shortest form"));
  CHECK(mistakes(digest + "  a//b.rule\n") == at("1:67", "the path is not in its shortest form"));
  CHECK(mistakes(digest + "  notes.txt\n") == at("1:67", "a lock is of rule files, whose names end in `.rule`"));
  auto twice = digest + "  a.rule\n";
  CHECK(mistakes(twice + twice) == at("2:67", "'a.rule' is there twice"));
  CHECK_THROWS_WITH(read_lock(std::make_shared<Source>("acme/pack.lock", twice + twice)),
                    Contains("first here") && Contains("`ascribe pack lock acme`"));
  CHECK_THROWS_WITH(read_lock(std::make_shared<Source>("it's/pack.lock", "?")),
                    Contains("`ascribe pack lock 'it'\\''s'`"));
  CHECK(mistakes("\\" + digest + "  a\\\\b.rule\n").starts_with("acme/pack.lock:1:1 A0807"));
}

TEST_CASE("a pack that is as its lock says is loaded") {
  CHECK(loading(locked_pack()) == "");
  CHECK(loading(locked_pack(), true) == "");
  auto more = locked_pack();
  more["acme/README.md"] = "what is no rule file may change";
  more["acme/nested/pack.rule"] = pack_rule("nested");
  CHECK(loading(more, true) == "");
}

TEST_CASE("a pack that is not as its lock says is refused before any of it is parsed") {
  auto differs = [](const std::string& how) {
    return "A0808 the files of the pack 'acme' are not those of its lock: " + how + "\n";
  };
  auto changed = locked_pack();
  changed["acme/deep/soft.rule"] = "rule broken {{{";
  CHECK(loading(changed) == differs("changed 'deep/soft.rule'"));
  auto newer = locked_pack();
  newer["acme/pack.rule"] = "pack acme { version = \"1.0.0\"; language = 3 }";
  CHECK(loading(newer) == differs("changed 'pack.rule'"));
  auto added = locked_pack();
  added["acme/more.rule"] = "broken";
  CHECK(loading(added) == differs("added 'more.rule'"));
  auto missing = locked_pack();
  missing.erase("acme/deep/soft.rule");
  CHECK(loading(missing) == differs("missing 'deep/soft.rule'"));
  auto renamed = locked_pack();
  renamed["acme/deep/Soft.rule"] = renamed["acme/deep/soft.rule"];
  renamed.erase("acme/deep/soft.rule");
  CHECK(loading(renamed) == differs("added 'deep/Soft.rule', missing 'deep/soft.rule'"));
  auto empty = locked_pack();
  empty["acme/pack.lock"] = "";
  CHECK(loading(empty) == differs("added 'deep/soft.rule', added 'pack.rule'"));
  auto many = locked_pack();
  for (char c = 'a'; c < 'k'; ++c) many[std::string("acme/") + c + ".rule"] = "";
  CHECK_THAT(loading(many), Contains("added 'h.rule', and 2 more\n"));
  auto malformed = locked_pack();
  malformed["acme/pack.lock"] += "?";
  CHECK(loading(malformed) == "acme/pack.lock:3:1 A0807 the last line has no end\n");
}

TEST_CASE("imported packs are held to their locks") {
  auto texts = locked_pack();
  texts["main.rule"] = "import \"acme\" as acme; rule r = acme.soft";
  CHECK(loading(texts, false, "main.rule") == "");
  texts["acme/deep/soft.rule"] += " ";
  CHECK(loading(texts, false, "main.rule") ==
        "main.rule:1:8 A0808 the files of the pack 'acme' are not those of its lock: changed 'deep/soft.rule'\n");
}

TEST_CASE("where a lock is required, nothing is loaded that none covers") {
  auto texts = locked_pack();
  texts.erase("acme/pack.lock");
  CHECK(loading(texts) == "");
  CHECK(loading(texts, true) == "A0809 the pack 'acme' has no lock\n");
  texts = locked_pack();
  texts["main.rule"] = "import \"acme\" as acme; rule r = acme.soft";
  CHECK(loading(texts, true, "main.rule") == "A0809 no lock covers 'main.rule'\n");
  texts["acme/pack.rule"] += "import \"base.rule\" as base\nrule r = base.plain\n";
  texts["base.rule"] = "rule plain { map = R }";
  texts["acme/pack.lock"] =
      line("deep/soft.rule", texts["acme/deep/soft.rule"]) + line("pack.rule", texts["acme/pack.rule"]);
  test::Memory files(texts);
  auto options = test::from(files);
  options.path = {"."};
  CHECK(messages({"acme"}, options) == "");
  options.require_lock = true;
  CHECK(messages({"acme"}, options) == "acme/pack.rule:2:8 A0809 no lock covers './base.rule'\n");
}

TEST_CASE("what was compared with the lock is what is parsed, although the files change meanwhile") {
  // A file is another one each time that it is read.
  struct Changing : test::Memory {
    using Memory::Memory;
    std::string read(const std::filesystem::path& path, std::size_t most) const override {
      auto text = Memory::read(path, most);
      return times[path.string()]++ == 0 ? text : text + " broken";
    }
    mutable std::map<std::string, int> times;
  };
  CHECK(messages(Changing(locked_pack()), {"acme"}) == "");
  CHECK(messages(Changing(locked_pack()), {"acme/deep/soft.rule", "acme"}) ==
        "acme/deep/soft.rule:1:6 A0205 `soft` is defined twice\n");
}

TEST_CASE("a lock that is no file is refused") {
  test::Folder folder;
  std::filesystem::create_directory(folder / "acme");
  folder.file("acme/pack.rule", pack_rule("acme"));
  std::filesystem::create_symlink("../elsewhere", folder / "acme/pack.lock");
  auto failure = [&] { return test::failure(folder, [&] { Pack::load(folder / "acme"); }); };
  CHECK(failure() == "A0810 'acme/pack.lock' is a link: what a pack holds lies in its folder");
  std::filesystem::remove(folder / "acme/pack.lock");
  std::filesystem::create_directory(folder / "acme/pack.lock");
  CHECK(failure() == "A0001 cannot read 'acme/pack.lock': it is no regular file");
}
