// Saved models.
//
//     auto model = ascribe::Model::load("net.pt2");
//     auto y = model.forward(x);
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ascribe/error.hpp"

namespace ascribe {

/// A model from a file, in evaluation mode. Cheap to copy; copies share the weights. May be used by several threads at
/// once.
class ASCRIBE_EXPORT Model {
 public:
  Model(const Model&) = default;  // moving copies, too: no model is ever without its state
  Model& operator=(const Model&) = default;

  /// What torch.export.save wrote (`.pt2`, an exported program) or torch.jit.save (`.pt`, TorchScript: traced, scripted
  /// or frozen); the content tells which. Files of either sort may come from anywhere: exported programs call nothing
  /// but operators on tensors. An exported program is loaded to the CPU, TorchScript to where its file says. Throws
  /// Error: unreadable_file, wrong_model (truncated, or something else than a model), too_large.
  static Model load(const std::filesystem::path& path);

  /// The model on another device ("cpu", "cuda:0"); this one stays where it is. Throws Error (usage) where there is no
  /// such device.
  Model to(const std::string& device) const;

  /// What the model computes, as the file says it; dimension 0 of each input is the batch. Inputs and outputs are the
  /// tensors of what `forward` takes and returns, those within tuples, lists and dictionaries in order; numbers and
  /// nothings among the outputs are left out, arguments with a default may be. What the model writes into its own
  /// attributes and buffers (a state, a count of calls) is forgotten after the run: each one starts from what the file
  /// says, whatever other threads do. What LibTorch would warn of on stderr is dropped, unless the thread has a warning
  /// handler of its own. Throws Error (model_failed) with LibTorch's reason, (wrong_input) for another number of
  /// inputs, a picture of other channels or another number of samples than it takes, or a shape or type that an
  /// exported program was not exported for.
  std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs) const;

  /// The same for one tensor to one tensor. Throws Error (wrong_model) where the model returns several.
  at::Tensor forward(const at::Tensor& input) const;

  /// The floating type and the device of its parameters (float32 on the CPU where it has none).
  at::TensorOptions options() const;

  class State;

 private:
  friend struct Inside;
  explicit Model(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace ascribe
