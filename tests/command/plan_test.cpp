// `ascribe plan`: what a rule comes to on a kind of layer.
#include "tests/catch.hpp"
#include "tests/command/ascribe_command.hpp"

namespace test {
namespace {

using namespace ascribe;
using Catch::Contains;
using Catch::StartsWith;

std::string planned(const std::string& arguments, const std::string& rules = "") {
  Folder folder;
  folder.file("mine.rule", rules);
  auto outcome = run_shell(folder, "ascribe plan " + arguments);
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "");
  return outcome.out;
}

TEST_CASE("plan shows terms, operators, passes and what is kept") {
  CHECK(planned("zplus --layer conv2d") == R"(conv2d: zplus(epsilon = 1e-06)
  term      x          parameters                    y
  positive  max(x, 0)  weight, bias = max(w, 0)      one more run
  negative  min(x, 0)  weight = min(w, 0); bias = 0  one more run

  operators  2 forward operators     (positive; negative)
             2 transposed operators  (positive; negative)
  passes     x of positive = max(x, 0)  reads x
             x of negative = min(x, 0)  reads x
             γ             = R / stabilize(positive.y + negative.y, 1e-06)
                             reads R, positive.y, negative.y
             relevance     = max(x, 0) * positive.v + min(x, 0) * negative.v
                             reads x, positive.v, negative.v
  kept       the input, and not the output, until the backward pass
  cached     2 × the layer's own parameters
  sums       for reports that tell them, in the pass of γ
  x has any sign; --nonnegative shows it behind a ReLU
)");
  CHECK(planned("'alpha_beta(2, 1)' --layer conv2d --nonnegative --channels-last") ==
        R"(conv2d: alpha_beta(alpha = 2, beta = 1, epsilon = 1e-06)
  term  times  x          parameters                y
  pp    2      x          weight, bias = max(w, 0)  one more run
  nn    –      min(x, 0)  –                         left out: zero, where x has no negative number
  pn    -1     x          weight, bias = min(w, 0)  one more run
  np    –      min(x, 0)  –                         left out: zero, where x has no negative number

  operators   1 forward operator     (2 terms stacked: pp, pn)
              1 transposed operator  (2 terms stacked: pp, pn)
  passes      γ of pp   = R / stabilize(pp.y, 1e-06) * 2   reads R, pp.y, pn.y
              γ of pn   = R / stabilize(pn.y, 1e-06) * -1  in the same pass
              relevance = x * v                            reads x, v
  kept        the input, and not the output, until the backward pass
  cached      2 × the layer's own parameters
  sums        for reports that tell them, in the pass of γ
  not finite  where some γ is not, the reference evaluator takes over
  x has no negative number: each call looks
  channels last is kept: γ lies as y does, relevance as what comes back
)");
}

TEST_CASE("plan shows what runs, without what a layer does already") {
  auto epsilon = planned("epsilon --layer linear");
  CHECK_THAT(epsilon, Contains("the layer's own output\n") && Contains("no forward operator\n") &&
                          Contains("kept       the input and the output, until") &&
                          Contains("cached     nothing: the"));
  CHECK_THAT(epsilon, !Contains("--nonnegative"));  // which is no matter
  CHECK_THAT(planned("flat --layer conv2d"), Contains("1 × the layer's own parameters") &&
                                                 Contains("relevance = v                        as it is: no pass\n"));
  CHECK_THAT(planned("epsilon_bias --layer linear"),
             Contains("bias  0  –                     left out, but for its bias\n"));
  CHECK_THAT(planned("uniform --layer matmul"), Contains("relevance of each input = x * v"));
  CHECK_THAT(planned("half --layer matmul"), Contains("relevance of each input = R / 2  reads R\n"));
  CHECK_THAT(planned("pass --layer relu"),
             Contains("passes  relevance = R  as it is: no pass\n") && Contains("shape   only layers that keep it\n"));
  CHECK_THAT(planned("taylor --layer softmax"), Contains("relevance = if x > -1e+30 then x * v else 0"));
}

TEST_CASE("plan says why only the reference evaluator can do a rule") {
  CHECK(planned("zplus --layer relu") ==
        "relu: zplus(epsilon = 1e-06)\n"
        "  the reference evaluator: what the layer hands back is only known to autograd\n");
  CHECK_THAT(planned("gradient --layer linear"),
             Contains("the reference evaluator: the rule uses the layer's gradient"));
  CHECK_THAT(
      planned("--load mine.rule mine --layer linear", "rule mine { map = R / (if y == 0 within 1e-6 then 1 else y) }"),
      Contains("the reference evaluator: it compares within a tolerance"));
}

TEST_CASE("what is written for people keeps the order of what is computed") {
  auto formula = [](const std::string& map) {
    auto text = planned("--load mine.rule mine --layer linear", "rule mine { map = " + map + " }");
    auto begin = text.find("γ         = ") + std::string("γ         = ").size();
    auto end = text.find_last_not_of(" \n", text.find("reads", begin) - 1) + 1;
    return text.substr(begin, end - begin);
  };
  for (std::string map : {"R / (y + 1)", "R - (y - R)", "R / (y * R)", "(R + y) * R", "-R", "if y > 0 then R else 0",
                          "R * (if y > 0 then 2 else y)", "max(R, min(y, 1))", "stabilize(R + y, 0.1)", "abs(R) ^ 3",
                          "if y > 0 and not R < 0 or y < -1 then R else y", "sqrt(R) - -y", "R + -2 * y"})
    CHECK(formula(map) == map);
}

TEST_CASE("plan takes the entry of a composite that is for the kind, and names those that may come before it") {
  auto composite =
      "composite mine {\n  first convolution => flat\n  convolution \"features.*\" => wsquare\n"
      "  batch_norm => merge\n  softmax => stop\n  convolution => epsilon\n  activation => refuse\n}\n";
  auto plan = [&](const std::string& kind) { return planned("mine --load mine.rule --layer " + kind, composite); };
  CHECK_THAT(plan("conv2d"), StartsWith("conv2d: epsilon(epsilon = 1e-06), by mine.rule:6:3\n") &&
                                 Contains("  some layers get flat(epsilon = 1e-06) instead, by mine.rule:2:3\n") &&
                                 Contains("  some layers get wsquare(epsilon = 1e-06) instead, by mine.rule:3:3\n"));
  CHECK(plan("linear") == "linear: no entry is for it\n  it keeps its gradient\n");
  CHECK_THAT(plan("batch_norm"), StartsWith("batch_norm: merge, by mine.rule:4:3\n  no rule: "));
  CHECK_THAT(plan("softmax"), StartsWith("softmax: stop, by mine.rule:5:3\n  no rule: "));
  CHECK_THAT(plan("tanh"), StartsWith("tanh: refuse, by mine.rule:7:3\n  no rule: "));
}

TEST_CASE("a word for several kinds gives one block for those that have the same plan") {
  auto out = planned("epsilon_plus --layer any");
  CHECK_THAT(out, Contains("conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d: zplus("));
  CHECK_THAT(planned("'alpha_beta(2, 1)' --layer convolution"),
             StartsWith("conv1d, conv2d, conv3d: alpha_beta(") &&
                 Contains("\n\nconv_transpose1d, conv_transpose2d, conv_transpose3d: alpha_beta("));
  for (std::size_t begin = 0, end = 0; (end = out.find('\n', begin)) != out.npos; begin = end + 1)
    CHECK(end - begin <= 160);
}

TEST_CASE("plan refuses what it cannot show, and says what would do") {
  Folder folder;
  folder.file("mine.rule", "rule mine { backward = R }");
  auto refused = [&](const std::string& arguments) { return run_shell(folder, "ascribe plan " + arguments); };
  auto kind = refused("zplus --layer conv2");
  CHECK(kind.code == 1);
  CHECK(kind.err == "error[A0204]: unknown layer kind `conv2`\n  = help: did you mean `conv2d`?\n");
  CHECK_THAT(refused("zplus --layer xyz").err, Contains("`any` is all of them"));
  CHECK_THAT(refused("zplsu --layer conv2d").err, Contains("did you mean `zplus`?"));
  CHECK_THAT(refused("mine.rule --layer conv2d").err,
             Contains("RULE takes the name of a composite or a rule, and 'mine.rule' is a file") &&
                 Contains("write `--load 'mine.rule' mine`"));
  CHECK_THAT(refused("zplus --layer conv1d --channels-last").err, Contains("= help: leave it out"));
  CHECK(refused("zplus").code == 2);
  CHECK(refused("--layer conv2d").code == 2);
}

}  // namespace
}  // namespace test
