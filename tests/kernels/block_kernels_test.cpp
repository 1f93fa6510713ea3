// The loops that element-wise programs are made of, without LibTorch, so that sanitizers see every access.
#include "interpreter/evaluate/plan/block_kernels.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/catch.hpp"

namespace test {
namespace {

using namespace ascribe::evaluate::plan;

template <typename T>
std::vector<T> numbers(std::int64_t count, int first) {
  constexpr T infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN(),
              small = std::numeric_limits<T>::denorm_min();
  const T some[] = {0, 1, -1, 2.5, -0.0F, infinity, -3, small, nan, -infinity, 0.125, -7};
  std::vector<T> out;
  for (std::int64_t i = 0; i < count; ++i) out.push_back(some[(i * 5 + first) % static_cast<int>(std::size(some))]);
  return out;
}

// What an operation makes of single numbers.
template <typename T>
T expected(Op op, T a, T b, T c) {
  bool unordered = std::isnan(a) || std::isnan(b);
  switch (op) {
    case Op::abs:
      return std::abs(a);
    case Op::sign:
      return a >= 0 ? T(1) : a < 0 ? T(-1) : a;
    case Op::sqrt:
      return std::sqrt(a);
    case Op::exp:
      return std::exp(a);
    case Op::log:
      return std::log(a);
    case Op::tanh:
      return std::tanh(a);
    case Op::sigmoid:
      return 1 / (1 + std::exp(-a));
    case Op::add:
      return a + b;
    case Op::subtract:
      return a - b;
    case Op::multiply:
      return a * b;
    case Op::divide:
      return a / b;
    case Op::power:
      return std::pow(a, b);
    case Op::minimum:
      return unordered ? std::numeric_limits<T>::quiet_NaN() : std::min(a, b);
    case Op::maximum:
      return unordered ? std::numeric_limits<T>::quiet_NaN() : std::max(a, b);
    case Op::less:
      return a < b;
    case Op::less_equal:
      return a <= b;
    case Op::greater:
      return a > b;
    case Op::greater_equal:
      return a >= b;
    case Op::equal:
      return a == b;
    case Op::logical_and:
      return a != 0 && b != 0;
    case Op::logical_or:
      return a != 0 || b != 0;
    case Op::logical_not:
      return a == 0;
    case Op::select:
      return c != 0 ? a : b;
  }
  return 0;
}

bool is_logical(Op op) { return op == Op::logical_and || op == Op::logical_or; }

template <typename T>
void check_operation(Op op, std::int64_t count, bool in_place) {
  INFO("operation " << static_cast<int>(op) << ", " << count << " numbers, in place " << in_place);
  auto a = numbers<T>(count, 0), b = numbers<T>(count, 3), c = numbers<T>(count, 7);
  if (is_logical(op))
    for (auto* each : {&a, &b})
      for (auto& number : *each) number = number == 0 ? 0 : 1;
  auto out = std::vector<T>(static_cast<std::size_t>(count));
  auto wanted = out;
  for (std::size_t i = 0; i < out.size(); ++i) wanted[i] = expected(op, a[i], b[i], c[i]);
  T* registers[] = {a.data(), b.data(), c.data(), in_place ? a.data() : out.data()};
  Instruction program{op, static_cast<std::uint16_t>(in_place ? 0 : 3), 0, 1, 2};
  run_block(&program, 1, registers, count);
  auto& found = in_place ? a : out;
  bool same = true;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    same = same && (std::isnan(wanted[i])
                        ? std::isnan(found[i])
                        : found[i] == wanted[i] || std::abs(found[i] - wanted[i]) <=
                                                       4 * std::numeric_limits<T>::epsilon() * std::abs(wanted[i]));
  CHECK(same);
}

TEST_CASE("every operation works on blocks of every size, into a register of its own and into an operand's") {
  for (std::size_t op = 0; op < op_count; ++op)
    for (std::int64_t count : {0, 1, 7, 16, 17, 511, 512})
      for (bool in_place : {false, true}) {
        check_operation<float>(static_cast<Op>(op), count, in_place);
        check_operation<double>(static_cast<Op>(op), count, in_place);
      }
}

TEST_CASE("a program's instructions see what those before them wrote") {
  std::vector<double> x{1, 2, 3}, y{4, 5, 6}, t(3), u(3);
  double* registers[] = {x.data(), y.data(), t.data(), u.data()};
  Instruction program[] = {{Op::add, 2, 0, 1}, {Op::multiply, 3, 2, 2}, {Op::subtract, 2, 3, 0}};
  run_block(program, std::size(program), registers, 3);
  CHECK(t == std::vector<double>{24, 47, 78});
}

TEST_CASE("a block without instructions is left alone") {
  std::vector<float> x{1, 2};
  float* registers[] = {x.data()};
  run_block(nullptr, 0, registers, 2);
  CHECK(x == std::vector<float>{1, 2});
}

TEST_CASE("sums are taken in double precision, whatever the size") {
  for (std::int64_t count : {0, 1, 15, 16, 33, 512}) {
    std::vector<float> x(static_cast<std::size_t>(count), 0.1F);
    CHECK(sum_of_block(x.data(), count) ==
          Approx(static_cast<double>(count) * static_cast<double>(0.1F)).epsilon(1e-14));
    std::vector<double> z(static_cast<std::size_t>(count), 0.1);
    CHECK(sum_of_block(z.data(), count) == Approx(static_cast<double>(count) * 0.1).epsilon(1e-14));
  }
}

TEST_CASE("one number decides whether a block is finite, and whether it is never negative") {
  for (std::size_t place : {0U, 8U, 100U, 511U}) {
    std::vector<float> x(512, 1);
    CHECK(is_finite(x.data(), 512));
    CHECK(never_negative(x.data(), 512));
    x[place] = -0.0F;
    CHECK(never_negative(x.data(), 512));
    x[place] = -1e-40F;
    CHECK(is_finite(x.data(), 512));
    CHECK(!never_negative(x.data(), 512));
    for (float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      x[place] = bad;
      CHECK(!is_finite(x.data(), 512));
      CHECK(never_negative(x.data(), 512) == !std::isnan(bad));
      std::vector<double> z(512, 1);
      z[place] = static_cast<double>(bad);
      CHECK(!is_finite(z.data(), 512));
    }
  }
}

}  // namespace
}  // namespace test
