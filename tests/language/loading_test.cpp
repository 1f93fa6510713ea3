// How packs are loaded: limits, stopping, progress, and loading once more.
#include <stdexcept>

#include "interpreter/inside.hpp"
#include "interpreter/language/binding.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"
#include "tests/language/loading.hpp"

namespace {

using namespace ascribe;
using Catch::Contains;
using test::pack_rule;
using Texts = std::map<std::string, std::string>;
namespace fs = std::filesystem;

std::string loading(const Texts& texts, const LoadLimits& limits) {
  test::Memory files(texts);
  auto options = test::from(files);
  options.limits = limits;
  return test::messages({"acme"}, options);
}

}  // namespace

TEST_CASE("a host sets limits to what is loaded") {
  Texts texts{{"acme/pack.rule", pack_rule("acme")}, {"acme/a.rule", "rule a { map = R }"}, {"acme/b/c/d.rule", ""}};
  CHECK(loading(texts, {}) == "");
  CHECK(loading(texts, {.files = 3}) == "");
  CHECK(loading(texts, {.files = 2}) == "A0004 more than 2 files are loaded together\n");
  CHECK(loading(texts, {.files = 0}) == "A0004 more than 0 files are loaded together\n");
  CHECK(loading(texts, {.file_bytes = 46}) == "");
  CHECK(loading(texts, {.file_bytes = 45}) == "A0004 cannot read 'acme/pack.rule': it has more than 45 bytes\n");
  CHECK(loading(texts, {.bytes = 50}) == "A0004 the files that are loaded together have more than 50 bytes\n");
  CHECK(loading(texts, {.entries = 5}) == "");
  CHECK(loading(texts, {.entries = 4}) ==
        "A0004 the folders of packs hold more than 4 files and folders, those of 'acme/b/c' among them\n");
  CHECK(loading(texts, {.folder_depth = 2}) == "");
  CHECK(loading(texts, {.folder_depth = 1}) == "A0005 'acme/b/c' lies more than 1 folders deep\n");
}

TEST_CASE("of ten thousand files none is read before there are too many, and of a gigabyte not much") {
  Texts many{{"acme/pack.rule", pack_rule("acme")}};
  for (int i = 0; i < 10'000; ++i) many["acme/r" + std::to_string(i) + ".rule"] = "rule r { map = R }";
  test::Memory files(many);
  CHECK(test::messages(files, {"acme"}) ==
        "A0004 the folders of packs hold more than 10000 files and folders, those of 'acme' among them\n");
  many.erase("acme/r0.rule");
  test::Memory fewer(many);
  CHECK(test::messages(fewer, {"acme"}) == "A0004 more than 1000 files are loaded together\n");
  CHECK(files.reads + fewer.reads <= 2);

  test::Folder folder;
  fs::create_directory(folder / "acme");
  folder.file("acme/pack.rule", pack_rule("acme"));
  fs::resize_file(folder.file("acme/large.rule", ""), std::uintmax_t{1} << 30);
  CHECK(test::failure(folder, [&] { Pack::load(folder / "acme"); }) ==
        "A0004 cannot read 'acme/large.rule': it has more than 1048576 bytes");
}

TEST_CASE("progress is told before each file, and a stop ends the loading between two") {
  Texts texts{{"acme/pack.rule", pack_rule("acme")}, {"acme/a.rule", "rule a { map = R }"}, {"acme/b.rule", "?"}};
  test::Memory files(texts);
  auto options = test::from(files);
  std::string told;
  std::stop_source source;
  options.stop = source.get_token();
  options.progress = [&](const LoadProgress& progress) {
    told += progress.file.string() + " " + std::to_string(progress.files) + " " + std::to_string(progress.bytes) + "\n";
    if (progress.file == "acme/a.rule") source.request_stop();
  };
  CHECK(test::messages({"acme"}, options) == "A0612 loading was stopped\n");
  CHECK(told == "acme/pack.rule 0 0\nacme/a.rule 1 46\n");
  CHECK(files.reads == 2);
  told.clear();
  CHECK(test::messages({"acme"}, options) == "A0612 loading was stopped\n");
  CHECK(told == "");
  auto reads = files.reads;
  options.stop = {};
  options.progress = [](const LoadProgress&) { throw Error({.code = Code::usage, .message = "the host's own"}); };
  CHECK(test::messages({"acme"}, options) == "A0705 the host's own\n");
  CHECK(files.reads == reads);
  options.progress = [](const LoadProgress&) { throw std::logic_error("the host's own"); };
  CHECK_THROWS_AS(test::load({"acme"}, options), std::logic_error);
}

TEST_CASE("reload gives a new pack, and leaves the old one as it is") {
  test::Folder folder;
  fs::create_directory(folder / "acme");
  fs::create_directory(folder / "base");
  folder.file("acme/pack.rule", pack_rule("acme"));
  folder.file("base/pack.rule", pack_rule("base") + "rule plain(a = 1) { map = a * R }");
  auto file = folder.file("acme/soft.rule", "import \"base\" as base\nrule soft(a = 1) = base.plain(a)");
  int told = 0;
  std::stop_source stopped;
  auto pack = Pack::load(
      folder / "acme",
      {.path = {folder.path}, .stop = stopped.get_token(), .progress = [&](const LoadProgress&) { ++told; }});
  CHECK(told == 3);
  stopped.request_stop();  // that loading is over
  auto rule = pack.rule("soft");
  folder.file("acme/soft.rule", "import \"base\" as base\nrule soft(a = 2) = base.plain(a)\nrule more = soft");
  CHECK(pack.rule("soft").description() == "soft(a = 1)");
  auto newer = pack.reload();
  CHECK(told == 3);
  CHECK(newer.rule("soft").description() == "soft(a = 2)");
  CHECK(newer.rule("more").description() == "more");
  CHECK_THROWS_WITH(pack.rule("more"), Contains("A0202"));
  CHECK(rule.description() == "soft(a = 1)");

  folder.file("acme/soft.rule", "rule soft {");
  CHECK_THROWS_AS(newer.reload(), Error);
  CHECK(newer.rule("soft").description() == "soft(a = 2)");
  fs::remove(file);
  CHECK_THROWS_WITH(newer.reload().rule("soft"), Contains("A0202"));
  CHECK_THROWS_WITH(newer.reload(stopped.get_token()), Contains("A0612"));
  newer.reload({}, [&](const LoadProgress&) { ++told; });
  CHECK(told == 4);
  fs::remove_all(folder / "acme");
  CHECK_THROWS_WITH(newer.reload(), Contains("A0001"));
}

TEST_CASE("what was not loaded from files is reloaded as it is") {
  auto parsed = Pack::parse("rule soft { map = R }");
  CHECK(parsed.reload().rule("soft").description() == "soft");
  CHECK(&Inside::definitions(Pack::standard().reload()) == &Inside::definitions(Pack::standard()));
}
