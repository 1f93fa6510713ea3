// The calls of modules in TorchScript: filled in where they stand, so that there is one list of operators, and kept
// beside that, so that a whole module can be handed over while it runs.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace ascribe::model {

/// Fills in every call within a method's graph. A mark before each operator says which module it belongs to; names come
/// from the calls, so that modules in lists and modules without parameters keep theirs.
///
/// Before the `forward` of a module runs, the module observer is asked; what it wants is handed over to it. It cannot
/// have a module whose results are not tensors, nor tuples of them, that assigns to attributes, or that writes into
/// memory which is read behind it under another name: these are an Error (rule_does_not_fit) where they are wanted.
/// Modules that are only known when the model runs (interfaces) are not asked about.
void fill_in_calls(torch::jit::Graph& graph);

/// How many operators there are that compute tensors and do not only move indices; of branches, the larger one's.
std::size_t count_operators(const torch::jit::Block& block);

/// `Hardswish` of `__torch__.torch.nn.modules.activation.___torch_mangle_3.Hardswish`.
std::string class_name(const c10::ClassType& type);

/// Adds the tensors in a value, nested ones in order.
void flatten(const c10::IValue& value, std::vector<at::Tensor>& into);

}  // namespace ascribe::model
