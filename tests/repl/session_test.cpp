// What a session says to what is entered, and that a mistake changes nothing.
#include <ATen/ATen.h>

#include "interpreter/files/npy.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"
#include "tests/repl/entered.hpp"

using namespace ascribe;
using Catch::Contains;
using Catch::StartsWith;
using test::Entering;
using test::Folder;
using test::mistake;

namespace {

const std::string digits = ASCRIBE_EXAMPLES "/digits/";

at::Tensor tensor(const Entering& entering, const std::string& name) {
  return std::get<repl::TensorValue>(entering.session.state().values.find(name)->second).tensor;
}

}  // namespace

TEST_CASE("an expression prints its value") {
  Entering enter;
  CHECK(enter("1 + 2 * 3").text == "7\n");
  CHECK(enter("1 < 2").text == "true\n");
  CHECK(enter("[[1, -2], [3, 4]]").text == "float64 [2, 2], range -2 to 4, sum 6, NaN 0\n[[ 1, -2],\n [ 3,  4]]\n");
  CHECK_THAT(enter("log([[-1, 1]])").text, StartsWith("float64 [1, 2], range 0 to 0, sum nan, NaN 1\n"));
  CHECK_THAT(enter("1 / [[0, 1]]").text, Contains("infinite 1"));
  CHECK(enter("[[0]] / [[0]]").text == "float64 [1, 1], sum nan, NaN 1\n[[nan]]\n");  // however the machine signs it
  CHECK(enter("[[1, 2]] > 1").text == "false: 1 of 2 hold\n");
}

TEST_CASE("a large tensor is shortened") {
  Entering enter;
  auto text = enter("random(3, 3, 64, 64, seed = 1)").text;
  CHECK_THAT(text, StartsWith("float64 [3, 3, 64, 64], range "));
  CHECK_THAT(text, Contains("…"));
  CHECK(std::count(text.begin(), text.end(), '\n') < 30);
  for (std::size_t begin = 0; begin < text.size();) {
    auto end = text.find('\n', begin);
    CHECK(end - begin <= 90);
    begin = end + 1;
  }
}

TEST_CASE("values have names, and expressions use them") {
  Entering enter;
  CHECK(enter("a = 0.5").text == "a: 0.5\n");
  CHECK(enter("z = [[1, 2]]; b = z > 1").text ==
        "z: float64 [1, 2], range 1 to 2, sum 3, NaN 0\nb: truth [1, 2], 1 of 2 hold\n");
  CHECK(enter("a * z == [[0.5, 1]] and 2 * a == 1").text == "true\n");
  CHECK_THAT(enter("if b then z else 0").text, Contains("[[0, 2]]"));
  CHECK_THAT(enter("[[a, 2 * a]]").text, Contains("[[0.5,   1]]"));
  CHECK_THAT(enter("s = sum(z)").text, StartsWith("s: float64 [1]"));
  CHECK_THAT(enter("z / s").text, Contains("sum 1,"));
}

TEST_CASE("a layer is a model, and x is its input") {
  Entering enter;
  CHECK(enter("layer = linear(weight = [[1, 1]])").text == "layer: model of 1 layer: linear\n");
  enter("x = [[0.5, 0.5]]");
  CHECK_THAT(enter("y").text, Contains("[[1]]"));
  CHECK_THAT(enter("relevance(std.epsilon(0.01))").text, Contains("sum 0.990099"));
  CHECK(enter("sum(relevance(epsilon(0.01))) == 0.9901 within 1e-4").text == "true\n");
  enter("R = 2");
  CHECK_THAT(enter("relevance(epsilon(0))").text, Contains("sum 2,"));
  enter("R = 3 * y");
  CHECK_THAT(enter("relevance(epsilon(0))").text, Contains("sum 3,"));
  enter(":reset R");
  CHECK_THAT(enter("relevance(epsilon(0))").text, Contains("sum 1,"));
}

