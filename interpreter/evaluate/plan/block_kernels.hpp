// An element-wise program on one block of numbers, as the processor can do it best. Knows nothing of LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interpreter/evaluate/plan/op.hpp"

namespace ascribe::evaluate::plan {

/// registers[out] = op(registers[a], registers[b], registers[c]); those that the operation lacks are 0.
struct Instruction {
  Op op;
  std::uint16_t out, a, b = 0, c = 0;
};

/// Numbers in a block: registers of that many stay in the processor's first cache.
inline constexpr std::int64_t block_size = 512;

/// Runs a program on `count` numbers of each register, at most block_size. Registers are distinct, and what an
/// instruction writes may be one of its own operands.
void run_block(const Instruction* program, std::size_t length, float* const* registers, std::int64_t count);
void run_block(const Instruction* program, std::size_t length, double* const* registers, std::int64_t count);

/// The sum of a block in double precision.
double sum_of_block(const float* numbers, std::int64_t count);
double sum_of_block(const double* numbers, std::int64_t count);

/// Whether every number of a block is finite.
bool is_finite(const float* numbers, std::int64_t count);
bool is_finite(const double* numbers, std::int64_t count);

/// Whether no number is negative or NaN.
bool never_negative(const float* numbers, std::int64_t count);
bool never_negative(const double* numbers, std::int64_t count);

}  // namespace ascribe::evaluate::plan
