// Pictures and lists as `ascribe run` takes them, and what it says of those that do not fit.
#include "tests/catch.hpp"

#include <ATen/ATen.h>

#include "interpreter/files/npy.hpp"
#include "interpreter/files/png.hpp"
#include "tests/command/ascribe_command.hpp"

namespace test {
using namespace ascribe;
namespace {

using Catch::Contains;

const std::string on_digits = "ascribe run --model digits/model.pt --rules epsilon_plus --target 3 --output r.npy ";

// The three of the examples, as a picture in colour.
at::Tensor three_in_colour() {
  auto three = files::read_npy(ASCRIBE_EXAMPLES "/digits/three.npy");
  return three[0][0].div(three.max()).mul(255).round().to(at::kByte).unsqueeze(2).expand({-1, -1, 3}).contiguous();
}

TEST_CASE("a picture that does not fit a model is told by its dimension, with the option that mends it") {
  Folder folder;
  auto three = three_in_colour();
  auto side = three.size(0);
  files::write_png(folder / "three.png", three);
  files::write_png(folder / "large.png", three.repeat_interleave(3, 0).repeat_interleave(3, 1));
  auto colour = run_shell(folder, on_digits + "--input three.png");
  CHECK(colour.code == 3);
  CHECK(colour.err == "error[A0703]: input 'three.png' has 3 channels ([1, 3, " + std::to_string(side) + ", " +
                          std::to_string(side) +
                          "]), and the model takes 1\n  = help: add `--grey`, which makes one channel of three\n");
  auto large = run_shell(folder, on_digits + "--input large.png --grey");
  CHECK(large.code == 3);
  CHECK_THAT(large.err, Contains("error[A0609]: layer 'classifier' (linear) cannot run: it takes ") &&
                            Contains("numbers of each sample, and gets ") &&
                            Contains("= note: input 'large.png' has ") &&
                            Contains("is likely not the size that the model takes") &&
                            Contains("= help: add `--resize` and `--crop`"));
  auto fitting = run_shell(folder, on_digits + "--input large.png --grey --resize " + std::to_string(side));
  CHECK(fitting.err == "");
  CHECK(fitting.code == 0);
  CHECK(files::read_npy(folder / "r.npy").sizes() == at::IntArrayRef({1, 1, side, side}));
  files::write_npy(folder / "array.npy", at::ones({1, 3, side, side}));
  CHECK_THAT(run_shell(folder, "ascribe layers --model digits/model.pt --input array.npy").err,
             Contains("input 'array.npy' has 3 channels") && Contains("help: give 1 channel in dimension 1"));
}

TEST_CASE("a list, a pattern or a folder of one is that one; of many, one is offered") {
  Folder folder;
  for (std::string input : {"- <list", "@list", "'digits/thr*.npy'"}) {
    folder.file("list", "digits/three.npy\n");
    auto ran = run_shell(folder, on_digits + "--input " + input);
    CHECK(ran.err == "");
    CHECK(ran.code == 0);
  }
  auto none = run_shell(folder, on_digits + "--input 'digits/*.jpg'");
  CHECK(none.code == 3);
  CHECK_THAT(none.err, Contains("error[A0001]: no file matches 'digits/*.jpg'"));
}

TEST_CASE("zeros around a small picture are warned of, and the work is done") {
  Folder folder;
  files::write_png(folder / "small.png", at::full({2, 2, 3}, 9, at::kByte));
  auto small =
      run_shell(folder, on_digits + "--input small.png --grey --crop " + std::to_string(three_in_colour().size(0)));
  CHECK(small.code == 0);
  CHECK_THAT(small.err, Contains("warning[A0703]: picture 'small.png' has 2 × 2 pixels, less than --crop asks for"));
}

TEST_CASE("the options of run stand below headings") {
  Folder folder;
  auto help = run_shell(folder, "ascribe run --help").out;
  for (auto heading :
       {"\nModel and rules:\n", "\nInput:\n", "\nPictures:\n", "\nWhere relevance starts:\n", "\nResults:\n"}) {
    INFO(heading);
    CHECK(help.find(heading) != std::string::npos);
  }
  CHECK_THAT(help, Contains("--prepare") && Contains("--recursive"));
}

}  // namespace
}  // namespace test
