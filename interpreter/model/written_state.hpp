// What a TorchScript program writes into itself: streaming networks keep a state, others count their calls.
#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include <map>
#include <set>
#include <string>
#include <utility>

namespace ascribe::model {

/// Finds the attributes that a program replaces, or writes into, and makes copies of what holds them, so that every run
/// starts from what the file says. What is only read is shared, parameters above all, which are known by their memory.
class WrittenState {
 public:
  /// `graph`: the module's `forward` in evaluation mode, with its calls filled in. Constants that it writes into are
  /// copied within it from now on.
  explicit WrittenState(torch::jit::Graph& graph);

  bool empty() const { return !any_; }
  /// The module itself where nothing is written.
  torch::jit::ModulePtr of_a_run(const torch::jit::ModulePtr& module) const;

 private:
  using Attribute = std::pair<std::string, std::string>;  // the class's name, and its own
  void find_writes(torch::jit::Block& block);
  void trace(torch::jit::Value* value);
  torch::jit::ModulePtr copy(const torch::jit::ModulePtr& object, std::map<const void*, c10::IValue>& copied) const;

  bool any_ = false;         ///< objects are copied
  bool everything_ = false;  ///< a call is decided by the run: whatever is no parameter may be written into
  std::set<Attribute> overwritten_;
  std::set<const torch::jit::Value*> seen_;  ///< of the graph, while it is searched
  std::set<torch::jit::Node*> constants_;
};

}  // namespace ascribe::model
