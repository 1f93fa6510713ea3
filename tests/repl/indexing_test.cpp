// Parts of tensors, and the value that was printed last.
#include "interpreter/command/repl/indexing.hpp"

#include <ATen/ATen.h>

#include "tests/catch.hpp"
#include "tests/repl/entered.hpp"

using namespace ascribe;
using Catch::Contains;
using Catch::StartsWith;
using test::Entering;
using test::mistake;

namespace {

struct WithTensor : Entering {
  WithTensor() {
    (*this)("a = [[1, 2, 3, 4], [5, 6, 7, 8]]; k = 1");
    (*this)("layer = linear(weight = [[1, 0], [0, 3]]); x = [[1, 2]]");
  }
};

}  // namespace

TEST_CASE("indices and slices are those of NumPy") {
  WithTensor enter;
  struct Case {
    const char *input, *text;
  };
  for (auto& [input, text] : std::initializer_list<Case>{{"a[0]", "[1, 2, 3, 4]\n"},
                                                         {"a[-1, 2]", "7\n"},
                                                         {"a[:, 3]", "[4, 8]\n"},
                                                         {"a[0, 1:3]", "[2, 3]\n"},
                                                         {"a[0, ::2]", "[1, 3]\n"},
                                                         {"a[0, -2:]", "[3, 4]\n"},
                                                         {"a[k, k + 1]", "7\n"},
                                                         {"a [ 0 , 0 ]  # a comment [", "1\n"},
                                                         {"a[0][1]", "2\n"},
                                                         {"a[a[0, 0], 0]", "5\n"},
                                                         {"(a + 1)[1, 3] * 2", "18\n"},
                                                         {"[[1, 2], [3, 4]][1]", "[3, 4]\n"},
                                                         {"sum(a)[1] == 26 and (a > 2)[0, 3]", "true\n"},
                                                         {"y[0, 1] + x[0, 0]", "7\n"},
                                                         {"R[0]", "[0, 6]\n"},
                                                         {"relevance(epsilon(0), target = 1)[0, 1]", "6\n"},
                                                         {"max(relevance(epsilon(0), target = 1), 7)[0, 0]", "7\n"},
                                                         {"a[0, 2:2]", "float64 [0], no elements\n"},
                                                         {"a[0, 1:9]", "[2, 3, 4]\n"},
                                                         {"a[0, -9:2]", "[1, 2]\n"},
                                                         {"a[0, 7:9]", "float64 [0], no elements\n"},
                                                         {"a[..., 0]", "[1, 5]\n"},
                                                         {"a[1, ...]", "[5, 6, 7, 8]\n"},
                                                         {"a[0, ..., 2]", "3\n"},
                                                         {"a[0,\n1]", "2\n"}}) {
    INFO(input);
    auto answer = enter(input);
    CHECK(mistake(answer) == "no mistake: " + answer.text);
    CHECK_THAT(answer.text, Catch::EndsWith(text));
  }
  CHECK(enter("b = a[1]; b[2]").text == "b: float64 [4], range 5 to 8, sum 26, NaN 0\n7\n");
  CHECK(enter("z = a[:, 0:2]\n").text == "z: float64 [2, 2], range 1 to 6, sum 14, NaN 0\n");
  CHECK(enter(":type a[0]").text == "a tensor\n");
  CHECK_THAT(enter(":time a[0] * 2").text, Contains("s"));
}

TEST_CASE("what is not there is told with the shape") {
  WithTensor enter;
  struct Case {
    const char *input, *message;
  };
  for (auto& [input, message] : std::initializer_list<Case>{
           {"a[2]", "A0216 :1:1 index 2 is out of range in dimension 0 of the shape [2, 4]"},
           {"1 + a[0, -5]", "A0216 :1:5 index -5 is out of range in dimension 1 of the shape [2, 4]"},
           {"a[..., ...]", "A0208 :1:8 `...` stands in a part of a tensor once"},
           {"a[..., 0, 0, 0]", "A0216 :1:1 3 indices are too many for the shape [2, 4]"},
           {"a[None]", "A0208 :1:3 a part of a tensor has no new dimension"},
           {"a[a > 2]", "A0208 :1:3 an index is a whole number, not a truth value of each element"},
           {"a[0, 0, 0]", "A0216 :1:1 3 indices are too many for the shape [2, 4]"},
           {"a[9223372036854775807]",
            "A0216 :1:1 index 9223372036854775807 is out of range in dimension 0 of the shape [2, 4]"},
           {"a[99999999999999999999]", "A0208 :1:3 an index is a whole number"},
           {"a[0.5]", "A0208 :1:3 an index is a whole number"},
           {"a[\"x\"]", "A0208 :1:3 an index is a whole number"},
           {"a[]", "A0208 :1:3 an index is a whole number"},
           {"a[::0]", "A0216 :1:1 a slice goes forward: its step cannot be 0"},
           {"a[nothing]", "A0201 :1:3 unknown name `nothing`"},
           {"nothing[0]", "A0201 :1:1 unknown name `nothing`"},
           {"layer[0]", "A0208 :1:1 `layer` is a model of 1 layer, and has no elements"},
           {"k[0]", "A0208 :1:1 `k` is a number, and has no elements"},
           {"a[0] + a[0, :2] + layer", "A0208 :1:19 `layer` is a model, not a value"},
           {"rule r { map = R[0] }", "A0105 :1:17 there is no indexing"},
           {"a[0] = 3", "A0105 :1:1 a part of a tensor cannot be given a value"},
           {"3[0]", "A0105 :1:2 there is no indexing"}}) {
    INFO(input);
    auto told = mistake(enter(input));
    auto begin = told.find("input:");
    REQUIRE(begin != std::string::npos);
    told.erase(begin, told.find(':', begin + 6) - begin);
    CHECK(told == message);
  }
  CHECK_THAT(mistake(enter("a[0] + zplus")), !Contains("_aa"));
}

