// Where rule files come from: memory, the disk, and what a host makes of it.
#include "ascribe/files.hpp"

#include <sys/stat.h>

#include "tests/catch.hpp"
#include "tests/folder.hpp"
#include "tests/language/loading.hpp"

namespace {

using namespace ascribe;
using Catch::Contains;
using Kind = Files::Kind;
namespace fs = std::filesystem;

std::vector<std::string> names_in(const Files& files, const fs::path& folder, std::size_t most = 100) {
  std::vector<std::string> out;
  for (auto& entry : files.list(folder, most)) out.push_back(entry.name + (entry.kind == Kind::folder ? "/" : ""));
  std::sort(out.begin(), out.end());
  return out;
}
using Names = std::vector<std::string>;

// An archive as `tar --format=ustar` writes it, read where it lies: what a host may do with its own.
class Archive : public Files {
 public:
  explicit Archive(std::string bytes) : bytes_(std::move(bytes)) {
    constexpr std::size_t block = 512;
    for (std::size_t at = 0; at + block <= bytes_.size() && bytes_[at] != '\0';) {
      std::string name = bytes_.data() + at;  // names are shorter than their field here
      auto size = std::stoul(bytes_.substr(at + 124, 11), nullptr, 8);
      if (bytes_[at + 156] == '0') files_[name] = {at + block, size};
      if (bytes_[at + 156] == '2') links_.push_back(name);
      at += block + (size + block - 1) / block * block;
    }
  }
  Kind kind(const fs::path& path) const override {
    auto name = resolve(path).string();
    if (files_.contains(name)) return Kind::file;
    if (std::find(links_.begin(), links_.end(), name) != links_.end()) return Kind::link;
    return list(path, 0).empty() ? Kind::nothing : Kind::folder;
  }
  std::string read(const fs::path& path, std::size_t) const override {
    auto [begin, size] = files_.at(resolve(path).string());
    return bytes_.substr(begin, size);
  }
  std::vector<Entry> list(const fs::path& folder, std::size_t) const override {
    std::map<std::string, Kind> found;
    auto prefix = resolve(folder).string() + "/";
    auto add = [&](const std::string& name, Kind kind) {
      if (!name.starts_with(prefix)) return;
      auto rest = name.substr(prefix.size());
      auto slash = rest.find('/');
      found.emplace(rest.substr(0, slash), slash == rest.npos ? kind : Kind::folder);
    };
    for (auto& [name, place] : files_) add(name, Kind::file);
    for (auto& name : links_) add(name, Kind::link);
    std::vector<Entry> out;
    for (auto& [name, kind] : found) out.push_back({name, kind});
    return out;
  }

 private:
  struct Place {
    std::size_t begin, size;
  };
  std::string bytes_;
  std::map<std::string, Place> files_;
  Names links_;
};

std::string in_archive(const std::string& name, const std::string& text, char type = '0') {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  char size[12];
  std::snprintf(size, sizeof size, "%011zo", text.size());
  header.replace(124, 11, size);
  header[156] = type;
  return header + text + std::string((512 - text.size() % 512) % 512, '\0');
}

}  // namespace

TEST_CASE("files in memory have the folders of their names") {
  auto files = Files::memory({{"acme/pack.rule", "one"}, {"./acme//deep/../deep/a.rule", "two"}, {"b.rule", ""}});
  CHECK(files->kind("acme/pack.rule") == Kind::file);
  CHECK(files->kind("acme") == Kind::folder);
  CHECK(files->kind("acme/") == Kind::folder);
  CHECK(files->kind("x/../acme/deep") == Kind::folder);
  CHECK(files->kind(".") == Kind::folder);
  CHECK(files->kind("acm") == Kind::nothing);
  CHECK(files->kind("acme/pack.rule/more") == Kind::nothing);
  CHECK(files->kind("../acme") == Kind::nothing);
  CHECK(files->read("acme/deep/a.rule", 100) == "two");
  CHECK(files->read("acme/deep/a.rule", 1).size() == 2);
  CHECK(names_in(*files, "acme") == Names{"deep/", "pack.rule"});
  CHECK(names_in(*files, ".") == Names{"acme/", "b.rule"});
  CHECK(names_in(*files, ".", 1).size() == 2);
  CHECK_THROWS_AS(files->read("none.rule", 1), Error);
  CHECK(Files::memory({{"/acme/pack.rule", ""}})->kind("/acme") == Kind::folder);
}

TEST_CASE("names that cannot be files in memory are refused") {
  using Texts = std::vector<std::pair<std::string, std::string>>;
  for (auto& texts : std::vector<Texts>{{{"", ""}},
                                        {{".", ""}},
                                        {{"..", ""}},
                                        {{"/", ""}},
                                        {{"../a.rule", ""}},
                                        {{"a/../../b.rule", ""}},
                                        {{"a.rule", ""}, {"./a.rule", ""}},
                                        {{"a", ""}, {"a-b", ""}, {"a/b/c", ""}}})
    CHECK_THROWS_WITH(Files::memory(texts), Contains("A0001") && Contains("cannot be a file in memory"));
}

