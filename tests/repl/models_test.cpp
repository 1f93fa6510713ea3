// Models of a session: what they take, what came from another one, and results in files.
#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>

#include "interpreter/files/npy.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"
#include "tests/repl/entered.hpp"

using namespace ascribe;
using Catch::Contains;
using Catch::StartsWith;
using test::bytes_of;
using test::Entering;
using test::Folder;
using test::mistake;

namespace {

const std::string examples = ASCRIBE_EXAMPLES "/";

struct WithDigits : Entering {
  WithDigits() {
    (*this)("model = load(\"" + examples + "digits/model.pt\"); x = load(\"" + examples + "digits/three.npy\")");
  }
};

std::string warnings_of(const repl::Answer& answer) { return render_text(answer.messages); }

}  // namespace

TEST_CASE("a model tells what it is, and its layers") {
  WithDigits enter;
  CHECK_THAT(enter(":model").text,
             StartsWith(examples + "digits/model.pt\nformat: TorchScript\n15338 parameters in 8 ") &&
                 Contains("input x: x\n"));
  CHECK_THAT(enter(":layers").text, StartsWith("layer ") && Contains("features.0 ") && !Contains("rule"));
  CHECK_THAT(enter(":layers --tree").text, Contains("├─ features\n") && Contains("└─ classifier"));
  CHECK_THAT(enter(":layers epsilon_plus --tree").text, Contains("zplus(…)") && Contains("├─ features\n"));
  CHECK_THAT(enter(":layers epsilon(0.5)").text, Contains("epsilon(") && Contains("layers have a rule"));
  CHECK_THAT(mistake(enter(":layers --tre")), StartsWith("A0705"));
  enter("model = load(\"" + examples + "text/model.pt2\")");
  CHECK_THAT(enter(":model").text,
             Contains("format: an exported program\n") && Contains("input x: ") && Contains("int64"));
  enter("layer = [linear(2, 2), relu]");
  CHECK_THAT(enter(":model").text, StartsWith("2 layers: linear, relu\n"));
  CHECK(mistake(Entering()(":model")) == "A0201 there is no model yet");
}

TEST_CASE("a model of several inputs takes x, x2 and so on") {
  Folder folder;
  torch::jit::Module module("model");
  module.define("def forward(self, x, scale, offset: Optional[Tensor] = None):\n  return x * scale\n");
  auto path = (folder / "model.pt").string();
  module.save(path);
  Entering enter;
  enter("model = load(\"" + path + "\"); x = [[1, 2]]");
  CHECK_THAT(enter(":model").text, Contains("input x: x\n") && Contains("input x2: scale\n"));
  CHECK_THAT(mistake(enter("y")), Contains("the model takes 2 inputs, and there is no x2 yet"));
  enter("x2 = [[3, 5]]");
  CHECK_THAT(enter("y").text, Contains("[[ 3, 10]]"));
  CHECK_THAT(enter(":layers").text, StartsWith("layer"));
  enter("composite all { any => epsilon }");
  CHECK(mistake(enter("explain(all, target = 1)")) == "no mistake: " + enter("explain(all, target = 1)").text);
  enter("x2 = [[1, 1]]");  // y follows
  CHECK_THAT(enter("y").text, Contains("[[1, 2]]"));
}

TEST_CASE("an input that the model does not take is told") {
  Entering enter;
  enter("layer = linear(weight = [[1, 1]]); x = [[1, 2]]");
  CHECK_THAT(warnings_of(enter("x2 = [[3, 5]]")), Contains("the model takes 1 input: `x2` is not given to it"));
  CHECK(enter("y").messages.empty());  // once is enough
  CHECK(enter("x2 = 3").messages.empty());
  enter("x2 = [[3, 5]]; x3 = x2");
  CHECK_THAT(warnings_of(enter("net = [layer, relu]")), Contains("`x2`, `x3` are not given to it"));
  enter(":reset x2 x3");
  CHECK(enter("net = [layer, relu]").messages.empty());
  CHECK(enter("x2 + 1").messages.front().help == "the model takes 1 input; `:model` tells which");
}

