// Saved models, and the relevance of their inputs in one call.
//
//     auto model = ascribe::Model::load("net.pt2");
//     auto a = ascribe::attribute(model, pack.composite("epsilon_plus"), x, ascribe::Target(281));
//     a.relevance;  // in x's shape
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ascribe/pack.hpp"
#include "ascribe/report.hpp"

namespace ascribe {

/// A model from a file, in evaluation mode. Cheap to copy; copies share the weights. May be used by several threads at
/// once.
class Model {
 public:
  /// What torch.export.save wrote (`.pt2`, an exported program) or torch.jit.save (`.pt`, TorchScript: traced, scripted
  /// or frozen); the content tells which. Files of either sort may come from anywhere: exported programs call nothing
  /// but operators on tensors. An exported program is loaded to the CPU. Throws Error: unreadable, truncated, or
  /// something else than a model.
  static Model load(const std::filesystem::path& path);

  /// The model on another device ("cpu", "cuda:0"). Throws Error where there is no such device.
  Model to(const std::string& device) const;

  /// What the model computes, as the file says it; dimension 0 of each input is the batch. Inputs and outputs are the
  /// tensors of what `forward` takes and returns, those within tuples, lists and dictionaries in order; numbers and
  /// nothings among the outputs are left out, arguments with a default may be. What the model writes into its own
  /// buffers is forgotten after the run (of an exported program; TorchScript keeps it). Throws Error (model_failed)
  /// with LibTorch's reason, (wrong_input) for another number of inputs, or a shape or type that an exported program
  /// was not exported for.
  std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs) const;

  /// The same for one tensor to one tensor. Throws Error (wrong_model) where the model returns several.
  at::Tensor forward(const at::Tensor& input) const;

  /// The floating type and the device of its parameters (float32 on the CPU where it has none).
  at::TensorOptions options() const;

  class State;
  const State& state() const { return *state_; }

 private:
  explicit Model(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// Where relevance starts: which of the model's outputs, and how much of it.
class Target {
 public:
  /// Index `index` of the output's dimension 1, in every sample and at every further position.
  Target(std::int64_t index) : index_(index) {}  // NOLINT: attribute(model, rules, x, 281) is how it should read
  /// Each sample's largest output; for outputs [batch, classes] only.
  static Target largest() { return Target(); }

  /// Starts from 1 instead of the output's own value.
  Target from_one() const;
  /// Starts from a tensor of the output's shape, whatever the index.
  static Target from(at::Tensor relevance);
  /// Of the model's outputs, this one; needed where there are several.
  Target of_output(std::size_t output) const;

  const std::optional<std::int64_t>& index() const { return index_; }
  bool starts_from_one() const { return one_; }
  bool starts_from_tensor() const { return from_tensor_; }
  const at::Tensor& relevance() const { return relevance_; }
  const std::optional<std::size_t>& output() const { return output_; }

 private:
  Target() = default;
  std::optional<std::int64_t> index_;
  bool one_ = false, from_tensor_ = false;
  at::Tensor relevance_;
  std::optional<std::size_t> output_;
};

struct Attribution {
  /// Of the input, or the first one that gets some: its shape; its type where that is floating, else float32.
  at::Tensor relevance;
  /// One for each input; undefined for those that get none, such as integers and masks beside other inputs.
  std::vector<at::Tensor> relevances;
  at::Tensor output;  ///< what the model computed, without history: the output that the target is of
  Report report;      ///< the layers, in order of execution
};

/// The relevance of a model's input. Runs the model once forward and once backward; works under NoGradGuard, too.
/// Floating inputs are converted to the model's floating type, and so is a single input of integers, unless the model
/// takes integers; beside other inputs, integers and truth values stay what they are. Errors as those of attach() and
/// Model::run(), and bad_target: an index that the output lacks, a start of another shape, several outputs and none of
/// them chosen.
Attribution attribute(const Model& model, const Composite& rules, const at::Tensor& input,
                      const Target& target = Target::largest());
/// The same for a model of several inputs.
Attribution attribute(const Model& model, const Composite& rules, const std::vector<at::Tensor>& inputs,
                      const Target& target = Target::largest());

}  // namespace ascribe
