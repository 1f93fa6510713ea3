// Pictures of relevance: files, pages and tables.
#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>

#include <nlohmann/json.hpp>

#include "interpreter/command/picture_page.hpp"
#include "interpreter/command/scene_pixels.hpp"
#include "interpreter/files/npy.hpp"
#include "interpreter/files/png.hpp"
#include "tests/catch.hpp"
#include "tests/command/ascribe_command.hpp"

namespace test {
using namespace ascribe;
namespace {

using namespace command;
using Catch::Contains;
using Catch::StartsWith;
using files::read_npy;
using files::read_png;
using files::write_npy;

// The digits' model, and a batch of two of them.
struct Digits : Folder {
  Digits() {
    auto digit = [](const char* name) { return read_npy(std::filesystem::path(ASCRIBE_EXAMPLES) / "digits" / name); };
    write_npy(path / "two.npy", at::cat({digit("three.npy"), digit("eight.npy")}));
    file("labels.txt", "null\neins\nzwei\n<script>alert(3)</script>\nvier\nfünf\n六\nsieben & Co.\nacht\nneun\n");
  }
  Outcome run(const std::string& options) const {
    return run_shell(*this, "ascribe run --model digits/model.pt --rules epsilon_plus --output r.npy " + options);
  }
  Outcome three(const std::string& options) const { return run("--input digits/three.npy --target 3 " + options); }
  at::Tensor picture(const char* name) const { return read_png(path / name); }
};

bool refused(const Outcome& outcome, int code, const std::string& message) {
  CHECK(outcome.code == code);
  CHECK_THAT(outcome.err, Contains(message));
  CHECK(outcome.out == "");
  return outcome.code == code;
}

}  // namespace

TEST_CASE("the bare picture is the map alone, of the size that was asked for") {
  Digits folder;
  CHECK(folder.three("--heatmap h.png --no-caption").code == 0);
  CHECK(folder.picture("h.png").sizes() == at::IntArrayRef({1, 3, 256, 256}));
  CHECK(folder.three("--heatmap h.png --no-caption --size 100 --beside").code == 0);
  CHECK(folder.picture("h.png").sizes() == at::IntArrayRef({1, 3, 100, 204}));
  CHECK(folder.run("--input two.npy --heatmap h.png --no-caption --columns 1 --shared-scale").code == 0);
  CHECK(folder.picture("h.png").sizes() == at::IntArrayRef({1, 3, 516, 256}));
}

TEST_CASE("what the ends of the colours stand for can be asked for") {
  Digits folder;
  for (auto& [word, range] : {std::pair("symmetric", ColourRange::symmetric),
                              std::pair("from_zero", ColourRange::from_zero), std::pair("whole", ColourRange::whole)}) {
    CHECK(folder.three(std::string("--heatmap h.png --no-caption --colour-map viridis --range ") + word).code == 0);
    auto expected = heatmap(read_npy(folder / "r.npy"), {.colour_map = "viridis", .range = range});
    auto drawn = (folder.picture("h.png")[0] * 255).round().to(at::kByte).permute({1, 2, 0});
    CHECK(at::equal(drawn, expected));
  }
  refused(folder.three("--heatmap h.png --range middle"), 2, "--range");
}

TEST_CASE("a figure tells the target by its label, its score, and what the colours mean") {
  Digits folder;
  CHECK(folder.three("--heatmap h.svg --labels labels.txt").code == 0);
  auto text = bytes_of(folder / "h.svg");
  CHECK_THAT(text,
             StartsWith("<svg ") && Contains("&lt;script&gt;alert(3)&lt;/script&gt;  11.38") && !Contains("<script"));
  CHECK(folder.run("--input digits/three.npy --target 8 --heatmap h.svg").code == 0);
  CHECK_THAT(bytes_of(folder / "h.svg"), Contains("class 8  ") && Contains("largest: class 3  11.38"));
  CHECK(folder.three("--heatmap h.png --overlay 0.7 --contours --smooth 1 --colour-map coldnhot --clip 99").code == 0);
  CHECK(folder.picture("h.png").size(3) > 256);
}

TEST_CASE("the same figure is the same file") {
  Digits folder;
  CHECK(folder.three("--heatmap a.png && cp a.png b.png").code == 0);
  CHECK(folder.three("--heatmap a.png").code == 0);
  CHECK(bytes_of(folder / "a.png") == bytes_of(folder / "b.png"));
}

TEST_CASE("options of pictures that mean nothing are refused before any work, and nothing is written") {
  Digits folder;
  auto bad = [&](const std::string& options, const std::string& message) {
    INFO(options);
    CHECK(refused(folder.three("--heatmap h.png " + options), 2, message));
    CHECK(!std::filesystem::exists(folder / "r.npy"));
  };
  bad("--colour-map viridus", "there is no colour map 'viridus'\n  = help: did you mean `viridis`?");
  bad("--color-map ''", "there is no colour map ''");
  bad("--overlay 2", "--overlay is an opacity above 0 and up to 1, not 2");
  bad("--overlay 0", "--overlay is an opacity above 0");
  bad("--clip 0", "a clip is a percentage above 0 and up to 100, not 0");
  bad("--clip nan", "a clip is a percentage");
  bad("--size 0", "--size has to be 1 or more, not 0");
  bad("--size -5", "--size has to be 1 or more, not -5");
  bad("--columns 0", "--columns has to be 1 or more");
  bad("--channels -1", "--channels has to be 1 or more");
  bad("--smooth -1", "a picture is smoothed by 0 to 1000 values");
  bad("--as bar", "--as");
  CHECK(refused(folder.three("--beside"), 2, "there is no picture that this would change"));
  CHECK(refused(folder.three("--heatmap h.gif"), 2, "--heatmap is a .png, .svg or .html file, not 'h.gif'"));
  CHECK(refused(folder.three("--heatmap h.png --size 20000"), 4, "the limit is 67108864"));
  CHECK(refused(folder.three("--heatmap h.png --as curves"), 3, "curves are for vectors"));
  CHECK(refused(folder.three("--heatmap h.png --features none.txt"), 3, "cannot read features"));
}

TEST_CASE("a disk that is full leaves no picture, and no half of one") {
  Digits folder;
  auto outcome = folder.three("--heatmap /dev/full");
  CHECK(outcome.code == 2);
  std::filesystem::create_symlink("/dev/full", folder / "full.png");
  outcome = folder.three("--heatmap full.png");
  CHECK(outcome.code == 3);
  CHECK_THAT(outcome.err, Contains("error[A0002]"));
}

TEST_CASE("values that are not finite are counted in the figure") {
  auto relevance = at::zeros({1, 1, 8, 8});
  relevance[0][0][0][0] = NAN;
  PictureArguments arguments;
  arguments.file = "h.svg";
  CHECK_THAT(drawn(arguments, relevance, {}), Contains("1 value is not finite"));
  arguments.file = "h.png";
  CHECK_THAT(drawn(arguments, at::zeros({0, 1, 8, 8}), {}), StartsWith("\x89PNG"));
  CHECK_THAT(drawn(arguments, at::zeros({1, 1, 1, 1}), {}), StartsWith("\x89PNG"));
  CHECK_THAT(drawn(arguments, at::full({1, 1, 4, 4}, INFINITY), {}), StartsWith("\x89PNG"));
}

TEST_CASE("vectors are curves with what the model saw, or bars with the names of their values") {
  Folder folder;
  PictureArguments arguments;
  arguments.file = "h.svg";
  auto wave = at::sin(at::linspace(0, 9, 200)).reshape({1, 1, 200});
  CHECK_THAT(drawn(arguments, wave * wave, {.input = wave}), Contains("<polyline") && Contains("200 values"));
  CHECK_THAT(drawn(arguments, wave * wave, {.captions = {"class 1"}, .input = wave}), Contains("class 1"));
  arguments.form = "maps";
  CHECK_THAT(drawn(arguments, wave, {.input = wave}), !Contains("<polyline"));
  arguments.form = "";
  arguments.features = folder.file("names.txt", "age\n<b>weight</b>\nheight\n").string();
  auto values = at::tensor({0.5, -2.0, 1.0}).reshape({1, 3});
  CHECK_THAT(drawn(arguments, values, {.input = values}),
             Contains("&lt;b&gt;weight&lt;/b&gt;") && Contains(">-2</text>"));
  CHECK_THROWS_AS(drawn(arguments, wave, {}), Error);
  arguments.form = "spectrogram";
  arguments.features.clear();
  arguments.no_caption = true;
  arguments.file = "h.png";
  auto low = at::zeros({1, 1, 2, 2});
  low[0][0][0] = 1;
  auto turned = drawn(arguments, low, {});
  folder.file("turned.png", turned);
  CHECK(read_png(folder / "turned.png")[0][1][0][0].item<float>() == 1);  // white: high frequencies
}

TEST_CASE("words of a figure are drawn where there is a font") {
  picture::Scene scene{.width = 60, .height = 30};
  scene.items.emplace_back(picture::Text{.x = 5, .y = 20, .text = "Ascribe\n", .size = 13});
  auto dark = (pixels_of(scene) < 128).any().item<bool>();
  CHECK(dark == has_font());
  scene.items = {picture::Line{{{0, 15}, {59, 15}}, picture::ink, 2},
                 picture::Line{{{-1e9, 3}, {1e9, 3}}, picture::ink, 1}};
  CHECK((pixels_of(scene) < 128).any().item<bool>());
}

TEST_CASE("a page holds everything, loads nothing, and runs nothing but its own script") {
  Digits folder;
  folder.file("mine.rule",
              "## Mine: </pre><script>alert(1)</script>\nrule mine { map = R / stabilize(y) }\n"
              "composite all { any => mine }\n");
  auto outcome = run_shell(folder,
                           "ascribe run --model digits/model.pt --input two.npy --load mine.rule --rules all "
                           "--labels labels.txt --output r.npy --heatmap page.html --overlay 0.5");
  CHECK(outcome.code == 0);
  auto page = bytes_of(folder / "page.html");
  CHECK_THAT(page, StartsWith("<!DOCTYPE html>") && Contains("default-src 'none'") && Contains("script-src 'sha256-") &&
                       Contains("&lt;script&gt;alert(3)") && Contains("&lt;script&gt;alert(1)") &&
                       !Contains("<script>alert") && Contains("acht") && Contains("type=\"range\"") &&
                       Contains("rule mine {") && Contains("features.0") && Contains("LibTorch ") &&
                       Contains("ascribe run --model digits/model.pt"));
  auto count = [&](const char* part) {
    std::size_t out = 0;
    for (auto at = page.find(part); at != page.npos; at = page.find(part, at + 1)) ++out;
    return out;
  };
  CHECK(count("<script") == 1);
  CHECK(count("class=\"sample\"") == 2);
  CHECK(count("src=\"data:image/png;base64,") == 6);
  CHECK(count("http") == 1);  // http-equiv
  for (auto* each : {"table", "div", "details", "pre", "section", "p", "tr", "td", "th", "button", "code"})
    CHECK(count(("<" + std::string(each) + ">").c_str()) + count(("<" + std::string(each) + " ").c_str()) ==
          count(("</" + std::string(each) + ">").c_str()));
}

TEST_CASE("compare puts rules beside each other, models and samples below one another") {
  Digits folder;
  auto compare = [&](const std::string& options) {
    return run_shell(folder, "ascribe compare --model digits/model.pt --rules zplus --rules 'gamma(0.5)' " + options);
  };
  auto outcome = compare("--rules epsilon_plus --input two.npy --heatmap t.svg --beside");
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "");
  CHECK_THAT(outcome.out, Contains("cosine to the first") && Contains("gamma(0.5)") && Contains("1.0000") &&
                              Contains("heatmap in t.svg"));
  auto table = bytes_of(folder / "t.svg");
  CHECK_THAT(table, Contains(">zplus<") && Contains(">gamma(0.5)<") && Contains(">sample 1<"));
  outcome = compare("--model digits/model.pt --input digits/three.npy --target 3 --heatmap t.png");
  CHECK(outcome.code == 0);
  CHECK(folder.picture("t.png").size(2) > 512);
  std::filesystem::create_directory(folder / "some");
  for (auto name : {"three", "eight"})
    std::filesystem::copy(folder / "digits" / (std::string(name) + ".npy"), folder / "some");
  outcome = compare("--input some --heatmap t.svg --report json");
  CHECK(outcome.code == 0);
  auto rows = bytes_of(folder / "t.svg");
  for (auto text : {">eight<", ">three<"}) CHECK_THAT(rows, Contains(text));
  auto of_both = nlohmann::json::parse(outcome.out)["maps"][1],
       of_batch = nlohmann::json::parse(compare("--input two.npy --report json").out)["maps"][1];
  CHECK(of_both["shape"] == std::vector<int>{2, 1, 8, 8});
  CHECK(of_both["sum"].get<double>() == Approx(of_batch["sum"].get<double>()));
  write_npy(folder / "some" / "wide.npy", at::zeros({1, 1, 8, 9}));
  CHECK(refused(compare("--input some"), 2, "does not fit into one table"));
  folder.file("four.txt", "3\n8\n");
  CHECK(compare("--input 'digits/*e*.npy' --target @four.txt --heatmap t.png").code == 2);
  CHECK(refused(compare("--input 'digits/*.npy' --start digits/three.npy"), 2, "--start"));
  auto json = nlohmann::json::parse(compare("--input digits/three.npy --report json").out);
  CHECK(json["maps"].size() == 2);
  CHECK(json["maps"][0]["cosine_to_first"].get<double>() == Approx(1));
  CHECK(refused(compare("--input two.npy --heatmap t.html"), 2, "a table is a .png or .svg file"));
  CHECK(refused(compare("--input two.npy --heatmap t.png --columns 3"), 2, "--columns is not for a table"));
  CHECK(refused(run_shell(folder, "ascribe compare --model digits/model.pt --rules zplus --input two.npy"), 2,
                "there is nothing to compare"));
}

}  // namespace test