TEST_CASE("an indexing may go over lines, and many are refused") {
  WithTensor enter;
  CHECK(enter("a[0,").text == "incomplete");
  CHECK(enter("2]").text == "3\n");
  std::string chain = "a", many = "a[0]";
  for (int i = 0; i < 5'000; ++i) chain += "[0]", many += " + a[0]";
  CHECK_THAT(mistake(enter(chain)), StartsWith("A0004") && Contains("64 indexings"));
  CHECK_THAT(mistake(enter(many)), StartsWith("A0004") && Contains("64 indexings"));
  CHECK_THAT(mistake(enter("a" + std::string(1'000, '[') + "1")), StartsWith("A0"));
  CHECK_THAT(mistake(enter("a[" + std::string(300'000, '9') + "]")), StartsWith("A0"));
}

TEST_CASE("the value that was printed last has a name") {
  WithTensor enter;
  CHECK(mistake(enter("_")) == "A0201 input:3:1:1 unknown name `_`");
  enter("2 + 3");
  CHECK(enter("_ * 2").text == "10\n");
  CHECK(enter("_ + 1").text == "11\n");
  enter("named = 4");  // which prints no value
  CHECK(enter("_").text == "11\n");
  enter("a");
  CHECK(enter("_[1, 0]").text == "5\n");
  CHECK_THAT(mistake(enter("_ = 1")), Contains("`_` cannot be redefined"));
  enter("explain(epsilon(0), target = 1)");
  CHECK(enter("sum(_) == 6").text == "true\n");
  enter("compare(epsilon(0), flat, target = 1)");
  CHECK_THAT(enter("_").text, StartsWith("float64 [1, 2]"));  // the difference
  enter("compare(epsilon(0), flat, pass, target = 1)");
  CHECK(mistake(enter("_")).ends_with(" unknown name `_`"));
  CHECK(enter("_").messages.front().help ==
        "`compare` of more than two has no value; of two it has their difference: `compare(epsilon(0), flat)`");
  CHECK_THAT(mistake(enter("d = compare(epsilon(0), flat, pass)")), Contains("of more than two has no value"));
  CHECK_THAT(mistake(enter(":write d.npy compare(epsilon(0), flat, pass)")), Contains("of more than two has no value"));
  CHECK_THAT(mistake(enter(":write d.npy")), Contains("no value that could be written"));
  enter("7");
  CHECK(enter("_").text == "7\n");
}

TEST_CASE("any text is read, or has a message") {
  constexpr std::string_view alphabet = "ax[[]](){}:,,.\"# \n0-=;";
  std::uint64_t state = 1;
  auto drawn = [&](std::size_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33) % below;
  };
  std::size_t indexed = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = drawn(2) == 0 ? "a[0" : "";
    for (auto length = drawn(12); length > 0; --length) text += alphabet[drawn(alphabet.size())];
    INFO(text);
    std::vector<Diagnostic> diagnostics;
    auto source = std::make_shared<Source>("text", text);
    auto found = repl::parse_session_input(source, diagnostics);
    REQUIRE(found.parsed.input.has_value() == diagnostics.empty());
    for (auto& each : found.indexings) {
      ++indexed;
      REQUIRE(each.base.begin == each.whole.begin);
      REQUIRE(each.base.end < each.whole.end);
      REQUIRE(text[each.whole.end - 1] == ']');
      REQUIRE(each.name.size() == each.whole.end - each.whole.begin);
    }
    for (auto& each : diagnostics)
      if (each.primary.source) REQUIRE(each.primary.span.end <= text.size() + 1);
  }
  CHECK(indexed > 100);
}
