// Which files a path stands for.
#include "interpreter/pack/rule_sources.hpp"

#include "tests/catch.hpp"
#include "tests/folder.hpp"

using namespace ascribe;

TEST_CASE("a folder stands for its rule files, those of its subfolders included, in order") {
  test::Folder folder;
  std::filesystem::create_directories(folder / "b/c");
  std::filesystem::create_directories(folder / "folder.rule");
  for (auto* name : {"b/c/z.rule", "b/a.rule", "c.rule", "a.rule", "notes.txt", "b/rule"}) folder.file(name, "");
  std::filesystem::create_directory_symlink(folder.path, folder / "b/loop");
  std::vector<std::filesystem::path> expected{folder / "a.rule", folder / "b/a.rule", folder / "b/c/z.rule",
                                              folder / "c.rule"};
  CHECK(rule_paths(folder.path) == expected);
}

TEST_CASE("anything else stands for itself") {
  test::Folder folder;
  CHECK(rule_paths("-") == std::vector<std::filesystem::path>{"-"});
  CHECK(rule_paths(folder / "none.rule") == std::vector{folder / "none.rule"});
  CHECK(rule_paths(folder.file("notes.txt", "")) == std::vector{folder / "notes.txt"});
}

TEST_CASE("a folder without rule files is an error") {
  test::Folder folder;
  folder.file("notes.txt", "");
  auto path = folder.path.string();
  CHECK_THROWS_WITH(rule_paths(path), Catch::Contains("A0001") && Catch::Contains("the folder holds no .rule file"));
}

TEST_CASE("packs are taken whole, other files each by itself") {
  test::Folder folder;
  std::filesystem::create_directories(folder / "acme/inner");
  std::filesystem::create_directories(folder / "acme/other");
  auto alone = folder.file("alone.rule", ""), manifest = folder.file("acme/pack.rule", "");
  folder.file("acme/a.rule", "");
  folder.file("acme/inner/b.rule", "");
  folder.file("acme/other/pack.rule", "");
  folder.file("acme/other/c.rule", "");
  CHECK(pack_paths(folder.path) == std::vector{folder / "acme", folder / "acme/other", alone});
  CHECK(pack_paths(folder / "acme") == std::vector{folder / "acme", folder / "acme/other"});
  CHECK(pack_paths(folder / "acme/inner") == std::vector{folder / "acme/inner/b.rule"});
  CHECK(pack_paths(manifest) == std::vector{manifest});
  CHECK(pack_paths("-") == std::vector<std::filesystem::path>{"-"});
}
