// Every operation of a pass gives what LibTorch's operator gives.
#include <cmath>
#include <functional>
#include <limits>

#include "tests/plan/programs.hpp"

namespace test {
namespace {

at::Tensor special(at::ScalarType type) {
  constexpr auto inf = std::numeric_limits<double>::infinity();
  bool is_double = type == at::kDouble;
  double denormal = is_double ? std::numeric_limits<double>::denorm_min() : std::numeric_limits<float>::denorm_min();
  double least = is_double ? std::numeric_limits<double>::min() : std::numeric_limits<float>::min();
  double most = is_double ? std::numeric_limits<double>::max() : std::numeric_limits<float>::max();
  auto out = at::tensor(std::vector<double>{std::nan(""), inf,   -inf,   0.0,  -0.0,  denormal, -denormal,
                                            7 * denormal, least, -least, most, -most, 1,        -1,
                                            0.5,          -0.5,  2,      -2,   3,     1e-8,     -1e-8,
                                            3.7,          -2.5,  10,     -10,  88.5,  -88.5,    100,
                                            -100,         710,   -746,   1e5},
                        at::kDouble)
                 .to(type);
  return at::cat({out, drawn({32}, 1, type)});
}

struct Case {
  Op op;
  std::function<at::Tensor(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c)> tensor;
  std::int64_t units = 0;
  bool of_truth = false;
  bool signed_zeros = true;
};

std::vector<Case> cases() {
  auto truth = [](auto f) {
    return [f](const at::Tensor& a, const at::Tensor& b, const at::Tensor&) { return f(a, b).to(a.scalar_type()); };
  };
  auto built_in = [](language::Builtin id) {
    return [id](const at::Tensor& a, const at::Tensor& b, const at::Tensor&) {
      auto& row = evaluate::on_tensors(id);
      if (auto* each = std::get_if<evaluate::EachElement>(&row)) return each->tensor(a);
      return std::get<evaluate::Fold>(row).tensor(a, b);
    };
  };
  using language::Builtin;
  using T = const at::Tensor&;
  return {
      {Op::abs, built_in(Builtin::abs)},
      {Op::sign, built_in(Builtin::sign)},
      {Op::sqrt, built_in(Builtin::sqrt), 1},
      {Op::exp, built_in(Builtin::exp), 1},
      {Op::log, built_in(Builtin::log), 1},
      {Op::tanh, built_in(Builtin::tanh), 2},
      {Op::sigmoid, built_in(Builtin::sigmoid), 2},
      {Op::add, [](T a, T b, T) { return a + b; }},
      {Op::subtract, [](T a, T b, T) { return a - b; }},
      {Op::multiply, [](T a, T b, T) { return a * b; }},
      {Op::divide, [](T a, T b, T) { return a / b; }},
      {Op::power, [](T a, T b, T) { return at::pow(a, b); }, 1},
      {Op::minimum, built_in(Builtin::min), 0, false, false},
      {Op::maximum, built_in(Builtin::max), 0, false, false},
      {Op::less, truth([](T a, T b) { return a < b; })},
      {Op::less_equal, truth([](T a, T b) { return a <= b; })},
      {Op::greater, truth([](T a, T b) { return a > b; })},
      {Op::greater_equal, truth([](T a, T b) { return a >= b; })},
      {Op::equal, truth([](T a, T b) { return a == b; })},
      {Op::logical_and, truth([](T a, T b) { return a.logical_and(b); }), 0, true},
      {Op::logical_or, truth([](T a, T b) { return a.logical_or(b); }), 0, true},
      {Op::logical_not, truth([](T a, T) { return a.logical_not(); }), 0, true},
      {Op::select, [](T a, T b, T c) { return at::where(c != 0, a, b); }},
  };
}

TEST_CASE("every operation is LibTorch's, also of NaN, infinities, zeros of either sign and denormal numbers") {
  REQUIRE(cases().size() == evaluate::plan::op_count);
  for (auto type : {at::kFloat, at::kDouble}) {
    auto numbers = special(type);
    auto count = numbers.size(0);
    for (auto& each : cases()) {
      INFO(info(each.op).name << (type == at::kFloat ? ", float32" : ", float64"));
      auto a = numbers.unsqueeze(1).expand({count, count}).contiguous();
      auto b = numbers.unsqueeze(0).expand({count, count}).contiguous();
      auto c = (at::arange(count * count).reshape({count, count}) % 3).clamp_max(1).to(type);
      if (each.of_truth) a = (a > 0).to(type), b = (b > 0).to(type);
      auto program = program_of(
          [&](ValueGraph& graph, Value x, Value y, Value R) { return std::vector{graph.operation(each.op, x, y, R)}; });
      auto out = at::empty_like(a);
      pass(program, a, b, c, {out});
      check_equal(out, each.tensor(a, b, c), each.units, each.signed_zeros);
    }
  }
}

TEST_CASE("operations on known numbers are what a pass would make of them") {
  auto numbers = special(at::kDouble);
  for (auto& each : cases()) {
    INFO(info(each.op).name);
    for (std::int64_t i = 0; i < numbers.size(0); ++i)
      for (std::int64_t k = 0; k<32; k += info(each.op).operands> 1 ? 1 : 32) {
        auto a = numbers[i], b = numbers[k], c = at::full({}, k % 2, at::kDouble);
        if (each.of_truth) a = (a > 0).to(at::kDouble), b = (b > 0).to(at::kDouble);
        ValueGraph graph;
        auto known = graph.operation(each.op, graph.number(a.item<double>()), graph.number(b.item<double>()),
                                     graph.number(c.item<double>()));
        REQUIRE(graph.as_number(known));
        auto found = at::full({}, *graph.as_number(known), at::kDouble), wanted = each.tensor(a, b, c);
        INFO(a.item<double>() << ", " << b.item<double>());
        check_equal(found, wanted, each.units, each.signed_zeros);
      }
  }
}

}  // namespace
}  // namespace test
