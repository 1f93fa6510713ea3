// What rules come to: which operators run, and what stands in the way of a plan.
#include "interpreter/evaluate/plan/plan.hpp"

#include <set>

#include "interpreter/evaluate/plan/compiled_rule.hpp"
#include "tests/plan/layers.hpp"

namespace test {
namespace {

using evaluate::plan::Facts;
using evaluate::plan::looks_at_signs;
using evaluate::plan::make_plan;
using evaluate::plan::Plan;
using evaluate::plan::PlannedTerm;
using Of = evaluate::plan::Source::Of;
using Output = PlannedTerm::Output;

// A linear layer or a convolution.
Facts weighted(bool x_is_not_negative, bool stackable = true) {
  return {.has_transposed = true,
          .takes_weights = true,
          .can_be_stacked = stackable,
          .parameters = {"weight", "bias"},
          .x_is_not_negative = x_is_not_negative};
}

Plan planned(const Rule& rule, const Facts& facts) {
  auto out = make_plan(Inside::bound(rule), facts);
  INFO(rule.description());
  CHECK(out.obstacle == "");
  return out;
}

std::string obstacle(const Rule& rule, const Facts& facts = weighted(false)) {
  return make_plan(Inside::bound(rule), facts).obstacle;
}

// How many terms each run of the layer computes y_k for, and how many γ each transposed operator takes.
std::vector<std::size_t> runs(const Plan& plan) {
  std::vector<std::size_t> out;
  for (auto& run : plan.runs) out.push_back(run.size());
  return out;
}
std::vector<std::size_t> transposed(const Plan& plan) {
  std::vector<std::size_t> out;
  for (auto& group : plan.groups) out.push_back(group.stacked);
  return out;
}
using Counts = std::vector<std::size_t>;

TEST_CASE("epsilon needs no run of the layer, and one transposed operator") {
  for (bool positive : {false, true})
    for (auto* name : {"epsilon", "norm"}) {
      auto rule = standard(name, {{"epsilon", 0.5}});
      auto plan = planned(rule, weighted(positive));
      CHECK(runs(plan) == Counts{});
      CHECK(transposed(plan) == Counts{1});
      REQUIRE(plan.terms.size() == 1);
      CHECK(plan.terms[0].y == Output::own);
      CHECK(!plan.needs_finite);
      CHECK(plan.sums_up);
      CHECK(plan.inputs.empty());
    }
  auto without_bias = standard("epsilon", {{"zero_params", std::vector<std::string>{"bias"}}});
  CHECK(runs(planned(without_bias, weighted(false))) == Counts{1});
}

TEST_CASE("zplus behind a ReLU is one run and one transposed operator") {
  auto rule = standard("zplus");
  auto behind = planned(rule, weighted(true));
  CHECK(runs(behind) == Counts{1});
  CHECK(transposed(behind) == Counts{1});
  CHECK(behind.terms.size() == 1);
  CHECK(behind.inputs.empty());  // max(x, 0) is x
  CHECK(behind.needs_finite);    // a term of zeros was left out
  auto plan = planned(rule, weighted(false));
  CHECK(runs(plan) == Counts{1, 1});
  CHECK(transposed(plan) == Counts{1, 1});
  CHECK(plan.inputs.size() == 2);
  CHECK(!plan.needs_finite);
}

TEST_CASE("alpha_beta and gamma behind a ReLU are one stacked run and one stacked transposed operator") {
  for (auto& rule : {standard("alpha_beta", {{"alpha", 2}, {"beta", 1}}), standard("gamma")}) {
    auto behind = planned(rule, weighted(true));
    CHECK(runs(behind) == Counts{2});
    CHECK(transposed(behind) == Counts{2});
    CHECK(behind.inputs.empty());
    auto plan = planned(rule, weighted(false));  // positive and negative part, each with both halves of the weights
    CHECK(runs(plan) == Counts{2, 2});
    CHECK(transposed(plan) == Counts{2, 2});
    CHECK(plan.inputs.size() == 2);
  }
}

TEST_CASE("what cannot be stacked runs term by term") {
  auto plan = planned(standard("alpha_beta"), weighted(true, /*stackable=*/false));
  CHECK(runs(plan) == Counts{1, 1});
  CHECK(transposed(plan) == Counts{1, 1});
}

TEST_CASE("a factor of zero leaves its terms out") {
  auto plan = planned(standard("alpha_beta", {{"alpha", 1}, {"beta", 0}}), weighted(true));
  CHECK(runs(plan) == Counts{1});
  CHECK(transposed(plan) == Counts{1});
  CHECK(plan.needs_finite);
  plan = planned(standard("alpha_beta", {{"alpha", 1}, {"beta", 0}}), weighted(false));
  CHECK(runs(plan) == Counts{1, 1});
  CHECK(transposed(plan) == Counts{1, 1});
}

TEST_CASE("without a stabilizer, zeros are not left out unseen") {
  // R / (0 + 0) is infinite or NaN, and times zero is NaN: the term of zeros is computed.
  auto rule =
      written("rule r { term a { input = max(x, 0) } term b { input = min(x, 0); param \"bias\" = 0; map = R / y } }");
  CHECK(planned(rule, weighted(true)).groups.size() == 2);
}

TEST_CASE("flat is one run on ones and one transposed operator, and no sum over inputs") {
  for (bool positive : {false, true}) {
    auto plan = planned(standard("flat"), weighted(positive));
    CHECK(runs(plan) == Counts{1});
    CHECK(transposed(plan) == Counts{1});
    CHECK(plan.inputs.size() == 1);
    CHECK(!plan.sums_up);
    CHECK(!plan.gamma_with_sums);
  }
}

TEST_CASE("zbox takes the layer's own output and a run for each bound") {
  auto rule = standard("zbox", {{"low", -1}, {"high", 1}});
  for (bool positive : {false, true}) {
    auto plan = planned(rule, weighted(positive));
    CHECK(runs(plan) == Counts{1, 1});
    CHECK(transposed(plan) == Counts{1, 1, 1});
    CHECK(plan.terms[0].y == Output::own);
    CHECK(plan.terms[1].weight == -1);
    CHECK(plan.sums_up);
  }
  auto laid_on = standard("zbox", {{"low", Numbers{{3}, {-1, -2, -3}}}, {"high", 1}});
  auto plan = planned(laid_on, weighted(false));
  REQUIRE(plan.inputs.size() == 2);
  CHECK(plan.inputs[0].second.sources.size() == 1);
  CHECK(plan.inputs[0].second.sources[0].of == Of::argument);
}

TEST_CASE("terms of one input with the same parameters share a transposed operator that is not stacked") {
  auto rule = written("rule r { term a {} term b { map = 2 * R / stabilize(y, 1) } }");
  auto plan = planned(rule, weighted(false));
  CHECK(transposed(plan) == Counts{1});
  REQUIRE(plan.groups.size() == 1);
  CHECK(plan.groups[0].terms.size() == 2);
  CHECK(plan.groups[0].places == Counts{0, 0});
  CHECK(plan.needs_finite);
}

TEST_CASE("only rules that look at the input's sign ask for it") {
  for (auto* name : {"zplus", "alpha_beta", "gamma"}) CHECK(looks_at_signs(Inside::bound(standard(name))));
  for (auto* name : {"epsilon", "flat", "wsquare", "pass", "gradient", "gamma_classic"})
    CHECK(!looks_at_signs(Inside::bound(standard(name))));
}

TEST_CASE("what a rule does that no plan has is told") {
  CHECK(obstacle(standard("gradient")) == "the rule uses the layer's gradient");
  CHECK(obstacle(standard("gradient_times_input")) == "the rule uses the layer's gradient");
  CHECK(obstacle(written("rule r { forward = 2 * y }")) == "the rule replaces the layer's output");
  CHECK(obstacle(written("rule r { output = max(y, 0) }")) == "a term changes the layer's output");
  CHECK(obstacle(written("rule r { map = R / stabilize(y, 0.5); reduce = 0 * x * v }")) ==
        "nothing of it is handed back");
}

TEST_CASE("what goes over whole samples is computed before the pass that uses it, once") {
  auto plan = planned(standard("epsilon_std"), weighted(false));
  REQUIRE(plan.obstacle.empty());
  CHECK(plan.graph.reductions().size() == 1);
  CHECK(plan.reduced.size() == 1);
  REQUIRE(plan.reduced[0].sources.size() == 1);
  CHECK(plan.reduced[0].sources[0].of == evaluate::plan::Source::Of::layer_y);
  plan = planned(written("rule r { map = R / (sum(abs(y)) + sum(abs(y)) + quantile(y, 0.5) + mean(y - mean(y))) }"),
                 weighted(false));
  CHECK(plan.graph.reductions().size() == 4);
  CHECK(obstacle(written("rule r(share = 2) { map = R / (y + quantile(y, share)) }")) ==
        "the share of a quantile is no number from 0 to 1");
  CHECK(obstacle(written("rule r(a: output = 2) { map = R / (y + sum(a)) }")) == "it reduces a number");
}

TEST_CASE("a sum of inputs of one shape is one pass, without operators") {
  Facts sum{.has_transposed = true, .parameters = {"coefficient"}, .inputs = 2, .receivers = 2, .factors = {1, -0.5}};
  for (auto& rule : {standard("epsilon"), standard("uniform"), written("rule r { map = R; reduce = v }")}) {
    auto plan = planned(rule, sum);
    REQUIRE(plan.whole);
    CHECK(plan.whole->outputs.size() == 2);
    CHECK(plan.groups.empty());
    CHECK(plan.runs.empty());
    CHECK(plan.whole->sums.size() == (plan.sums_up ? 3 : 0));
    for (auto& source : plan.whole->sources) CHECK((source.of == Of::R || source.of == Of::input));
  }
  // What goes over samples has to know where the sum holds them: it reads the sum.
  auto plan = planned(standard("epsilon_std"), sum);
  CHECK(!plan.whole);
  CHECK(plan.groups.size() == 1);
  CHECK(evaluate::plan::needs_output(Inside::bound(standard("epsilon_std")), sum));
  CHECK(!evaluate::plan::needs_output(Inside::bound(standard("epsilon")), sum));
}

TEST_CASE("what a layer lacks is told") {
  Facts nothing{.parameters = {"weight"}};
  CHECK(obstacle(standard("epsilon"), nothing) == "what the layer hands back is only known to autograd");
  CHECK(obstacle(standard("pass"), nothing) == "");
  Facts fixed{.has_transposed = true};
  CHECK(obstacle(standard("epsilon"), fixed) == "");
  CHECK(obstacle(standard("zplus"), fixed) == "a term changes inputs or coefficients of a layer without weights");
  CHECK(obstacle(standard("flat"), fixed) == "a term changes inputs or coefficients of a layer without weights");
  Facts several{.has_transposed = true, .takes_weights = true, .inputs = 2, .receivers = 2};
  CHECK(obstacle(standard("uniform"), several) == "");
  CHECK(obstacle(standard("zplus"), several) == "a term changes the inputs of a layer that has several");
}

TEST_CASE("a rule has a plan for each sort of layer, made once") {
  auto rule = standard("zplus");
  auto& bound = Inside::bound(rule);
  auto compiled = evaluate::plan::CompiledRule::of(bound);
  auto copy = bound;
  CHECK(evaluate::plan::CompiledRule::of(copy) == compiled);
  CHECK(evaluate::plan::CompiledRule::of(Inside::bound(standard("zplus"))) != compiled);
  auto &behind = compiled->plan(bound, weighted(true)), &other = compiled->plan(bound, weighted(false));
  CHECK(&behind != &other);
  CHECK(&compiled->plan(bound, weighted(true)) == &behind);
  CHECK(compiled->looks_at_signs);
}

}  // namespace
}  // namespace test