TEST_CASE("the model that was named last is the current one") {
  Entering enter;
  enter("x = [[1, 2]]; layer = linear(weight = [[1, 1]]); net = [layer, relu, linear(weight = [[2]])]");
  CHECK_THAT(enter("y").text, Contains("[[6]]"));
  CHECK_THAT(enter("net").text, StartsWith("model of 3 layers: linear, relu, linear\n   0  linear  weight [1, 2]\n"));
  enter("model = layer");
  CHECK_THAT(enter("y").text, Contains("[[3]]"));
  enter("x = [[2, 2]]");  // y follows
  CHECK_THAT(enter("y").text, Contains("[[4]]"));
}

TEST_CASE("relevance of a session is that of test blocks") {
  Entering enter;
  enter("net = [conv2d(3, 8, kernel = 3, seed = 1), relu, flatten, linear(288, 4, seed = 2)]");
  enter("x = random(2, 3, 8, 8, seed = 2)");
  enter("a = relevance(epsilon_plus)");
  auto answer = enter(
      "test \"the same\" {\n"
      "  model = [conv2d(3, 8, kernel = 3, seed = 1), relu, flatten, linear(288, 4, seed = 2)]\n"
      "  x = random(2, 3, 8, 8, seed = 2)\n"
      "  expect sum(relevance(epsilon_plus), 1, 2, 3) == sum(relevance(epsilon_plus), 1, 2, 3)\n"
      "}");
  CHECK(answer.text == "passed: the same\n");
  auto relevance = tensor(enter, "a");
  CHECK(relevance.sizes() == at::IntArrayRef({2, 3, 8, 8}));
  CHECK(relevance.isfinite().all().item<bool>());
  CHECK_THAT(enter("relevance(zplus) == relevance(gamma(1000)) within 1e-2").text,
             Contains("\ntrue") || Contains("\nfalse"));
}

TEST_CASE("definitions are entered over several lines, replaced, and in front of the standard ones") {
  Entering enter;
  CHECK(enter("rule mine(scale = 2) {").text == "incomplete");
  CHECK(enter("  backward = scale * R\n}").text == "rule mine(scale = 2)\n");
  CHECK(enter("fn doubled(z) = 2 * z").text == "fn doubled(z)\n");
  enter("layer = relu; x = [[1, 2]]");
  CHECK_THAT(enter("relevance(mine, target = \"all\")").text, Contains("[[2, 4]]"));
  CHECK_THAT(enter("doubled(x)").text, Contains("[[2, 4]]"));
  enter("rule mine { backward = 5 * R }");
  CHECK_THAT(enter("relevance(mine, target = \"all\")").text, Contains("[[ 5, 10]]"));
  enter("rule pass { backward = 7 * R }");
  CHECK_THAT(enter("relevance(pass, target = \"all\")").text, Contains("[[ 7, 14]]"));
  CHECK_THAT(enter("relevance(std.pass, target = \"all\")").text, Contains("[[1, 2]]"));
}

