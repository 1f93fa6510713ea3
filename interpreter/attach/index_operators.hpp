// Operators that only move numbers about: relevance follows the indices.
#pragma once

#include "interpreter/attach/layer_server.hpp"
#include "interpreter/layers/recognition.hpp"

namespace ascribe::attaching {

/// Runs one. Parameters among what it puts side by side get no relevance. The number of its row; 0: it has none.
std::uint64_t run_index_operator(const layering::OperatorCall& call, torch::jit::Stack& stack, LayerServer& server);

}  // namespace ascribe::attaching
