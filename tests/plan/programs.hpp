// Programs of few operations, and what LibTorch's operators make of the same.
#pragma once

#include <functional>

#include "interpreter/evaluate/plan/program.hpp"
#include "interpreter/evaluate/reference/builtins.hpp"
#include "tests/plan/layers.hpp"

namespace test {

using evaluate::plan::compile;
using evaluate::plan::info;
using evaluate::plan::Op;
using evaluate::plan::Passed;
using evaluate::plan::Program;
using evaluate::plan::Source;
using evaluate::plan::Value;
using evaluate::plan::ValueGraph;
using Of = Source::Of;

// What is computed of the layer's x, y and R: `make` gets them.
inline Program program_of(const std::function<std::vector<Value>(ValueGraph&, Value x, Value y, Value R)>& make,
                          std::size_t sums = 0) {
  ValueGraph graph;
  auto x = graph.source({Of::x}), y = graph.source({Of::layer_y}), R = graph.source({Of::R});
  auto values = make(graph, x, y, R);
  std::vector<Value> summed(values.end() - static_cast<std::ptrdiff_t>(sums), values.end());
  values.resize(values.size() - sums);
  return compile(graph, values, summed);
}

inline Passed pass(const Program& program, const at::Tensor& x, const at::Tensor& y, const at::Tensor& R,
                   const Tensors& outputs) {
  Tensors operands;
  for (auto& each : program.sources) operands.push_back(each.of == Of::x ? x : each.of == Of::R ? R : y);
  return evaluate::plan::run(program, operands, outputs);
}

// x · R / (y + 0.25 · sign(y))
inline const Program& stabilized_share() {
  static const auto program = program_of([](ValueGraph& graph, Value x, Value y, Value R) {
    auto sign = graph.operation(Op::multiply, graph.number(0.25), graph.operation(Op::sign, y));
    auto quotient = graph.operation(Op::divide, R, graph.operation(Op::add, y, sign));
    return std::vector{graph.operation(Op::multiply, x, quotient)};
  });
  return program;
}
inline at::Tensor stabilized_share(const at::Tensor& x, const at::Tensor& y, const at::Tensor& R) {
  return x * (R / (y + 0.25 * evaluate::sign_of(y)));
}

inline at::Tensor result_of_share(const at::Tensor& x, const at::Tensor& y, const at::Tensor& R,
                                  const at::Tensor& like) {
  auto out = at::full_like(like, 1e3);
  pass(stabilized_share(), x, y, R, {out});
  return out;
}

// The same numbers, NaN in the same places, and zeros of the same sign; `units` in the last place apart at most.
inline void check_equal(const at::Tensor& found, const at::Tensor& wanted, std::int64_t units = 0,
                        bool signed_zeros = true) {
  REQUIRE(found.sizes() == wanted.sizes());
  REQUIRE(found.scalar_type() == wanted.scalar_type());
  auto a = found.contiguous(), b = wanted.contiguous();
  CHECK(at::equal(a.isnan(), b.isnan()));
  auto numbers = b.isnan().logical_not();
  a = a.masked_select(numbers), b = b.masked_select(numbers);
  if (units == 0) {
    CHECK(at::equal(a, b));
  } else {
    CHECK(at::equal(a.isinf(), b.isinf()));
    auto type = a.scalar_type() == at::kDouble ? at::kLong : at::kInt;
    auto off = (a.view(type) - b.view(type)).abs();
    auto far = off.gt(units).logical_and((a == b).logical_not());
    INFO(a.masked_select(far) << " instead of " << b.masked_select(far));
    CHECK(!far.any().item<bool>());
  }
  if (signed_zeros) CHECK(at::equal(at::signbit(a), at::signbit(b)));
}

}  // namespace test
