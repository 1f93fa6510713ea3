// Where relevance starts in a session: everywhere the same, and as `ascribe run` has it.
#include <ATen/ATen.h>

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

// Outputs 1, 6 and 4, of one sample.
struct WithClasses : Entering {
  WithClasses() { (*this)("layer = linear(weight = [[1, 0], [0, 3], [2, 1]]); x = [[1, 2]]"); }

  double sum_of(const std::string& call) {
    auto answer = (*this)("r = " + call);
    INFO(call << ": " << mistake(answer));
    REQUIRE(!answer.failed);
    return std::get<repl::TensorValue>(session.state().values.find("r")->second).tensor.sum().item<double>();
  }
};

}  // namespace

TEST_CASE("relevance, explain and compare start from the largest output, and say so") {
  WithClasses enter;
  CHECK(enter.sum_of("relevance(epsilon(0))") == Approx(6));
  CHECK(enter.sum_of("explain(epsilon(0))") == Approx(6));
  CHECK(enter.sum_of("1 * relevance(epsilon(0))") == Approx(6));
  for (auto* call : {"relevance(epsilon)", "explain(epsilon)", "compare(epsilon, zplus, flat)"})
    CHECK_THAT(enter(call).text, StartsWith("from 1, the largest output\n"));
  CHECK_THAT(enter("r = relevance(epsilon)").text, StartsWith("from 1, the largest output\nr: "));
  CHECK_THAT(enter("relevance(epsilon, target = 1)").text, StartsWith("float64"));
  enter("x = [[1, 2], [9, 0]]");
  CHECK_THAT(enter("relevance(epsilon)").text, StartsWith("from each sample's largest output: 1, 2\n"));
  enter("R = y");
  CHECK_THAT(enter("relevance(epsilon)").text, StartsWith("float64"));
  CHECK_THAT(enter("explain(epsilon)").text, StartsWith("epsilon\n"));
}

TEST_CASE("R is what relevance starts from, and expressions tell where that is") {
  WithClasses enter;
  CHECK(enter("R").text == "from 1, the largest output\nfloat64 [1, 3], range 0 to 6, sum 6, NaN 0\n[[0, 6, 0]]\n");
  for (auto* input : {"sum(relevance(epsilon(0))) == sum(R)", "sum(relevance(epsilon(0)))[0] == 6",
                      "1 * relevance(epsilon(0), x = x) == relevance(epsilon(0))"})
    CHECK(enter(input).text == "from 1, the largest output\ntrue\n");
  CHECK(enter("sum(relevance(epsilon(0), target = 0)) == 1").text == "true\n");
  CHECK_THAT(enter("a = sum(relevance(epsilon))").text, StartsWith("from 1, the largest output\na: "));
  enter("R = 2 * y");
  CHECK(enter("sum(relevance(epsilon(0))) == sum(R)").text == "true\n");
  CHECK(enter("layer = conv2d(1, 2, kernel = 1, seed = 1); x = random(1, 1, 2, 2, seed = 1)").messages.empty());
  enter(":reset R");
  CHECK(enter("R == y").text == "true\n");  // outputs that are no classes
}

TEST_CASE("labels that cannot be had say why") {
  Folder folder;
  folder.file("empty.txt", "\n");
  folder.file("model.pt", std::string("PK\3\4\0\0", 6));
  std::filesystem::create_directories(folder / "names");
  Entering enter;
  for (auto& [name, why] : std::initializer_list<std::pair<const char*, const char*>>{{"nowhere.txt", "no such file"},
                                                                                      {"empty.txt", "it is empty"},
                                                                                      {"model.pt", "it is no text"},
                                                                                      {"names", "it is a folder"}}) {
    INFO(name);
    auto answer = enter(":labels " + (folder / name).string());
    CHECK_THAT(mistake(answer), StartsWith("A0001 cannot read labels '") && Catch::EndsWith(why));
  }
}

TEST_CASE("targets are what they are on a command line") {
  WithClasses enter;
  for (std::string call : {"relevance", "explain"}) {
    CHECK(enter.sum_of(call + "(epsilon(0), target = 0)") == Approx(1));
    CHECK(enter.sum_of(call + "(layer, epsilon(0), target = [0, 2])") == Approx(5));
    CHECK(enter.sum_of(call + "(epsilon(0), target = \"top2\")") == Approx(10));
    CHECK(enter.sum_of(call + "(epsilon(0), target = \"all\")") == Approx(11));
    CHECK(enter.sum_of(call + "(epsilon(0), target = \"largest\")") == Approx(6));
    CHECK(enter.sum_of(call + "(epsilon(0), target = 1, against = 0)") == Approx(5));
    CHECK(enter.sum_of(call + "(epsilon(0), against = [0])") == Approx(5));
    CHECK(enter.sum_of(call + "(epsilon(0), target = 0, x = [[7, 1]])") == Approx(7));
  }
  CHECK_THAT(enter("compare(epsilon(0), flat, target = 1, against = 0)").text, Contains("sum 5"));
  CHECK(enter("sum(relevance(epsilon(0), target = 1)) + sum(relevance(epsilon(0), target = 0)) == 7").text == "true\n");
}

