// The same network in every way that it can be saved has one relevance, whatever operators a way has for its layers.
#include "tests/spellings/saved.hpp"

namespace {

using namespace ascribe;
using test::input_of;
using test::shown;

const char* const rules = R"(
composite c {
  activation, softmax, log_softmax                => pass
  max_pool                                        => norm(1e-3)
  batch_norm                                      => merge
  layer_norm, group_norm, instance_norm, rms_norm => epsilon(1e-3)
  convolution                                     => gamma(0.25)
  linear                                          => epsilon(1e-3)
  avg_pool, add, sum, scale, product              => norm(1e-3)
  interpolate                                     => zplus(1e-3)
}
composite bicubic { interpolate => norm(1e-3); any => c }  # with weights below zero among others, zplus is refused
)";

}  // namespace

TEST_CASE("a network has one relevance in all ways that it is saved") {
  auto names = test::listed_in("names.txt");
  CHECK(names.size() > 80);
  auto pack = Pack::parse(rules);
  for (auto& name : names) {
    auto chosen = pack.composite(name.ends_with("bicubic") ? "bicubic" : "c");
    auto x = input_of(name);
    std::optional<Attribution> first;
    std::string first_way;
    for (auto* way : {"trace.pt", "script.pt", "frozen.pt", "exported.pt2", "decomposed.pt2"}) {
      auto path = test::saved_as(name, way);
      if (!exists(path)) continue;
      INFO(name << " as " << way);
      auto found = attribute(Model::load(path), chosen, x, Target::all());
      INFO(shown(found.report));
      for (auto& row : found.report) CHECK(row.rule != "gradient");  // every layer was known
      if (!first) {
        first = found;
        first_way = way;
        continue;
      }
      INFO("the other, as " << first_way << ":\n" << shown(first->report));
      CHECK(test::difference(found.output, first->output) <= test::exact);
      CHECK(test::difference(found.relevance, first->relevance) <= test::exact);
    }
  }
}