TEST_CASE("what came from another model is told where it is used") {
  WithDigits enter;
  enter("R = 2 * y; r = relevance(zplus, target = 3); part = r / 2; a = 3; kept = x");
  CHECK(enter("r").messages.empty());
  enter("model = load(\"" + examples + "digits/model.pt\")");
  for (auto* input : {"R", "r", "part", "part == x", "r[0]", "relevance(zplus)", "explain(zplus)"}) {
    INFO(input);
    auto answer = enter(input);
    CHECK(!answer.failed);
    CHECK_THAT(warnings_of(answer), Contains(" came from another model, ") && Contains("digits/model.pt"));
  }
  CHECK_THAT(warnings_of(enter("compare(zplus, epsilon)")),
             Contains("`R` came from another model") && Contains("`:reset R` forgets it"));
  for (auto* input : {"a", "kept", "y", "x[0]"}) {
    INFO(input);
    CHECK(enter(input).messages.empty());
  }
  enter(":reset R");
  CHECK(enter("relevance(zplus)").messages.empty());
  enter("R = y; model = linear(64, 2, seed = 1); x = random(1, 64)");
  auto answer = enter("relevance(zplus)");
  CHECK_THAT(mistake(answer), Contains("R has the shape [1, 10]"));
  CHECK_THAT(answer.messages.front().note, Contains("R came from another model"));
}

TEST_CASE("results are written as `ascribe run` writes them") {
  Folder folder;
  WithDigits enter;
  auto path = [&](const char* name) { return (folder / name).string(); };
  CHECK_THAT(mistake(enter(":write " + path("x.npy"))), Contains("nothing was printed yet"));
  enter("relevance(epsilon_plus, target = 3)");
  CHECK_THAT(enter(":write " + path("r.npy")).text, StartsWith(path("r.npy") + ": float32 [1, 1, 8, 8]"));
  CHECK(files::read_npy(path("r.npy")).sizes() == at::IntArrayRef({1, 1, 8, 8}));
  enter("r = explain(epsilon_plus, target = 3, colour_map = \"coldnhot\"); 1");
  CHECK(!enter(":write " + path("r.png") + " r").failed);
  CHECK_THAT(bytes_of(path("r.png")), StartsWith("\x89PNG"));
  CHECK(!enter(":write \"" + path("a picture.svg") + "\" r").failed);
  CHECK_THAT(bytes_of(path("a picture.svg")), Contains("<svg") && Contains("class 3"));
  CHECK(!enter(":write " + path("r.html") + " r").failed);
  CHECK_THAT(bytes_of(path("r.html")), Contains("What model.pt looks at") && Contains("classifier"));
  CHECK(!enter(":write " + path("row.npy") + " r[0, 0, :, 3]").failed);
  CHECK(files::read_npy(path("row.npy")).sizes() == at::IntArrayRef({8}));
  CHECK(!enter(":write " + path("one.npy")).failed);
  enter("compare(zplus, epsilon)");
  CHECK(!enter(":write " + path("difference.png")).failed);
}

TEST_CASE("what cannot be written leaves no file") {
  Folder folder;
  WithDigits enter;
  auto path = [&](const char* name) { return (folder / name).string(); };
  auto copy = folder.file("three.npy", bytes_of(examples + "digits/three.npy")).string();
  enter("x = load(\"" + copy + "\")");
  auto files = folder.files();
  CHECK_THAT(mistake(enter(":write " + path("nowhere/x.npy") + " x")),
             StartsWith("A0002") && Contains("does not exist"));
  CHECK_THAT(mistake(enter(":write " + path("x.txt") + " x")), StartsWith("A0705"));
  CHECK_THAT(mistake(enter(":write " + path("x.html") + " x")), StartsWith("A0705"));
  CHECK_THAT(mistake(enter(":write " + path("m.npy") + " model")), StartsWith("A0705"));
  CHECK_THAT(mistake(enter(":write " + path("n.png") + " 3")), StartsWith("A0705"));
  CHECK_THAT(mistake(enter(":write " + path("z.png") + " random(1, 1, 0, 0)")), StartsWith("A0"));
  CHECK_THAT(mistake(enter(":write " + copy + " x + 1")), Contains("would be overwritten"));
  CHECK_THAT(mistake(enter(":write " + path("u.npy") + " unknown")), StartsWith("A0201"));
  CHECK_THAT(mistake(enter(":write")), Contains("needs an argument"));
  CHECK(folder.files() == files);
}