TEST_CASE("labels name targets and predictions") {
  Folder folder;
  auto labels = folder.file("names.txt", "ant\nbee\ncat\n").string();
  auto others = folder.file("others.txt", "ant\nbee\n").string();
  WithClasses enter;
  CHECK(enter(":labels").text == "the outputs have no names\n");
  CHECK_THAT(mistake(enter("relevance(epsilon, target = \"bee\")")), Contains("`target` 'bee' is no index"));
  CHECK(enter(":labels " + labels).text == labels + ": 3 names\n");
  CHECK(enter.sum_of("relevance(epsilon(0), target = \"ant\")") == Approx(1));
  CHECK(enter.sum_of("explain(epsilon(0), target = [\"ant\", \"cat\"])") == Approx(5));
  CHECK(enter.sum_of("relevance(epsilon(0), target = \"bee\", against = \"ant\")") == Approx(5));
  CHECK_THAT(enter("relevance(epsilon)").text, StartsWith("from 1 bee, the largest output\n"));
  CHECK_THAT(enter("explain(epsilon, target = 0)").text, Contains("prediction: 1 bee") && Contains("target: 0 ant"));
  CHECK_THAT(mistake(enter("relevance(epsilon, target = \"dog\")")), StartsWith("A0704") && Contains("dog"));
  enter(":labels " + others);
  CHECK_THAT(mistake(enter("relevance(epsilon)")), Contains("has 2 names, and the model 3 outputs"));
  CHECK(enter(":labels none").text == "the outputs have no names\n");
  CHECK(!enter("relevance(epsilon)").failed);
  CHECK_THAT(mistake(enter(":labels nowhere.txt")), StartsWith("A0001"));
}

TEST_CASE("a position is one of those that the output has") {
  Entering enter;
  enter("layer = conv2d(1, 2, kernel = 1, weight = [[[[1]]], [[[2]]]])");
  if (enter.session.state().values.empty()) enter("layer = conv2d(1, 2, kernel = 1, seed = 1)");
  enter("x = random(1, 1, 3, 3, seed = 1)");
  enter("r = relevance(epsilon(0), target = 1, position = [0, -1])");
  auto& r = std::get<repl::TensorValue>(enter.session.state().values.find("r")->second).tensor;
  CHECK(r.count_nonzero().item<std::int64_t>() == 1);
  CHECK(r[0][0][0][2].item<double>() != 0);
  CHECK_THAT(mistake(enter("relevance(epsilon, target = 1, position = [0, 3])")), StartsWith("A0704"));
  CHECK_THAT(mistake(enter("relevance(epsilon, target = 1, position = \"here\")")), StartsWith("A0705"));
}

TEST_CASE("targets that are not there have one message, with their place") {
  struct Case {
    const char *input, *message;
  };
  auto [input, message] = GENERATE(values<Case>({
      {"relevance(epsilon, target = 3)", "A0704 input:2:1:1 target 3 is out of range: the model has 3 outputs"},
      {"relevance(epsilon, target = 0.5)", "A0208 input:2:1:29 an index of the output is a whole number"},
      {"relevance(epsilon, target = \"top0\")", "A0705 input:2:1:29 `target` 'top0' is no index"},
      {"relevance(epsilon, target = \"top9\")", "A0704 input:2:1:1 "},
      {"relevance(epsilon, target = [\"all\", 1])", "A0705 input:2:1:29 `target` all stands alone"},
      {"relevance(epsilon, target = 1, against = 1)",
       "A0705 input:2:1:29 output 1 is a target, and what it is against"},
      {"relevance(epsilon, target = [])", "A0704 input:2:1:29 an index of the output is missing: the list is empty"},
      {"relevance(epsilon, target = x)",
       "A0704 input:2:1:29 an index of the output is a whole number, a name, or a list of them"},
      {"relevance(epsilon, target = 1e300)", "A0208 input:2:1:29 "},
      {"relevance(epsilon, of_output = -1)", "A0208 input:2:1:32 "},
      {"relevance(epsilon, target = 0, target = 1)", "A0302 input:2:1:"},
      {"1 + relevance(epsilon, target = 3)", "A0704 input:2:1:5 target 3 is out of range: the model has 3 outputs"},
      {"1 + relevance(epsilon, targt = 3)", "A0302 input:2:1:24 `relevance` has no argument `targt`"},
      {"relevance()", "A0301 input:2:1:1 `relevance` takes 1 or 2 arguments without a name, not 0"},
  }));
  WithClasses enter;
  INFO(input);
  auto told = mistake(enter(input));
  if (std::string_view(input).find("target = 0, target") == std::string_view::npos)
    CHECK_THAT(told, StartsWith(message));
  CHECK_THAT(told, StartsWith("A0"));
}
