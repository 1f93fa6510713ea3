// `:plan`: what a rule comes to on a kind of layer, and that this is what runs.
#include <ATen/ATen.h>

#include "interpreter/command/repl/completion.hpp"
#include "interpreter/evaluate/evaluator.hpp"
#include "interpreter/evaluate/plan/plan.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/layers/transposed.hpp"
#include "tests/catch.hpp"
#include "tests/repl/entered.hpp"

namespace test {
namespace {

using Catch::Contains;
using Catch::StartsWith;
using Catch::VectorContains;
using evaluate::plan::Facts;

// What the planner knows of the layers that it meets.
struct Met {
  const language::Kind* kind;
  Facts facts;
};

class Watching : public evaluate::Execution {
 public:
  Watching(std::shared_ptr<const evaluate::Execution> planned, std::vector<Met>& met)
      : planned_(std::move(planned)), met_(met) {}
  void check_fit(const evaluate::Layer& layer, at::IntArrayRef shape) const override {
    planned_->check_fit(layer, shape);
  }
  bool needs_output() const override { return planned_->needs_output(); }
  bool needs_inputs() const override { return planned_->needs_inputs(); }
  at::Tensor forward(const evaluate::Layer& layer) const override { return planned_->forward(layer); }
  std::vector<at::Tensor> relevance(const evaluate::Layer& layer, const at::Tensor& R,
                                    evaluate::Shares* shares) const override {
    auto* transposed = layering::find_transposed(*layer.operation);
    Facts facts{.has_transposed = transposed != nullptr,
                .takes_weights = transposed && transposed->takes_weights,
                .can_be_stacked = transposed && layering::can_be_stacked(*transposed, *layer.operation),
                .needs_output = transposed && transposed->needs_output,
                .inputs = layer.inputs.size(),
                .receivers = static_cast<std::size_t>(
                    std::count(layer.gets_relevance.begin(), layer.gets_relevance.end(), true))};
    for (auto& [name, w] : layer.parameters) facts.parameters.push_back(name);
    if (layer.operation->kind->name == "add") facts.factors = {1, 1};
    met_.push_back({layer.operation->kind, facts});
    return planned_->relevance(layer, R, shares);
  }
  std::vector<at::Tensor> differentiable_relevance(const evaluate::Layer& layer, const at::Tensor& R) const override {
    return planned_->differentiable_relevance(layer, R);
  }
  std::vector<at::Tensor> gradient(const evaluate::Layer& layer, const at::Tensor& R,
                                   bool differentiable) const override {
    return planned_->gradient(layer, R, differentiable);
  }

