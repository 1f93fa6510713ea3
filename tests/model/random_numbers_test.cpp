// Which operators LibTorch says draw random numbers.
#include "interpreter/libtorch/random_numbers.hpp"

#include "tests/catch.hpp"

namespace test {
using namespace ascribe;
namespace {

TEST_CASE("operators that draw random numbers are known by LibTorch's tag") {
  auto draws = [](const char* name, const char* overload = "") {
    return libtorch::draws_random_numbers(c10::Dispatcher::singleton().findSchemaOrThrow(name, overload));
  };
  for (auto* name : {"aten::dropout", "aten::dropout_", "aten::native_dropout", "aten::bernoulli", "aten::rand_like",
                     "aten::randn_like", "aten::rrelu", "aten::multinomial", "aten::alpha_dropout",
                     "aten::feature_dropout", "aten::randperm"}) {
    INFO(name);
    CHECK(draws(name));
  }
  CHECK(draws("aten::bernoulli", "p"));
  CHECK(draws("aten::rand_like", ""));
  for (auto* name : {"aten::relu", "aten::conv2d", "aten::softmax", "aten::lift_fresh_copy"}) {
    INFO(name);
    CHECK(!draws(name, std::string_view(name) == "aten::softmax" ? "int" : ""));
  }
}

}  // namespace
}  // namespace test