TEST_CASE("every mistake has its code and place, and changes nothing") {
  struct Case {
    const char *input, *message;
  };
  auto [input, message] = GENERATE(values<Case>({
      {"z", "A0201 input:5:1:1 unknown name `z`"},
      {"k = 7; z", "A0201 input:5:1:8 unknown name `z`"},
      {"x = 3", "A0703 input:5:1:1 `x` is numbers with a batch dimension, not a number"},
      {"x = layer", "A0703 input:5:1:1 `x` is numbers with a batch dimension, not a model of 1 layer"},
      {"y = 3", "A0206 input:5:1:1 `y` cannot be redefined"},
      {"w = 3", "A0206 input:5:1:1 `w` cannot be redefined"},
      {"model = 3", "A0208 input:5:1:1 `model` is a model, not a number"},
      {"input = 3", "A0106 input:5:1:1 `input` is a reserved word, not a name"},
      {"2 * layer", "A0208 input:5:1:5 `layer` is a model, not a value"},
      {"zplus", "A0208 input:5:1:1 `zplus` is a rule, not a value"},
      {"epsilon_plus(0.1)", "A0208 input:5:1:1 `epsilon_plus` is a composite, not a value"},
      {"relevance(zplu)", "A0202 input:5:1:11 unknown rule or composite `zplu`"},
      {"relevance(alpha_beta(2, 2))",
       "A0305 input:5:1:11 `alpha_beta(alpha = 2, beta = 2, epsilon = 1e-06)` is refused: alpha - beta has to be 1"},
      {"2 * explain(zplus)", "A0209 input:5:1:5 `explain` stands by itself, in no expression"},
      {"explain()", "A0301 input:5:1:1 `explain` takes 1 or 2 arguments without a name, not 0"},
      {"explain(zplus, targt = 3)", "A0302 input:5:1:16 `explain` has no argument `targt`"},
      {"explain(zplus, target = 3)", "A0704 input:5:1:1 target 3 is out of range: the model has 2 outputs"},
      {"explain(zplus, target = 0.5)", "A0208 input:5:1:25 an index of the output is a whole number"},
      {"explain(x, zplus)", "A0208 input:5:1:9 `x` is a tensor, float64 [1, 2], not a model"},
      {"explain(zplus, colour_map = \"coldhot\")", "A0705 input:5:1:29 there is no colour map 'coldhot'"},
      {"explain(zplus, clip = 0)", "A0208 input:5:1:23 `clip` is a percentage above 0 and up to 100"},
      {"compare(zplus)", "A0301 input:5:1:1 `compare` takes 2 to 9 arguments without a name, not 1"},
      {"layer = linear(3)", "A0304 input:5:1:9 `linear` needs its `weight`, or `in` and `out`"},
      {"layer = linear(3, 2, sed = 1)", "A0302 input:5:1:22 `linear` has no argument `sed`"},
      {"net = [layer, nothing]", "A0204 input:5:1:15 unknown layer kind `nothing`"},
      {"x = random(1, 3); y",
       "A0703 input:3:1:9 layer '0' (linear) cannot take an input of shape [1, 3]: mat1 and mat2 "
       "shapes cannot be multiplied (1x3 and 2x2)"},
      {"rule mine { backward = z }", "A0201 input:5:1:24 unknown name `z`"},
      {"rule mine(more) { backward = more * R }", "A0304 input:4:1:24 `mine` needs `more`"},
      {"test \"t\" { model = relu; x = [[1]]; expect x == 2 }", "A0901 input:5:1:44 the expectation does not hold"},
      {"pack p { version = \"1.0.0\"; language = 1 }", "A0803 input:5:1:1 `pack` stands in pack.rule only"},
      {"load(\"nowhere.pt2\")", "A0001 input:5:1:1 cannot read model 'nowhere.pt2': no such file"},
      {"load(3)", "A0208 input:5:1:6 the file is a string"},
      {"image(\"nowhere.png\")", "A0001 input:5:1:1 cannot read 'nowhere.png': no such file"},
      {"import \"nowhere\" as n", "A0801 input:5:1:8 cannot import 'nowhere': no such file or folder"},
      {":x", "A0705 input:5:1:1 there is no command `:x`"},
      {":re", "A0705 input:5:1:1 `:re` may be :reload or :reset"},
      {":load", "A0705 input:5:1:1 `:load` needs an argument"},
      {":load nowhere.rule", "A0001 cannot read 'nowhere.rule': no such file"},
      {":quit now", "A0705 input:5:1:7 `:quit` takes no argument"},
      {":type z", "A0201 input:5:1:7 unknown name `z`"},
      {":time rule a = epsilon", "A0705 input:5:1:7 one expression is needed here"},
      {":help zplsu", "A0705 input:5:1:7 there is no help on `zplsu`"},
      {":reset nothing", "A0201 input:5:1:8 nothing that was entered is called `nothing`"},
      {":reset mine", "A0202 input:4:1:24 unknown rule or composite `mine`"},
  }));
  Entering enter;
  enter("rule mine { backward = R }\nx = [[1, 2]]\nlayer = linear(2, 2, seed = 1)\ncomposite all { any => mine }");
  auto before = enter.session.state();
  auto answer = enter(input);
  INFO(input);
  CHECK(answer.failed);
  CHECK(mistake(answer) == message);
  CHECK(answer.text == "");
  auto& after = enter.session.state();
  CHECK(after.values.size() == before.values.size());
  CHECK(after.model == before.model);
  CHECK(tensor(enter, "x").sizes() == at::IntArrayRef({1, 2}));
  CHECK(&after.definitions.own() == &before.definitions.own());
  CHECK_THAT(enter("relevance(all, target = 1)").text, StartsWith("float64 [1, 2]"));
}