 private:
  std::shared_ptr<const evaluate::Execution> planned_;
  std::vector<Met>& met_;
};

struct Watcher : evaluate::Evaluator {
  std::string_view name() const override { return "watcher"; }
  std::shared_ptr<const evaluate::Execution> compile(const language::BoundRule& rule,
                                                     const layering::Operation& operation) const override {
    return std::make_shared<Watching>(evaluate::planner().compile(rule, operation), met);
  }
  mutable std::vector<Met> met;
};

TEST_CASE("what is known of a kind is what is known of its layers") {
  struct Case {
    const char *kind, *layer, *x;
  };
  auto [kind, layer, x] = GENERATE(values<Case>({
      {"linear", "linear(3, 2, seed = 1)", "random(2, 3, seed = 1)"},
      {"conv1d", "conv1d(3, 2, 2, seed = 1)", "random(2, 3, 4, seed = 1)"},
      {"conv2d", "conv2d(3, 2, 2, seed = 1)", "random(2, 3, 4, 4, seed = 1)"},
      {"conv3d", "conv3d(3, 2, 2, seed = 1)", "random(2, 3, 4, 4, 4, seed = 1)"},
      {"conv_transpose2d", "conv_transpose2d(3, 2, 2, seed = 1)", "random(2, 3, 4, 4, seed = 1)"},
      {"avg_pool1d", "avg_pool1d(2)", "random(2, 3, 4, seed = 1)"},
      {"avg_pool2d", "avg_pool2d(2)", "random(2, 3, 4, 4, seed = 1)"},
      {"adaptive_avg_pool2d", "adaptive_avg_pool2d(2)", "random(2, 3, 4, 4, seed = 1)"},
      {"max_pool2d", "max_pool2d(2)", "random(2, 3, 4, 4, seed = 1)"},
      {"mean", "[mean(1)]", "random(2, 3, 4, seed = 1)"},
      {"sum", "[sum(1)]", "random(2, 3, 4, seed = 1)"},
      {"scale", "scale(3)", "random(2, 3, seed = 1)"},
      {"add", "add([relu], [tanh])", "random(2, 3, seed = 1)"},
      {"product", "product([sigmoid], [tanh])", "random(2, 3, seed = 1)"},
      {"matmul", "matmul([sigmoid], [tanh])", "random(2, 3, 3, seed = 1)"},
      {"relu", "relu", "random(2, 3, seed = 1)"},
      {"softmax", "softmax", "random(2, 3, seed = 1)"},
      {"log_softmax", "log_softmax", "random(2, 3, seed = 1)"},
      {"layer_norm", "layer_norm(3, weight = [1, 2, 3], bias = [3, 2, 1])", "random(2, 3, seed = 1)"},
  }));
  INFO(layer);
  Entering enter;
  REQUIRE(!enter("layer = " + std::string(layer)).failed);
  REQUIRE(!enter("x = " + std::string(x)).failed);
  Watcher watcher;
  evaluate::UsingEvaluator watched(watcher);
  auto answer = enter("relevance(epsilon)");
  INFO((answer.messages.empty() ? "" : answer.messages.front().message));
  REQUIRE(!answer.failed);
  REQUIRE(watcher.met.size() == 1);
  auto& met = watcher.met.front();
  CHECK(met.kind->name == kind);
  auto known = evaluate::plan::facts_of(*met.kind);
  CHECK(known.has_transposed == met.facts.has_transposed);
  CHECK(known.takes_weights == met.facts.takes_weights);
  CHECK(known.can_be_stacked == met.facts.can_be_stacked);
  CHECK(known.needs_output == met.facts.needs_output);
  CHECK(known.inputs == met.facts.inputs);
  CHECK(known.receivers == met.facts.receivers);
  CHECK(known.parameters == met.facts.parameters);
  CHECK(known == met.facts);
}

TEST_CASE("a plan can be seen in a session, of what was entered, too") {
  Entering enter;
  CHECK_THAT(enter(":plan epsilon conv2d").text, StartsWith("conv2d: epsilon(epsilon = 1e-06)\n") &&
                                                     Contains("γ         = R / stabilize(y, 1e-06)  reads R, y\n"));
  CHECK_THAT(enter(":p  alpha_beta(2, 1)   conv2d  nonnegative").text,
             StartsWith("conv2d: alpha_beta(alpha = 2, beta = 1, epsilon = 1e-06)\n") &&
                 Contains("1 forward operator") && Contains("x has no negative number"));
  CHECK_THAT(enter(":plan zplus conv2d").text, Contains("`nonnegative` behind the kind shows it behind a ReLU"));
  enter("rule mine(scale = 2) { backward = scale * R }");
  CHECK_THAT(enter(":plan mine(3) relu").text, StartsWith("relu: mine(scale = 3)\n") && Contains("= 3 * R"));
  enter("composite c { first linear => flat; linear => mine; activation => pass; softmax => stop }");
  CHECK_THAT(enter(":plan c linear").text, StartsWith("linear: mine(scale = 2), by ") &&
                                               Contains("some layers get flat(epsilon = 1e-06) instead, by "));
  CHECK_THAT(enter(":plan c softmax").text, Contains("softmax: stop, by ") && Contains("no relevance goes through"));
  CHECK_THAT(enter(":plan c conv2d").text, StartsWith("conv2d: no entry is for it\n"));
}

TEST_CASE("a plan that cannot be shown is refused with its place") {
  Entering enter;
  auto refused = [&](const char* input) {
    auto answer = enter(input);
    auto text = mistake(answer);
    return text + " | " + (answer.messages.empty() ? "" : answer.messages.front().help);
  };
  auto usage = "`:plan` takes a rule or a composite, and a kind of layer | write ";
  CHECK_THAT(refused(":plan zplus"), Contains(usage + std::string("`:plan zplus conv2d`")));
  CHECK_THAT(refused(":plan conv2d"), Contains(usage + std::string("`:plan zplus conv2d`")));
  CHECK_THAT(refused(":plan alpha_beta(2, 1)"), Contains(usage + std::string("`:plan alpha_beta(2, 1) conv2d`")));
  CHECK_THAT(refused(":plan zplus nonnegative"), Contains(usage + std::string("`:plan zplus conv2d`")));
  CHECK(refused(":plan zplus conv2").find("A0204 input:5:1:13 unknown layer kind `conv2` | did you mean `conv2d`?") ==
        0);
  CHECK_THAT(refused(":plan zpluss conv2d"),
             StartsWith("A0202 input:6:1:7 unknown rule or composite `zpluss` | did you mean `zplus`?"));
  CHECK_THAT(refused(":plan gamma(delta = 1) conv2d"), StartsWith("A0302 input:7:1:13 "));
  CHECK_THAT(refused(":plan"), Contains("`:plan` needs an argument"));
}

TEST_CASE("a plan's rule and kind are completed") {
  Entering enter;
  enter("rule my_own(amount = 2) { backward = amount * R }; net = relu");
  auto words = [&](const std::string& line) {
    return texts(repl::complete(enter.session.state(), "", line, line.size()));
  };
  using Words = std::vector<std::string>;
  CHECK(words(":pl") == Words{":plan "});
  CHECK(words(":plan my") == Words{"my_own"});
  CHECK(words(":plan ne").empty());
  CHECK(words(":plan std.zplus_") == Words{"zplus_fast"});
  CHECK(words(":plan my_own(amo") == Words{"amount = "});
  CHECK(words(":plan my_own(2) conv2") == Words{"conv2d"});
  CHECK(words(":plan my_own conv2d non") == Words{"nonnegative"});
  CHECK_THAT(words(":plan zplus "), VectorContains(std::string("softmax")));
}

}  // namespace
}  // namespace test
