// What `--input` stands for: files, folders, patterns, lists; and what each of many is called.
#include "tests/catch.hpp"

#include <ATen/ATen.h>
#include <unistd.h>

#include "interpreter/command/input_arguments.hpp"
#include "interpreter/command/input_list.hpp"
#include "interpreter/files/npy.hpp"
#include "interpreter/files/png.hpp"
#include "tests/folder.hpp"

namespace ascribe::command {
namespace {
namespace fs = std::filesystem;
using namespace std::string_literals;
using test::failure;
using test::Folder;
using Texts = std::vector<std::string>;

Texts names_of(const InputList& list) {
  Texts out;
  for (auto& each : list.items) out.push_back(each.name);
  return out;
}
Texts names_in(const fs::path& argument, const ListOptions& options = {}) {
  return names_of(list_inputs(argument.string(), options));
}
Texts named(const Texts& paths) {
  std::vector<InputItem> items;
  for (auto& each : paths) items.push_back({each, {}});
  name_items(items);
  return names_of({items});
}

TEST_CASE("a folder's pictures and arrays come in natural order, without what is hidden or of other kinds") {
  Folder folder;
  for (auto name : {"b10.png", "b9.PNG", "a.npy", "c.jpeg", ".hidden.png", "notes.txt", "b09.npz", "t.pt"})
    folder.file(name, "x");
  fs::create_directories(folder / "below/b.png");
  folder.file("below/z.jpg", "x");
  CHECK(names_in(folder.path) == Texts{"a", "b9", "b09", "b10", "c", "t"});
  CHECK(list_inputs(folder.path.string(), {}).items[3].path == (folder / "b10.png").string());
  CHECK(names_in(folder.path, {.recursive = true}) == Texts{"a", "b9", "b09", "b10", "below/z", "c", "t"});
  CHECK(is_many(folder.path.string()));
  CHECK_FALSE(is_many((folder / "a.npy").string()));
}

TEST_CASE("links are followed, those in circles end, and one that leads nowhere fails when it is read") {
  Folder folder;
  fs::create_directories(folder / "cats");
  folder.file("cats/1.png", "x");
  fs::create_directory_symlink("..", folder / "cats/up");
  fs::create_directory_symlink("cats", folder / "again");
  fs::create_symlink("cats/1.png", folder / "one.png");
  fs::create_symlink("nowhere", folder / "lost.png");
  CHECK(names_in(folder.path, {.recursive = true}) == Texts{"cats/1", "lost", "one"});
  InputArguments arguments;
  CHECK(failure(folder, [&] {
          arguments.read({(folder / "lost.png").string(), "lost"});
        }) == "A0001 cannot read 'lost.png': no such file");
}

TEST_CASE("a pattern, a list, and names that look like either") {
  Folder folder;
  for (auto name : {"a1.png", "a10.png", "a2.png", "b.jpg", "it's 100%.png", "[1].png"}) folder.file(name, "x");
  fs::create_directory(folder / "a3.png");
  CHECK(names_in(folder / "a*.png") == Texts{"a1", "a2", "a10"});
  CHECK(names_in(folder / "{b,a1}.*") == Texts{"a1", "b"});
  CHECK_FALSE(is_many((folder / "[1].png").string()));
  CHECK(names_in(folder / "[1].png") == Texts{"[1]"});
  folder.file("list",
              "\xEF\xBB\xBF"
              "b.jpg\r\n\nit's 100%.png\n#no comment.png\n./a1.png");
  auto list = list_inputs("@" + (folder / "list").string(), {});
  CHECK(names_of(list) == Texts{"b", "it's 100%", "#no comment", "a1"});
  CHECK(list.items[0].path == (folder / "b.jpg").string());
  folder.file("nulls", "a1.png\0two\nlines.png\0"s);
  CHECK(names_in("@" + (folder / "nulls").string(), {.null_separated = true}) == Texts{"a1", "two_lines"});
}

TEST_CASE("where there is nothing to read, one message says what was looked for") {
  Folder folder;
  auto refused = [&](const std::string& argument, const ListOptions& options = {}) {
    return failure(folder, [&] { list_inputs(argument, options); });
  };
  auto empty = folder.path.string() + "/empty";
  fs::create_directory(empty);
  auto looked_for = "files that end with .png, .jpg, .jpeg, .npy, .npz, .pt";
  CHECK(refused(empty) == "A0001 'empty' holds nothing that can be read: "s + looked_for);
  folder.file("empty/a.gif", "GIF89a");
  folder.file("empty/b.webp", "x");
  CHECK(refused(empty) == "A0001 'empty' holds nothing that can be read, but .gif (1), .webp (1): "s + looked_for);
  folder.file("empty/c.png", "x");
  auto list = list_inputs(empty, {});
  REQUIRE(list.warnings.size() == 1);
  CHECK(list.warnings[0].message.ends_with("/empty' holds pictures that are not read: .gif (1), .webp (1)"));
  CHECK(refused(folder / "*.jpg").starts_with("A0001 no file matches '"));
  CHECK(refused("@" + (folder / "none").string()) == "A0001 cannot read 'none': no such file");
  folder.file("blank", "\n\n");
  CHECK(refused("@" + (folder / "blank").string()) == "A0001 'blank' names no file");
  CHECK(refused("@" + folder.file("nul", "a\0b"s).string()) == "A0001 'nul' is no list of paths, a line for each");
  CHECK(refused("@") == "A0705 --input @ names no list");
  CHECK(refused(empty, {.null_separated = true}) == "A0705 --null is for lists of paths");
  CHECK(refused(folder / "empty/c.png", {.recursive = true}) == "A0705 --recursive is for a folder");
}

TEST_CASE("each of many has a name of its own, below what the paths have in common") {
  CHECK(named({"photos/cat.png"}) == Texts{"cat"});
  CHECK(named({"p/cat.png", "p/cat.jpg", "p/dog.jpg"}) == Texts{"cat.png", "cat.jpg", "dog"});
  CHECK(named({"p/a/1.png", "p/b/1.png"}) == Texts{"a/1", "b/1"});
  CHECK(named({"x/1.png", "x/../x/1.png", "x/1.png"}) == Texts{"1.png", "1.png.2", "1.png.3"});
  CHECK(named({"m.npz:left", "m.npz:right"}) == Texts{"m.left", "m.right"});
  CHECK(named({"a\nb.png", "a\tb.png", "-r.png", "\xFF.png", "ü.png", "c:d.png"}) ==
        Texts{"a_b.png", "a_b.png.2", "_r", "_", "ü", "c_d"});
  CHECK(named({"/a.png", "/b/c.png"}) == Texts{"a", "b/c"});
  auto lengthy = named({std::string(250, 'x') + ".png", std::string(250, 'x') + "y.png"});
  CHECK(lengthy[0].size() <= 210);
  CHECK(lengthy[0] != lengthy[1]);
  Texts same(20000, "a.png");
  CHECK(named(same)[19999] == "a.png.20000");
}

TEST_CASE("numbers in names are numbers, and the order is one") {
  for (auto [a, b] : {std::pair{"a9", "a10"}, {"a", "a1"}, {"a/b", "a.b"}, {"x1y2", "x1y10"}, {"01", "1"}, {"", "a"}}) {
    CHECK(naturally_before(a, b));
    CHECK_FALSE(naturally_before(b, a));
  }
  CHECK_FALSE(naturally_before("a7", "a7"));
}

TEST_CASE("an input is read, prepared, and kept as it can be seen; what may not be meant is told") {
  Folder folder;
  files::write_png(folder / "x.png", at::full({8, 6, 3}, 128, at::kByte));
  files::write_npy(folder / "x.npy", at::ones({1, 3, 4, 4}));
  InputArguments arguments;
  arguments.inputs = {folder.path.string()};
  arguments.mean = {"imagenet"};
  arguments.resize = "12";
  arguments.crop = "12x20";
  CHECK(arguments.many());
  auto list = arguments.list();
  REQUIRE(names_of(list) == Texts{"x.npy", "x.png"});
  auto array = arguments.read(list.items[0]), picture = arguments.read(list.items[1]);
  CHECK_FALSE(array.picture.defined());
  REQUIRE(array.warnings.size() == 1);
  CHECK(array.warnings[0].message.find(
            "is an array, which is taken as it is: --resize, --crop, --mean are for pictures") != std::string::npos);
  CHECK(picture.x.sizes() == at::IntArrayRef({1, 3, 12, 20}));
  CHECK(picture.picture.sizes() == picture.x.sizes());
  CHECK(picture.picture.max().item<double>() == Approx(128. / 255));
  CHECK(picture.x[0][0][6][10].item<double>() == Approx((128. / 255 - 0.485) / 0.229).epsilon(1e-4));
  REQUIRE(picture.warnings.size() == 1);
  CHECK(picture.warnings[0].message.find("12 × 16 pixels, less than --crop asks for") != std::string::npos);
}

TEST_CASE("options for pictures that contradict each other are refused in their own words") {
  Folder folder;
  files::write_png(folder / "x.png", at::full({8, 6, 3}, 128, at::kByte));
  auto refused = [&](auto change) {
    InputArguments arguments;
    change(arguments);
    return failure(folder, [&] { arguments.read({(folder / "x.png").string(), "x"}); });
  };
  CHECK(refused([](auto& a) { a.resize = "big"; }) == "A0705 --resize 'big' is no size in pixels");
  CHECK(refused([](auto& a) { a.crop = "224x"; }) == "A0705 --crop '224x' is no size in pixels");
  CHECK(refused([](auto& a) { a.crop = "0x5"; }) == "A0705 --crop '0x5' is no size in pixels");
  CHECK(refused([](auto& a) {
          a.mean = {"0.5", "imagenet"};
        }) == "A0705 --mean takes numbers, or `imagenet` alone, not 'imagenet'");
  CHECK(refused([](auto& a) { a.deviation = {"0"}; }) == "A0705 --std has to be positive");
  CHECK(refused([](auto& a) { a.grey = a.colour = true; }) == "A0705 --grey and --colour exclude each other");
  CHECK(refused([](auto& a) { a.grey = true, a.mean = {"imagenet"}; }) ==
        "A0705 --mean has 3 values, the picture 1 channel");
  CHECK(refused([](auto& a) { a.prepare = "imagenet", a.resize = "4", a.crop = "4"; }) == "no error");
}

}  // namespace
}  // namespace ascribe::command