TEST_CASE("a definition has the messages that it has in a file") {
  for (std::string text :
       {"rule r { map = Q }", "rule r { param = w * x }", "rule r { map = R / y; map = R }", "rule zplus { input = y }",
        "composite c { linear => zplsu; any => epsilon(1, 2, 3) }", "composite c { liner => pass }", "fn f(z, z) = z",
        "rule r = r", "rule r(unused = 2) { backward = R }", "pack acme { version = \"1.0.0\"; language = 1 }",
        "rule r { foo = 2 }", "rule r { backward = 0 < y < 1 }", "test \"t\" { model = relu }",
        "rule a { map = R / y }", "rule \xff { }"}) {
    INFO(text);
    std::vector<Diagnostic> of_file;
    try {
      of_file = Pack::parse(text, "input:1").warnings();
    } catch (const Error& error) {
      of_file = error.diagnostics();
    }
    CHECK(!of_file.empty());
    CHECK(render_text(Entering()(text).messages) == render_text(of_file));
  }
}

TEST_CASE("what needs a model or an input says so") {
  Entering enter;
  CHECK(mistake(enter("y")) == "A0201 input:1:1:1 there is no model yet");
  CHECK(mistake(enter("relevance(zplus)")) == "A0201 input:2:1:1 there is no model yet");
  CHECK_THAT(enter("relevance(zplus)").messages.front().help, StartsWith("build one, `layer = linear(3, 2)`"));
  enter("layer = relu");
  CHECK(mistake(enter("x + 1")) == "A0201 input:5:1:1 there is no x yet");
  CHECK(mistake(enter("explain(zplus)")) == "A0201 input:6:1:1 there is no x yet");
}

TEST_CASE("what has a name is told in one list") {
  Entering enter;
  CHECK_THAT(enter(":type").text, StartsWith("nothing has a name yet"));
  enter("x = [[1, 2]]; net = relu; layer = linear(2, 3); k = 3; k");
  CHECK(enter(":type").text ==
        "k: a number\nlayer: a model of 1 layer, the current model\nnet: a model of 1 layer\nx: a tensor, float64 [1, "
        "2]\n");
}

TEST_CASE("mistakes of one input are reported together") {
  Entering enter;
  CHECK(enter("a1 + b1").messages.size() == 2);
}

TEST_CASE("names may be as layers, functions and session calls are called") {
  Entering enter;
  enter("image = [[1, 2]]; linear = 3; zplus = 4");
  CHECK_THAT(enter("image * linear * zplus").text, Contains("[[12, 24]]"));
  enter("layer = linear(2, 1, seed = 1); x = image");
  CHECK_THAT(enter("relevance(zplus)").text, StartsWith("float64 [1, 2]"));
  CHECK(enter("fn explain(z) = 2 * z\nexplain(3)").text == "6\n");
}

