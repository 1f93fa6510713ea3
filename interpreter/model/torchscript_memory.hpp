// Which values of a TorchScript graph may share memory, as far as modules as a whole need it.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <vector>

namespace ascribe::model {

/// For each of a graph's inputs, whether some operator in it may write into it.
std::vector<bool> written_inputs(const torch::jit::Graph& graph);

/// Whether the memory of a value that is given to `node` is read behind it by another name than its results'.
bool is_read_behind(const torch::jit::Value* value, const torch::jit::Node& node);

}  // namespace ascribe::model
