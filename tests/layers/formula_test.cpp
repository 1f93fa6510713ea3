// The canonical form of formulas: spellings of one function are equal, others are not.
#include "interpreter/layers/formula.hpp"

#include <cmath>

#include "tests/catch.hpp"

namespace {

using namespace ascribe::layering;

const auto x = Formula::variable();

}  // namespace

TEST_CASE("sums and products are the same in any order and nesting") {
  CHECK(matches((x + 3.0) * 0.5, 0.5 * x + 1.5));
  CHECK(matches(2.0 * (x * call("exp", x)), call("exp", x) * x * 2.0));
  CHECK(matches(x * x * x, power(x, 3)));
  CHECK(matches(x / 2.0, x * 0.5));
  CHECK(matches(1.0 - x, -1.0 * x + 1.0));
  CHECK(matches(x - x + 1.0, 1.0));
  CHECK_FALSE(matches(x + 3.0, x + 2.0));
  CHECK_FALSE(matches(x * x, power(x, 3)));
  CHECK_FALSE(matches(call("exp", x), call("log", x)));
}

TEST_CASE("1 / (1 + exp(-x)) is the sigmoid") {
  CHECK(matches(1.0 / (1.0 + call("exp", x * -1.0)), sigmoid(x)));
  CHECK(matches(x / (1.0 + call("exp", -1.0 * x)), x * sigmoid(x)));
  CHECK_FALSE(matches(1.0 / (1.0 + call("exp", x)), sigmoid(x)));
  CHECK_FALSE(matches(1.0 / (2.0 + call("exp", x * -1.0)), sigmoid(x)));
}

TEST_CASE("clamps within each other are one") {
  CHECK(matches(clamp(clamp(x, 0, INFINITY), -INFINITY, 6), clamp(x, 0, 6)));
  CHECK(matches(clamp(clamp(x, -2, 8), 0, 6), clamp(x, 0, 6)));
  CHECK_FALSE(matches(clamp(x, 0, 6), clamp(x, 0, 1)));
}

TEST_CASE("conditions are the same the other way round") {
  CHECK(matches(where(negation(greater(x, 0.0)), 0.0, x), where(greater(x, 0.0), x, 0.0)));
  CHECK(matches(where(greater(0.0, x), 0.0, x), where(greater(x, 0.0), x, 0.0)));
  CHECK_FALSE(matches(where(greater(x, 0.0), 0.0, x), where(greater(x, 0.0), x, 0.0)));
}

TEST_CASE("any_number stands for every number, also one that is not written") {
  const Formula any = any_number;
  CHECK(matches(x, x * any));
  CHECK(matches(x * 1.7, x * any));
  CHECK(matches(x * Formula::constant(0), x * Formula::constant(0)));
  CHECK_FALSE(matches(x * x, x * any));
  CHECK_FALSE(matches(x + 1.0, x * any));
  CHECK(matches(where(greater(x, 2.5), x, 7.0), where(greater(x, any), x, any)));
}

TEST_CASE("numbers are compared as closely as float32 keeps them") {
  CHECK(matches(x * 0.7978846, x * 0.79788456080));
  CHECK_FALSE(matches(x * 0.798, x * 0.79788456080));
  CHECK_FALSE(matches(x * 1e-7, 0.0));
}