TEST_CASE("packs come from memory, with what they import") {
  auto files = Files::memory({{"acme/pack.rule", test::pack_rule("acme") + "import \"./base\" as base"},
                              {"acme/deep/soft.rule", "import \"../base\" as base\nrule soft = base.plain"},
                              {"acme/base/pack.rule", test::pack_rule("base") + "rule plain { map = R / 2 }"}});
  // The first file's import is unused: a message, with its name.
  CHECK_THROWS_WITH(Pack::load("acme", {.files = files}), Contains("acme/pack.rule:2:") && Contains("A0210"));
  files = Files::memory({{"acme/pack.rule", test::pack_rule("acme")},
                         {"acme/deep/soft.rule", "import \"../base\" as base\nrule soft = base.plain"},
                         {"acme/base/pack.rule", test::pack_rule("base") + "rule plain { map = R / 2 }"}});
  auto pack = Pack::load("acme", {.files = files});
  files = nullptr;
  CHECK(pack.name() == "acme");
  CHECK(pack.rule("soft").description() == "soft");
  CHECK(pack.reload().rule("soft").description() == "soft");  // the pack keeps its files
  CHECK_THROWS_WITH(Pack::load("other", {.files = Files::memory({})}), Contains("A0001"));
  auto root = Files::memory({{"pack.rule", test::pack_rule("acme")}, {"soft.rule", "rule soft = epsilon"}});
  CHECK(Pack::load(".", {.files = root}).rule("soft").description() == "soft");
  CHECK(Pack::load("pack.rule", {.files = root}).name() == "acme");
}

TEST_CASE("a host reads packs from an archive") {
  auto bytes = in_archive("acme/pack.rule", test::pack_rule("acme")) +
               in_archive("acme/deep/soft.rule", "rule soft = epsilon(0.1)");
  auto pack = Pack::load("acme", {.files = std::make_shared<Archive>(bytes)});
  CHECK(pack.rule("soft").description() == "soft");
  bytes += in_archive("acme/deep/more.rule", "", '2');
  CHECK_THROWS_WITH(Pack::load("acme", {.files = std::make_shared<Archive>(bytes)}),
                    Contains("A0810") && Contains("'acme/deep/more.rule' is a link"));
}

TEST_CASE("what a host's files throw is an Error that names the path") {
  test::Memory files({{"acme/pack.rule", test::pack_rule("acme")}});
  files.vanishing = "acme/pack.rule";
  CHECK(test::messages(files, {"acme"}) == "A0001 cannot read 'acme/pack.rule': it is gone\n");
}

TEST_CASE("names that a host's files make up cannot lead out of a folder") {
  struct Odd : test::Memory {
    explicit Odd(std::string name) : Memory({{"acme/pack.rule", test::pack_rule("acme")}}), odd(std::move(name)) {}
    std::vector<Entry> list(const fs::path&, std::size_t) const override {
      return {{"pack.rule", Kind::file}, {odd, Kind::file}};
    }
    std::string odd;
  };
  for (auto& name : {std::string(), std::string(".."), std::string("../out.rule"), std::string("/etc/a.rule"),
                     std::string("a\0.rule", 7)})
    CHECK_THAT(test::messages(Odd(name), {"acme"}), Contains("A0001 cannot read 'acme': a file in it is called '"));
}

TEST_CASE("an Error of a host's files that tells no mistake ends the loading all the same") {
  struct Empty : test::Memory {
    Empty() : Memory(std::map<std::string, std::string>{{"a.rule", ""}}) {}
    std::string read(const fs::path&, std::size_t) const override { throw Error(std::vector<Diagnostic>{}); }
  };
  CHECK_THAT(test::messages(Empty(), {"a.rule"}), Contains("A0001 cannot read 'a.rule'"));
}

TEST_CASE("the disk gives regular files only, and waits for nothing") {
  test::Folder folder;
  auto disk = Files::disk();
  folder.file("a.rule", "rule a { map = R }");
  fs::create_symlink("a.rule", folder / "linked.rule");
  REQUIRE(::mkfifo((folder / "pipe.rule").c_str(), 0600) == 0);
  CHECK(disk->kind(folder / "a.rule") == Kind::file);
  CHECK(disk->kind(folder / "linked.rule") == Kind::link);
  CHECK(disk->kind(folder / "pipe.rule") == Kind::other);
  CHECK(disk->kind(folder / "none.rule") == Kind::nothing);
  CHECK(disk->kind(folder / "a.rule/more") == Kind::nothing);
  CHECK(disk->kind(folder.path) == Kind::folder);
  CHECK(disk->kind("/dev/null") == Kind::other);
  CHECK(disk->resolve(folder / "linked.rule") == disk->resolve(folder / "a.rule"));
  CHECK(names_in(*disk, folder.path) == Names{"a.rule", "linked.rule", "pipe.rule"});
  auto loading = [&](const fs::path& path) { return test::failure(folder, [&] { Pack::load(path); }); };
  CHECK(loading(folder / "linked.rule") == "no error");
  CHECK(loading(folder / "pipe.rule") ==
        "A0001 cannot read 'pipe.rule': it is neither a file nor a folder that can be looked into");
  CHECK(loading("/dev/zero") ==
        "A0001 cannot read '/dev/zero': it is neither a file nor a folder that can be looked into");
  CHECK(loading(folder / "none.rule") == "A0001 cannot read 'none.rule': no such file");
  CHECK(test::failure(folder, [&] { disk->read(folder / "pipe.rule", 10); }) ==
        "A0001 cannot read 'pipe.rule': it is no regular file");
}
