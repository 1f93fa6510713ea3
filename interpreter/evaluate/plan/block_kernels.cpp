#include "interpreter/evaluate/plan/block_kernels.hpp"

#include <cmath>
#include <limits>

// One of these is chosen when the program is loaded. Sanitizers are not ready yet at that time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define ASCRIBE_FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ASCRIBE_FOR_EACH_PROCESSOR
#endif

namespace ascribe::evaluate::plan {
namespace {

#define ASCRIBE_INLINE [[gnu::always_inline]] inline
#ifdef __clang__
#define ASCRIBE_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define ASCRIBE_INDEPENDENT _Pragma("GCC ivdep")
#endif

// Numbers of one index meet, and no others: a register that is both read and written is no obstacle to vectors.
template <typename T, typename Each>
ASCRIBE_INLINE void each_number(T* out, std::int64_t count, const Each& each) {
  ASCRIBE_INDEPENDENT
  for (std::int64_t i = 0; i < count; ++i) out[i] = each(i);
}

template <typename T>
ASCRIBE_INLINE void run(const Instruction* program, std::size_t length, T* const* registers, std::int64_t count) {
  for (std::size_t k = 0; k < length; ++k) {
    auto& it = program[k];
    auto* out = registers[it.out];
    const auto *a = registers[it.a], *b = registers[it.b], *c = registers[it.c];
    auto unary = [&](const auto& f) __attribute__((always_inline)) {
      each_number(
          out, count, [&](std::int64_t i) __attribute__((always_inline)) { return f(a[i]); });
    };
    auto binary = [&](const auto& f) __attribute__((always_inline)) {
      each_number(
          out, count, [&](std::int64_t i) __attribute__((always_inline)) { return f(a[i], b[i]); });
    };
    constexpr T one = 1, zero = 0;
    switch (it.op) {
      case Op::abs:
        unary([](T x) __attribute__((always_inline)) { return std::fabs(x); });
        break;
      case Op::sign:
        unary([](T x) __attribute__((always_inline)) { return x >= 0 ? one : x < 0 ? -one : x; });
        break;
      case Op::sqrt:
        unary([](T x) __attribute__((always_inline)) { return std::sqrt(x); });
        break;
      case Op::exp:
        unary([](T x) __attribute__((always_inline)) { return std::exp(x); });
        break;
      case Op::log:
        unary([](T x) __attribute__((always_inline)) { return std::log(x); });
        break;
      case Op::tanh:
        unary([](T x) __attribute__((always_inline)) { return std::tanh(x); });
        break;
      case Op::sigmoid:
        unary([](T x) __attribute__((always_inline)) { return one / (one + std::exp(-x)); });
        break;
      case Op::add:
        binary([](T x, T y) __attribute__((always_inline)) { return x + y; });
        break;
      case Op::subtract:
        binary([](T x, T y) __attribute__((always_inline)) { return x - y; });
        break;
      case Op::multiply:
        binary([](T x, T y) __attribute__((always_inline)) { return x * y; });
        break;
      case Op::divide:
        binary([](T x, T y) __attribute__((always_inline)) { return x / y; });
        break;
      case Op::power:
        binary([](T x, T y) __attribute__((always_inline)) { return std::pow(x, y); });
        break;
      case Op::minimum:
        binary([](T x, T y) __attribute__((always_inline)) { return x < y || x != x ? x : y; });
        break;
      case Op::maximum:
        binary([](T x, T y) __attribute__((always_inline)) { return x > y || x != x ? x : y; });
        break;
      case Op::less:
        binary([](T x, T y) __attribute__((always_inline)) { return x < y ? one : zero; });
        break;
      case Op::less_equal:
        binary([](T x, T y) __attribute__((always_inline)) { return x <= y ? one : zero; });
        break;
      case Op::greater:
        binary([](T x, T y) __attribute__((always_inline)) { return x > y ? one : zero; });
        break;
      case Op::greater_equal:
        binary([](T x, T y) __attribute__((always_inline)) { return x >= y ? one : zero; });
        break;
      case Op::equal:
        binary([](T x, T y) __attribute__((always_inline)) { return x == y ? one : zero; });
        break;
      case Op::logical_and:
        binary([](T x, T y) __attribute__((always_inline)) { return x * y != 0 ? one : zero; });
        break;
      case Op::logical_or:
        binary([](T x, T y) __attribute__((always_inline)) { return x + y != 0 ? one : zero; });
        break;
      case Op::logical_not:
        unary([](T x) __attribute__((always_inline)) { return x == 0 ? one : zero; });
        break;
      case Op::select:
        each_number(
            out, count, [&](std::int64_t i) __attribute__((always_inline)) { return c[i] != 0 ? a[i] : b[i]; });
        break;
    }
  }
}

// In several sums, so that additions need not wait for each other.
template <typename T>
ASCRIBE_INLINE double sum(const T* numbers, std::int64_t count) {
  constexpr std::int64_t lanes = 16;
  double sums[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (std::int64_t lane = 0; lane < lanes; ++lane) sums[lane] += static_cast<double>(numbers[i + lane]);
  double out = 0;
  for (; i < count; ++i) out += static_cast<double>(numbers[i]);
  for (double each : sums) out += each;
  return out;
}

template <typename T>
ASCRIBE_INLINE bool finite(const T* numbers, std::int64_t count) {
  constexpr T largest = std::numeric_limits<T>::max();
  int bad = 0;
  for (std::int64_t i = 0; i < count; ++i) bad |= !(std::fabs(numbers[i]) <= largest);
  return bad == 0;
}

template <typename T>
ASCRIBE_INLINE bool not_negative(const T* numbers, std::int64_t count) {
  int bad = 0;
  for (std::int64_t i = 0; i < count; ++i) bad |= !(numbers[i] >= 0);
  return bad == 0;
}

// Of internal linkage: what is chosen among is exported otherwise.

ASCRIBE_FOR_EACH_PROCESSOR void run_floats(const Instruction* program, std::size_t length, float* const* registers,
                                           std::int64_t count) {
  run(program, length, registers, count);
}
ASCRIBE_FOR_EACH_PROCESSOR void run_doubles(const Instruction* program, std::size_t length, double* const* registers,
                                            std::int64_t count) {
  run(program, length, registers, count);
}
ASCRIBE_FOR_EACH_PROCESSOR double sum_floats(const float* numbers, std::int64_t count) { return sum(numbers, count); }
ASCRIBE_FOR_EACH_PROCESSOR double sum_doubles(const double* numbers, std::int64_t count) { return sum(numbers, count); }
ASCRIBE_FOR_EACH_PROCESSOR bool finite_floats(const float* numbers, std::int64_t count) {
  return finite(numbers, count);
}
ASCRIBE_FOR_EACH_PROCESSOR bool finite_doubles(const double* numbers, std::int64_t count) {
  return finite(numbers, count);
}
ASCRIBE_FOR_EACH_PROCESSOR bool floats_not_negative(const float* numbers, std::int64_t count) {
  return not_negative(numbers, count);
}
ASCRIBE_FOR_EACH_PROCESSOR bool doubles_not_negative(const double* numbers, std::int64_t count) {
  return not_negative(numbers, count);
}

}  // namespace

void run_block(const Instruction* program, std::size_t length, float* const* registers, std::int64_t count) {
  run_floats(program, length, registers, count);
}
void run_block(const Instruction* program, std::size_t length, double* const* registers, std::int64_t count) {
  run_doubles(program, length, registers, count);
}
double sum_of_block(const float* numbers, std::int64_t count) { return sum_floats(numbers, count); }
double sum_of_block(const double* numbers, std::int64_t count) { return sum_doubles(numbers, count); }
bool is_finite(const float* numbers, std::int64_t count) { return finite_floats(numbers, count); }
bool is_finite(const double* numbers, std::int64_t count) { return finite_doubles(numbers, count); }
bool never_negative(const float* numbers, std::int64_t count) { return floats_not_negative(numbers, count); }
bool never_negative(const double* numbers, std::int64_t count) { return doubles_not_negative(numbers, count); }

}  // namespace ascribe::evaluate::plan