TEST_CASE("a model is loaded and explained, with its heatmap and its layers") {
  Entering enter;
  CHECK_THAT(enter("model = load(\"" + digits + "model.pt\")").text, StartsWith("model: model from "));
  CHECK_THAT(enter("x = load(\"" + digits + "three.npy\")").text, StartsWith("x: float32 [1, 1, "));
  auto text = enter("explain(model, epsilon_plus, target = 3)").text;
  CHECK_THAT(text, StartsWith("epsilon_plus\n") && Contains("scale: ±") && Contains("rules: epsilon_plus(") &&
                       Contains("prediction: 3") && Contains("conv2d") && Contains("relevance of the input [1, 1, "));
  CHECK_THAT(enter("r = explain(epsilon_plus, target = [3, 8])").text, Contains("\nr: float32 [1, 1, "));
  auto compared = enter("compare(zplus, gamma(0.5), target = 3)").text;
  CHECK_THAT(compared,
             StartsWith("zplus ") && Contains("gamma(0.5) ") && Contains("difference ") && Contains("cosine"));
  auto several =
      enter("compare(model, zplus, gamma(0.5), epsilon, target = 3, colour_map = \"coldnhot\", clip = 90)").text;
  CHECK_THAT(several, StartsWith("zplus ") && Contains("epsilon ") && !Contains("difference ") &&
                          Contains("cosine to the first") && Contains(", clipped"));
}

TEST_CASE("explain starts from R, from the largest class, or from everything") {
  Entering enter;
  enter("layer = linear(weight = [[1, 0], [0, 3]]); x = [[1, 2]]");
  auto sum_of = [&](const std::string& call) {
    enter("r = " + call);
    return tensor(enter, "r").sum().item<double>();
  };
  CHECK(sum_of("explain(epsilon(0))") == Approx(6));
  CHECK(sum_of("explain(epsilon(0), target = 0)") == Approx(1));
  CHECK(sum_of("explain(epsilon(0), target = [0, 1])") == Approx(7));
  CHECK(sum_of("explain(layer, epsilon(0), target = \"all\")") == Approx(7));
  CHECK(sum_of("explain([linear(weight = [[5, 5]])], epsilon(0), x = [[1, 1]])") == Approx(10));
  enter("R = [[10, 20]]");
  CHECK(sum_of("explain(epsilon(0))") == Approx(30));
}

TEST_CASE("pictures are normalised") {
  Folder folder;
  files::write_npy(folder / "picture.npy", at::full({1, 3, 2, 2}, 0.5));
  Entering enter;
  auto path = (folder / "picture.npy").string();
  enter("p = image(\"" + path + "\", mean = [0.5, 0.25, 0], std = 0.5)");
  CHECK(tensor(enter, "p").equal(at::tensor({0.0, 0.5, 1.0}).reshape({1, 3, 1, 1}).expand({1, 3, 2, 2})));
  CHECK_THAT(mistake(enter("image(\"" + path + "\", mean = [1, 2])")), Contains("one for each of the 3 channels"));
  CHECK_THAT(mistake(enter("image(\"" + path + "\", std = 0)")), Contains("`std` has to be positive"));
}

TEST_CASE("whole numbers from a file are numbers in expressions") {
  Folder folder;
  files::write_npy(folder / "whole.npy", at::tensor({1, 2}, at::kLong).reshape({1, 2}));
  Entering enter;
  enter("x = load(\"" + (folder / "whole.npy").string() + "\")");
  CHECK_THAT(enter("x / 4").text, Contains("[[0.25,  0.5]]"));
  enter("layer = linear(weight = [[1, 1]])");
  CHECK_THAT(enter("y").text, Contains("[[3]]"));
}

