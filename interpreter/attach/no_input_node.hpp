// Where a model's layer was called with nothing that depends on an input.
#pragma once

#include <torch/csrc/autograd/function.h>

#include <atomic>
#include <memory>
#include <string>

#include "interpreter/attach/supervisor.hpp"
#include "interpreter/layers/recognition.hpp"

namespace ascribe::attaching {

/// Perhaps the model begins with such; if no input ever comes, relevance that arrives here is the caller's mistake.
class NoInputNode : public torch::autograd::Node {
 public:
  /// `has_input`: whether some call did depend on one; `layer` for the message.
  NoInputNode(std::shared_ptr<std::atomic<bool>> has_input, std::string layer, std::shared_ptr<Supervisor> supervisor)
      : has_input_(std::move(has_input)), layer_(std::move(layer)), supervisor_(std::move(supervisor)) {}
  /// Throws Error (no_input).
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override;
  std::string name() const override { return "NoInput"; }

 private:
  std::shared_ptr<std::atomic<bool>> has_input_;
  std::string layer_;
  std::shared_ptr<Supervisor> supervisor_;
};

/// Runs a linear layer or convolution of the model that was called before anything that depends on an input, and leaves
/// such a node. Whether it was one.
bool leave_no_input_node(const layering::OperatorCall& call, torch::jit::Stack& stack,
                         const std::shared_ptr<std::atomic<bool>>& has_input,
                         const std::shared_ptr<Supervisor>& supervisor);

}  // namespace ascribe::attaching
