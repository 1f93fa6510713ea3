// Activations that a program writes out as several operators.
#include "interpreter/layers/composed.hpp"

#include <cmath>

#include "tests/layers/calls.hpp"

namespace {

using namespace ascribe;
using layering::RecentOperators;
using test::Called;

// Runs operators one after the other; each is tried as the last one of a layer first.
class Program {
 public:
  at::Tensor run(const std::string& name, const std::string& overload, std::vector<c10::IValue> arguments) {
    Called each(name, overload, std::move(arguments));
    found = recent.completed_by(each.op, each.arguments);
    auto y = each.run();
    recent.add(each.op, each.arguments, y, ++number);
    return y;
  }
  RecentOperators recent;
  std::optional<layering::ComposedLayer> found;
  std::uint64_t number = 0;
};

at::Tensor x() { return test::computed({3, 4}); }

}  // namespace

TEST_CASE("x times its sigmoid is silu, and its parts are named") {
  Program program;
  auto in = x();
  auto y = program.run("mul", "Tensor", {in, program.run("sigmoid", "", {in})});
  REQUIRE(program.found);
  CHECK(program.found->operation.kind->name == "silu");
  CHECK(program.found->input.is_same(in));
  CHECK(program.found->parts == std::vector<std::uint64_t>{1});
  auto other = x();
  CHECK(at::allclose(program.found->operation.run({other}, {}), at::silu(other)));
}

TEST_CASE("the last operator may write what it gives, into the input or a part") {
  for (bool into_part : {true, false}) {
    Program program;
    auto in = x();
    auto part = program.run("sigmoid", "", {in});
    auto given = in.detach().clone();
    program.run("mul_", "Tensor", into_part ? std::vector<c10::IValue>{part, in} : std::vector<c10::IValue>{in, part});
    REQUIRE(program.found);
    CHECK(program.found->in_place);
    CHECK(program.found->operation.kind->name == "silu");
    CHECK(at::allclose(program.found->operation.run({given}, {}), at::silu(given)));
  }
}

TEST_CASE("gelu by tanh, however it is put together") {
  for (bool nested : {true, false}) {
    Program program;
    auto in = x();
    auto cube = program.run("pow", "Tensor_Scalar", {in, 3.0});
    auto inner = program.run("add", "Tensor", {in, program.run("mul", "Scalar", {cube, 0.044715})});
    auto t = program.run("tanh", "", {program.run("mul", "Scalar", {inner, std::sqrt(2 / M_PI)})});
    auto one = program.run("add", "Scalar", {t, 1.0});
    if (nested)
      program.run("mul", "Tensor", {in, program.run("mul", "Scalar", {one, 0.5})});
    else
      program.run("mul", "Tensor", {program.run("mul", "Scalar", {in, 0.5}), one});
    REQUIRE(program.found);
    CHECK(program.found->operation.kind->name == "gelu");
    auto other = x();
    CHECK(at::allclose(program.found->operation.run({other}, {}), at::gelu(other, "tanh"), 1e-7));
  }
}

TEST_CASE("hardswish by clamps") {
  Program program;
  auto in = x();
  auto six =
      program.run("clamp_max", "", {program.run("clamp_min", "", {program.run("add", "Scalar", {in, 3}), 0}), 6});
  program.run("div", "Scalar", {program.run("mul", "Tensor", {in, six}), 6});
  REQUIRE(program.found);
  CHECK(program.found->operation.kind->name == "hardswish");
  CHECK(program.found->parts.size() == 4);
}

TEST_CASE("activations by a condition") {
  Program program;
  auto in = x();
  auto positive = program.run("gt", "Scalar", {in, 0});
  program.run("where", "self", {positive, in, program.run("mul", "Scalar", {in, 0.01})});
  REQUIRE(program.found);
  CHECK(program.found->operation.kind->name == "leaky_relu");

  Program elu;
  auto negative = elu.run("mul", "Scalar", {elu.run("expm1", "", {elu.run("mul", "Scalar", {in, 1})}), 1.5});
  elu.run("where", "self", {elu.run("gt", "Scalar", {in, 0}), in, negative});
  REQUIRE(elu.found);
  CHECK(elu.found->operation.kind->name == "elu");
}

TEST_CASE("softplus in a form that does not overflow") {
  Program program;
  auto in = x();
  auto small = program.run("exp", "", {program.run("neg", "", {program.run("abs", "", {in})})});
  program.run("add", "Tensor", {program.run("clamp", "", {in, 0}), program.run("log1p", "", {small})});
  REQUIRE(program.found);
  CHECK(program.found->operation.kind->name == "softplus");
}

TEST_CASE("what only looks alike is none: another input, another number, another operator between") {
  Program program;
  auto in = x(), other = x();
  program.run("mul", "Tensor", {other, program.run("sigmoid", "", {in})});
  CHECK_FALSE(program.found);
  program.run("div", "Tensor", {in, program.run("add", "Scalar", {program.run("abs", "", {in}), 2})});
  CHECK_FALSE(program.found);
  auto forgotten = program.run("sigmoid", "", {in});
  program.recent.clear();
  program.run("mul", "Tensor", {in, forgotten});
  CHECK_FALSE(program.found);
}

TEST_CASE("long chains of operators end in no time, and are none") {
  Program program;
  auto y = x();
  for (int i = 0; i < 200; ++i) {
    y = program.run("add", "Tensor", {program.run("tanh", "", {y}), program.run("mul", "Tensor", {y, y})});
    CHECK_FALSE(program.found);
  }
}

TEST_CASE("an operator that gives its argument back is no end of it") {
  Program program;
  auto in = x();
  auto same = program.run("to", "dtype", {in, at::kDouble});
  program.run("mul", "Tensor", {same, program.run("sigmoid", "", {same})});
  CHECK(program.found);
}

TEST_CASE("a tensor that was written into is not what it was") {
  Program program;
  auto in = x().detach().requires_grad_() * 1;
  auto s = program.run("sigmoid", "", {in});
  {
    at::NoGradGuard no_grad;
    s.mul_(2);
  }
  program.run("mul", "Tensor", {in, s});
  CHECK_FALSE(program.found);
}