TEST_CASE("commands") {
  Entering enter;
  SECTION("a prefix is enough where it is the only one") {
    CHECK(enter(":q").quits);
    CHECK_THAT(enter(":h").text, StartsWith("What can be entered:"));
  }
  SECTION("type") {
    enter("x = [[1, 2]]; layer = relu");
    CHECK(enter(":type x").text == "a tensor, float64 [1, 2]\n");
    CHECK(enter(":type layer").text == "a model of 1 layer\n");
    CHECK(enter(":t 1 + 1").failed);  // :type or :time
    CHECK(enter(":ty 1 + 1").text == "a number\n");
    CHECK(enter(":type sum(x)").text == "one number for each sample\n");
    CHECK(enter(":type x > 1").text == "truth values, one for each element\n");
    CHECK(enter(":type relevance(zplus)").text == "a tensor\n");
    CHECK(enter(":type [linear(2, 2), relu]").text == "a model\n");
    CHECK(enter(":type pass").text == "rule pass\n");
  }
  SECTION("time") {
    enter("x = random(1, 10, seed = 1)");
    CHECK_THAT(enter(":time x * x").text, Contains(" µs") || Contains(" ms") || Contains(" s"));
    CHECK(enter.session.state().values.size() == 1);
  }
  SECTION("rules") {
    enter("## Mine: it hands all on.\nrule mine { backward = R }");
    auto text = enter(":rules").text;
    CHECK_THAT(text, StartsWith("Entered:\n  rule mine") && Contains("Mine: it hands all on.") &&
                         Contains("Standard:\n") && Contains("rule zplus ") && Contains("composite epsilon_plus ") &&
                         Contains("fn clipped("));
    CHECK_THAT(enter(":rules epsilon*").text, Contains("epsilon_gamma_box") && !Contains("zplus "));
    CHECK(enter(":rules nothing*").text == "no rule, composite or function is called `nothing*`\n");
  }
  SECTION("reset") {
    enter("x = [[1, 2]]; a = 1; rule mine { backward = R }");
    enter("composite uses { any => mine }");
    CHECK_THAT(mistake(enter(":reset mine")), StartsWith("A0202") && Contains("unknown rule or composite `mine`"));
    CHECK(!enter(":reset a").failed);
    CHECK(enter("a").failed);
    CHECK(!enter(":reset mine uses").failed);  // both at once: one needs the other
    CHECK(enter("rule another = mine").failed);
    enter(":reset");
    CHECK(enter("x").failed);
    CHECK(enter.session.state().values.empty());
  }
}

TEST_CASE("help knows every topic, command, call, rule, function, layer and code") {
  Entering enter;
  enter("## Mine.\nrule mine { backward = R }");
  auto overview = enter(":help").text;
  for (auto& each : repl::commands()) {
    INFO(each.name);
    CHECK_THAT(overview, Contains(":" + std::string(each.name)));
    CHECK_THAT(enter(":help :" + std::string(each.name)).text, Contains(std::string(each.summary)));
  }
  for (auto topic : {"values", "definitions", "relevance", "layers", "functions", "limits", "editing", "zplus",
                     "std.zplus", "epsilon_plus", "clipped", "mine", "conv2d", "sum", "explain", "image", "A0207"}) {
    INFO(topic);
    CHECK(!enter(std::string(":help ") + topic).failed);
  }
  CHECK_THAT(enter(":help mine").text, StartsWith("## Mine.\nrule mine"));
  CHECK_THAT(enter(":help zplus").text, Contains("rule zplus(") && Contains("Source:"));
  CHECK_THAT(enter(":help A0207").text, StartsWith("A0207: "));
}

