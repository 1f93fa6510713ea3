// What rules make of parameters is kept, and a host says how much of it.
#include "ascribe/cache.hpp"
#include "tests/attach/scripts.hpp"

namespace test {
using namespace ascribe;
namespace {

// Whatever other tests have kept is gone, and the limit is as it was in the end.
struct EmptyCache {
  EmptyCache() { drop_parameter_cache(); }
  ~EmptyCache() { set_parameter_cache_limit(std::size_t{1} << 30); }
};

struct Net {
  Net() {
    at::manual_seed(7);
    auto [weight, bias] = weights({4, 3});
    bytes = weight.nbytes() + bias.nbytes();
    model.emplace(loaded(linear_script(weight, bias)));
    x = random({2, 3});
  }
  at::Tensor relevance(const Composite& rules) const { return attribute(*model, rules, x, 1).relevance; }
  std::optional<Model> model;
  at::Tensor x;
  std::size_t bytes = 0;  // of its parameters
};

TEST_CASE("what zplus makes of parameters is kept until it is dropped, or the rule is gone") {
  EmptyCache cache;
  Net net;
  CHECK(parameter_cache_bytes() == 0);
  {
    Composite zplus(rule("zplus"));
    auto first = net.relevance(zplus);
    CHECK(parameter_cache_bytes() == 2 * net.bytes);  // of either sign
    CHECK(same_bits(net.relevance(zplus), first));
    CHECK(parameter_cache_bytes() == 2 * net.bytes);
    drop_parameter_cache();
    CHECK(parameter_cache_bytes() == 0);
    CHECK(same_bits(net.relevance(zplus), first));
    CHECK(parameter_cache_bytes() == 2 * net.bytes);
  }
  CHECK(parameter_cache_bytes() == 0);
}

TEST_CASE("a rule that leaves parameters as they are keeps nothing") {
  EmptyCache cache;
  Net net;
  (void)net.relevance(Composite(rule("epsilon")));
  CHECK(parameter_cache_bytes() == 0);
}

TEST_CASE("the limit of what is kept is never exceeded, and changes no relevance") {
  EmptyCache cache;
  Net net;
  Composite zplus(rule("zplus"));
  auto first = net.relevance(zplus);
  auto limit = GENERATE(std::size_t{0}, std::size_t{40}, std::size_t{200});
  CAPTURE(limit);
  set_parameter_cache_limit(limit);
  CHECK(parameter_cache_bytes() <= limit);
  CHECK(same_bits(net.relevance(zplus), first));
  CHECK(parameter_cache_bytes() <= limit);
  CHECK((parameter_cache_bytes() > 0) == (limit > 0));
  set_parameter_cache_limit(std::size_t{1} << 30);
  CHECK(same_bits(net.relevance(zplus), first));
  CHECK(parameter_cache_bytes() == 2 * net.bytes);
}

}  // namespace
}  // namespace test
