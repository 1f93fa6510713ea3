// Values are simplified while a graph grows: only where NaN, infinities and signs come out the same.
#include "interpreter/evaluate/plan/value_graph.hpp"

#include <cmath>
#include <limits>

#include "interpreter/evaluate/plan/plan.hpp"
#include "tests/plan/layers.hpp"

namespace test {
namespace {

using evaluate::plan::info;
using evaluate::plan::Op;
using evaluate::plan::Source;
using evaluate::plan::ValueGraph;
using Of = Source::Of;

constexpr double nan_ = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity_ = std::numeric_limits<double>::infinity();

// An expression of x, y and R, as the graph has it.
std::string simplified(const std::string& expression, bool x_is_not_negative = false) {
  auto rule = written("rule r { backward = " + expression + " }");
  auto plan = evaluate::plan::make_plan(Inside::bound(rule), {.x_is_not_negative = x_is_not_negative});
  if (!plan.obstacle.empty()) return "obstacle: " + plan.obstacle;
  return plan.graph.describe(*plan.backward);
}

TEST_CASE("what leaves any number as it is is left out of the graph") {
  struct {
    const char *expression, *described;
  } table[] = {
      {"R + 0", "R"},
      {"0 + R", "R"},
      {"R - 0", "R"},
      {"R * 1", "R"},
      {"1 * R", "R"},
      {"R / 1", "R"},
      {"R ^ 1", "R"},
      {"R ^ 2", "R * R"},
      {"R * (2 + 3)", "R * 5"},
      {"R * max(2, 3)", "R * 3"},
      {"R * min(2, 3)", "R * 2"},
      {"R * abs(1 - 4)", "R * 3"},
      {"R * sqrt(4)", "R * 2"},
      {"R * sign(0)", "R"},
      {"(R * 1 + 0) / 1", "R"},
      {"(x * 1) * (R - 0)", "x * R"},
  };
  for (auto& [expression, described] : table) {
    INFO(expression);
    CHECK(simplified(expression) == described);
    CHECK(simplified(expression, true) == described);
  }
}

TEST_CASE("what would lose NaN, an infinity or a sign stays in the graph") {
  for (auto* expression : {"R * 0", "0 * R", "R - R", "x / x", "0 / R", "0 - R", "1 / R", "R / 2", "R ^ 0", "R ^ 3",
                           "max(R, 0)", "min(R, 0)", "abs(R)", "R + R", "max(R, R)"}) {
    INFO(expression);
    CHECK(simplified(expression) == expression);
    CHECK(simplified(expression, true) == expression);
  }
  CHECK(simplified("R / stabilize(x, 0)") == "R / (x + (0 * sign(x)))");
  CHECK(simplified("if x == x then R else 0") == "if x == x then R else 0");
  CHECK(simplified("-R") == "0 - R");
}

TEST_CASE("an input that is known not to be negative is its own positive part, and has no negative one") {
  struct {
    const char *expression, *unknown, *known;
  } table[] = {
      {"R * max(x, 0)", "R * max(x, 0)", "R * x"},
      {"R * max(0, x)", "R * max(0, x)", "R * x"},
      {"R + min(x, 0)", "R + min(x, 0)", "R"},
      {"R + min(0, x)", "R + min(0, x)", "R"},
      {"R * abs(x)", "R * abs(x)", "R * x"},
      {"R * max(max(x, 3), 0)", "R * max(max(x, 3), 0)", "R * max(x, 3)"},
      {"R * abs(min(x, 3))", "R * abs(min(x, 3))", "R * min(x, 3)"},
      // A bound below zero, another quantity, and what may come to inf - inf or 0 * inf: nothing is known of these.
      {"R * max(x, -1)", "R * max(x, -1)", "R * max(x, -1)"},
      {"R * abs(min(x, -3))", "R * abs(min(x, -3))", "R * abs(min(x, -3))"},
      {"x * max(R, 0)", "x * max(R, 0)", "x * max(R, 0)"},
      {"R * max(x * x, 0)", "R * max(x * x, 0)", "R * max(x * x, 0)"},
      {"R * max(x + 1, 0)", "R * max(x + 1, 0)", "R * max(x + 1, 0)"},
      {"R * max(x - x, 0)", "R * max(x - x, 0)", "R * max(x - x, 0)"},
  };
  for (auto& [expression, unknown, known] : table) {
    INFO(expression);
    CHECK(simplified(expression) == unknown);
    CHECK(simplified(expression, true) == known);
  }
}

TEST_CASE("a positive part alone is not known to be free of NaN") {
  CHECK(simplified("R * max(max(x, 0), 0)") == "R * max(max(x, 0), 0)");
  CHECK(simplified("R * min(max(x, 0), 0)") == "R * min(max(x, 0), 0)");
}

TEST_CASE("functions, lets and stabilizers are filled in") {
  auto rule = written(
      "fn twice(z) = 2 * z\n"
      "rule r(low: input = 0.5, e: stabilizer = 0.25) { let part = twice(x - low); backward = R / stabilize(part, e) "
      "}");
  auto plan = evaluate::plan::make_plan(Inside::bound(rule), {});
  REQUIRE(plan.obstacle.empty());
  CHECK(plan.graph.describe(*plan.backward) == "R / ((2 * (x - 0.5)) + (0.25 * sign(2 * (x - 0.5))))");
}

TEST_CASE("equal values are one") {
  ValueGraph graph;
  auto x = graph.source({Of::x}), R = graph.source({Of::R});
  CHECK(graph.source({Of::x}) == x);
  CHECK(graph.source({Of::y, 1}) == graph.source({Of::y, 1}));
  CHECK(graph.source({Of::y, 1}) != graph.source({Of::y, 2}));
  CHECK(graph.source({Of::y, 1}) != graph.source({Of::v, 1}));
  CHECK(graph.number(2) == graph.number(2));
  auto before = graph.operation(Op::divide, R, graph.operation(Op::add, x, graph.number(2)));
  auto size = graph.size();
  CHECK(graph.operation(Op::divide, R, graph.operation(Op::add, x, graph.number(2))) == before);
  CHECK(graph.size() == size);
  CHECK(graph.operation(Op::subtract, x, R) != graph.operation(Op::subtract, R, x));
  CHECK(graph.operation(Op::minimum, x, R) != graph.operation(Op::maximum, x, R));
  // What a unary operation is told besides its operand does not matter.
  CHECK(graph.operation(Op::abs, x, R, R) == graph.operation(Op::abs, x));
}

TEST_CASE("numbers are told apart by their bits") {
  ValueGraph graph;
  CHECK(graph.number(0.0) != graph.number(-0.0));
  CHECK(graph.number(nan_) == graph.number(nan_));
  CHECK(graph.number(infinity_) != graph.number(-infinity_));
  CHECK(graph.number(1) != graph.number(std::nextafter(1, 2)));
  CHECK(std::signbit(*graph.as_number(graph.number(-0.0))));
}

TEST_CASE("NaN among known numbers stays NaN, and infinities what they are") {
  ValueGraph graph;
  auto value = [&](Op op, double a, double b) {
    return *graph.as_number(graph.operation(op, graph.number(a), graph.number(b)));
  };
  for (auto op : {Op::add, Op::subtract, Op::multiply, Op::divide, Op::minimum, Op::maximum}) {
    INFO(info(op).name);
    CHECK(std::isnan(value(op, nan_, 1)));
    CHECK(std::isnan(value(op, 1, nan_)));
    CHECK(std::isnan(value(op, nan_, 0)));
    CHECK(std::isnan(value(op, 0, nan_)));
  }
  CHECK(std::isnan(value(Op::subtract, infinity_, infinity_)));
  CHECK(std::isnan(value(Op::multiply, 0, infinity_)));
  CHECK(value(Op::divide, 1, -0.0) == -infinity_);
  CHECK(value(Op::equal, nan_, nan_) == 0);
  CHECK(value(Op::greater_equal, nan_, 0) == 0);
  CHECK(value(Op::minimum, -infinity_, 3) == -infinity_);
  CHECK(std::isnan(*graph.as_number(graph.operation(Op::sign, graph.number(nan_)))));
  CHECK(*graph.as_number(graph.operation(Op::sign, graph.number(-0.0))) == 1);
  CHECK(*graph.as_number(graph.operation(Op::select, graph.number(2), graph.number(3), graph.number(1))) == 2);
  CHECK(*graph.as_number(graph.operation(Op::select, graph.number(2), graph.number(3), graph.number(0))) == 3);
}

TEST_CASE("a choice by a known truth is the one that it chooses, whatever the other holds") {
  ValueGraph graph;
  auto x = graph.source({Of::x}), R = graph.source({Of::R});
  CHECK(graph.operation(Op::select, x, R, graph.number(1)) == x);
  CHECK(graph.operation(Op::select, x, R, graph.number(0)) == R);
  auto open = graph.operation(Op::select, x, R, graph.operation(Op::greater, x, graph.number(0)));
  CHECK(open != x);
  CHECK(open != R);
}

TEST_CASE("a value tells what it depends on, through everything in between") {
  ValueGraph graph;
  auto x = graph.source({Of::x}), R = graph.source({Of::R});
  auto value = graph.operation(Op::select, R, graph.operation(Op::exp, graph.source({Of::y, 3})), x);
  auto depends = [&](const Source& on) { return graph.depends_on(value, [&](auto& each) { return each == on; }); };
  CHECK(depends({Of::x}));
  CHECK(depends({Of::R}));
  CHECK(depends({Of::y, 3}));
  CHECK(!depends({Of::y, 2}));
  CHECK(!depends({Of::v, 3}));
}

}  // namespace
}  // namespace test
