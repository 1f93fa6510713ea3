// TorchScript files: the method's own graph, run operator by operator.
#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <filesystem>

#include "interpreter/attach/attachment.hpp"

namespace ascribe::model {

/// A model's `forward`, with every call inlined and a mark wherever another module begins. It is run by TorchScript's
/// interpreter and not by its optimising executor, which rewrites what rules want to see.
class TorchScriptGraph {
 public:
  /// Throws Error (wrong_model) where `forward` does not take one tensor.
  explicit TorchScriptGraph(torch::jit::Module module);

  at::Tensor run(const at::Tensor& input) const;

  const torch::jit::Module& module() const { return module_; }
  ParameterNames parameter_names() const;
  /// The first floating tensor among the graph's constants, which hold a frozen model's weights; undefined where there
  /// is none.
  const at::Tensor& floating_constant() const { return floating_constant_; }

 private:
  TorchScriptGraph(torch::jit::Module module, const std::shared_ptr<torch::jit::Graph>& graph);

  torch::jit::Module module_;
  torch::jit::Code code_;
  at::Tensor floating_constant_;
};

/// Reads a file. Throws Error: unreadable_file, wrong_model.
torch::jit::Module load_torchscript(const std::filesystem::path& path);

}  // namespace ascribe::model