TEST_CASE("an evaluation has limits, and the session goes on") {
  SECTION("of memory") {
    Entering enter({.limits = {.memory = 1 << 20}});
    enter("a = random(1, 1000, seed = 1)");
    CHECK(mistake(enter("random(1, 1000000, seed = 1)")) == "A0004 the evaluation needs more than 1 MiB of memory");
    CHECK_THAT(enter("a").text, StartsWith("float64 [1, 1000]"));
    CHECK(!enter("random(1, 20000, seed = 1)").failed);  // what was given back may be taken again
  }
  SECTION("of time") {
    Entering enter({.limits = {.time = std::chrono::milliseconds(1)}});
    auto answer =
        enter("net = [linear(1000, 1000, seed = 1), linear(1000, 1000, seed = 2), linear(1000, 1000, seed = 3)]");
    CHECK(mistake(answer) == "A0004 the evaluation took more than 0.001 seconds, and was stopped");
    CHECK(enter.session.state().values.empty());
    CHECK(enter("1 + 1").text == "2\n");
  }
  SECTION("and can be stopped") {
    std::atomic<int> asked = 0;
    Entering enter({.interrupted = [&] { return ++asked > 20; }});
    auto answer =
        enter("net = [linear(10, 10, seed = 1), linear(10, 10, seed = 2)]; x = random(1, 10); a = relevance(zplus)");
    CHECK(answer.interrupted);
    CHECK(answer.text == "");
    CHECK(enter.session.state().values.empty());
    asked = -1'000'000;
    CHECK(enter("1 + 1").text == "2\n");
  }
}

TEST_CASE("inputs that were entered as one are as if they had not been where one of them fails or is stopped") {
  auto all_of = [](std::initializer_list<std::string_view> lines) {
    repl::InputReader reader(repl::InputReader::Naming::by_number);
    std::vector<repl::Entered> out;
    for (auto line : lines)
      if (auto entered = reader.add(line)) out.push_back(std::move(*entered));
    return out;
  };
  std::atomic<bool> stops = false;
  Entering enter({.interrupted = [&] { return stops.load(); }});
  enter("a = 1");
  auto answer = enter.session.run(all_of({"b = 2", "a = 5", "a + nothing"}));
  CHECK(answer.failed);
  CHECK(answer.text == "");
  CHECK(enter("a").text == "1\n");
  CHECK(enter("b").failed);
  CHECK(enter.session.run(all_of({"b = 2", "c = )"})).failed);
  CHECK(enter("b").failed);
  stops = true;
  CHECK(enter.session.run(all_of({"b = 2", "c = random(10, 10)"})).interrupted);
  stops = false;
  CHECK(enter("b").failed);
  CHECK(enter.session.run(all_of({"b = 2", "a + b", ":quit", "c = 3"})).text == "b: 2\n3\n");
  CHECK(enter("c").failed);
}

TEST_CASE("large and deep inputs work or are refused") {
  Entering enter;
  CHECK_THAT(mistake(enter(std::string(1'000, '(') + "1" + std::string(1'000, ')'))),
             StartsWith("A0005 input:1:1:129"));
  std::string list = "a = [[1";
  for (int i = 0; i < 20'000; ++i) list += ", 1";
  CHECK_THAT(enter(list + "]]").text, StartsWith("a: float64 [1, 20001], range 1 to 1, sum 20001"));
  CHECK_THAT(mistake(enter("b = " + std::string(1 << 20, ' ') + "1")), StartsWith("A0004"));
  CHECK_THAT(mistake(enter("random(100000000)")), Contains("a whole number from 0 to 16777216"));
  CHECK_THAT(mistake(enter("random(10000, 10000)")), StartsWith("A0004"));
}

TEST_CASE("what a definition needs is not taken from it, and the message says so") {
  Entering enter;
  enter("rule a = epsilon");
  enter("rule b = a");
  auto answer = enter(":reset a");
  CHECK(mistake(answer) == "A0202 input:2:1:10 unknown rule or composite `a`");
  CHECK(answer.messages[0].note == "this was entered, and needs what would be gone or replaced");
  CHECK(answer.messages[0].help == "`:reset` it, too, or enter it anew first");
  CHECK(!enter(":reset a b").failed);
}

TEST_CASE("commands on an expression take no names for values") {
  Entering enter;
  CHECK(mistake(enter(":time a = 1 + 1")) == "A0705 input:1:1:7 one expression is needed here");
  CHECK(mistake(enter(":type a = 1 + 1")) == "A0705 input:2:1:7 one expression is needed here");
  CHECK(mistake(enter("k.soft")) == "A0201 input:3:1:1 unknown pack `k`");
}
