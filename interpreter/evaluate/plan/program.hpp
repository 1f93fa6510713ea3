// Values of a graph as one pass over memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <span>
#include <vector>

#include "interpreter/evaluate/plan/block_kernels.hpp"
#include "interpreter/evaluate/plan/value_graph.hpp"

namespace ascribe::evaluate::plan {

/// Registers stand in the order: sources, numbers, and whatever instructions write. Immutable.
struct Program {
  std::vector<Source> sources;
  std::vector<double> numbers;
  std::vector<Instruction> instructions;
  std::size_t registers = 0;
  std::vector<std::uint16_t> outputs;  ///< the registers of what is written to memory, in order
  std::vector<std::uint16_t> sums;     ///< of what is only summed up
};

/// One pass that gives `outputs`, and the sums over all elements of `sums`.
Program compile(const ValueGraph& graph, std::span<const Value> outputs, std::span<const Value> sums = {});

struct Passed {
  std::vector<double> sums{};
  std::vector<double> of_outputs{};  ///< the sums of the outputs, where they are wanted
  bool finite = true;                ///< whether every number of the outputs is
};

/// Runs a program: `operands`, one for each source, are spread over the outputs' shape, in whatever memory format each
/// has. Outputs are written where they are, and may be operands at the same time (whole ones, not views that overlap in
/// part). Floating tensors on one device; on the CPU as one pass that several threads share, 16-bit types in float32;
/// elsewhere by LibTorch's operators. Throws what LibTorch does where memory runs out, before anything is written.
Passed run(const Program& program, std::span<const at::Tensor> operands, std::span<const at::Tensor> outputs,
           bool sums_outputs = false);

/// Whether a floating tensor on the CPU has no negative number and no NaN in it; looks no further than to the first.
bool never_negative(const at::Tensor& tensor);

}  // namespace ascribe::evaluate::plan
