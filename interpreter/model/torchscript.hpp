// TorchScript files: the method's own graph, run operator by operator.
#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <filesystem>

#include "interpreter/model/model_program.hpp"
#include "interpreter/model/written_state.hpp"

namespace ascribe::model {

/// A model's `forward`, with every call inlined and a mark wherever another module begins. It is run by TorchScript's
/// interpreter and not by its optimising executor, which rewrites what rules want to see.
///
/// What it writes into itself is forgotten after each run: the run has a copy of what is written to, and shares the
/// rest.
///
/// Its inputs are the tensors of its arguments, in order: a tuple of tensors is several, a list takes what the others
/// leave. Arguments with a default may be left out.
class TorchScriptGraph : public Program {
 public:
  /// Throws Error (wrong_model) where `forward` takes something that is not made of tensors.
  explicit TorchScriptGraph(torch::jit::Module module);

  std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs) const override;
  libtorch::ParameterNames parameter_names() const override;
  at::TensorOptions options() const override;
  std::unique_ptr<const Program> on(c10::Device device) const override;
  Inputs inputs() const override;
  std::string_view format() const override { return "TorchScript"; }
  std::optional<at::ScalarType> declared_type(std::size_t) const override { return {}; }
  bool looks_up_integers() const override { return looks_up_integers_; }
  /// Whether it writes nothing into itself.
  bool shares_everything() const { return state_.empty(); }

 private:
  TorchScriptGraph(torch::jit::Module module, const std::shared_ptr<torch::jit::Graph>& graph);
  torch::jit::Stack arguments(const std::vector<at::Tensor>& inputs) const;
  std::optional<std::vector<at::Tensor>> hand_over(const std::vector<at::Tensor>& inputs) const;

  torch::jit::Module module_;
  WrittenState state_;  // before the code, which is made of the graph that it may change
  torch::jit::Code code_;
  at::Tensor floating_constant_;  ///< the first among the graph's constants, which hold a frozen model's weights
  bool looks_up_integers_;
  std::size_t operators_;
};

/// Reads a file that is known to be a TorchScript archive. Throws Error (wrong_model).
torch::jit::Module load_torchscript(const std::filesystem::path& path);

}  // namespace ascribe::model
