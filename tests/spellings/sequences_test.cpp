// Attention, gates and recurrence: one relevance in all ways that a network is saved, and of each sample for itself.
#include "tests/spellings/saved.hpp"

namespace {

using namespace ascribe;

// With every rule that goes over whole samples: in clauses for the output, for the input, and in a stabilizer.
const char* const reducing = R"(
rule by_output(share = 0.1) { map = R / inputs / stabilize(y, max(share * mean(abs(y)), 1e-30)) }
rule by_input(share = 0.1) { map = R / inputs / stabilize(y, 1e-3); reduce = x * v / (1 + share * quantile(abs(x), 0.8)) }
# Masks of -inf leave no mean to softmax and add.
composite masked { softmax => pass; add => norm(1e-9); statistic => stop }
composite outputs { any => masked; matmul, product, any => by_output }
composite inputs_of_layers { any => masked; matmul, product, any => by_input }
composite attention { add => norm(1e-9); any => attn_lrp(relative(0.1)) }
composite values { add => norm(1e-9); any => cp_lrp(relative_unsigned(0.2)) }
composite gates { add => norm(1e-9); any => arras(relative(0.1)) }
)";

constexpr const char* any_batch[] = {"exported.pt2", "decomposed.pt2"};

}  // namespace

TEST_CASE("a network over sequences has one relevance in all ways that it is saved") {
  auto names = test::listed_in("sequences.txt");
  REQUIRE(names.size() > 10);
  for (auto& name : names)
    for (auto* rules : {"attn_lrp", "cp_lrp", "arras"}) {
      auto chosen = Pack::standard().composite(rules, {{"epsilon", 1e-12}});
      std::optional<Attribution> first;
      for (auto* way : {"trace.pt", "fast.pt", "exported.pt2", "decomposed.pt2"}) {
        if (!exists(test::saved_as(name, way))) continue;
        INFO(name << " as " << way << " under " << rules);
        auto found = attribute(Model::load(test::saved_as(name, way)), chosen, test::input_of(name));
        INFO(test::shown(found.report));
        for (auto& row : found.report) CHECK(row.rule != "gradient");
        if (!first) first = found;
        CHECK(test::difference(found.output, first->output) <= 1e-12);
        CHECK(test::difference(found.relevance, first->relevance) / first->relevance.abs().max().item<double>() <=
              1e-8);
      }
    }
}

TEST_CASE("each sample of a batch has the relevance that it has alone, wherever the model holds the batch") {
  auto pack = Pack::parse(reducing);
  for (auto& name : test::listed_in("sequences.txt"))
    for (auto* way : any_batch) {
      auto model = Model::load(test::saved_as(name, way));
      auto x = test::input_of(name);
      for (auto* chosen : {"outputs", "inputs_of_layers", "attention", "values", "gates"}) {
        INFO(name << " as " << way << " under " << chosen);
        auto rules = pack.composite(chosen);
        auto together = attribute(model, rules, x, Target(1));
        auto largest = together.relevance.abs().max().item<double>();
        for (std::int64_t i = 0; i < x.size(0); ++i) {
          auto alone = attribute(model, rules, x.narrow(0, i, 1), Target(1)).relevance;
          CHECK(test::difference(together.relevance.narrow(0, i, 1), alone) / largest <= 1e-10);
        }
      }
    }
}
