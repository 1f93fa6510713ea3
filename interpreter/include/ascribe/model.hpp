// Saved models, and the relevance of their inputs in one call.
//
//     auto model = ascribe::Model::load("net.pt");
//     auto a = ascribe::attribute(model, pack.composite("epsilon_plus"), x, ascribe::Target(281));
//     a.relevance;  // in x's shape
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "ascribe/pack.hpp"
#include "ascribe/report.hpp"

namespace ascribe {

/// A model from a file, in evaluation mode. Cheap to copy; copies share the weights. May be used by several threads at
/// once.
class Model {
 public:
  /// A TorchScript file (`.pt`: traced, scripted or frozen). Throws Error: unreadable, truncated, or something else
  /// than a model.
  static Model load(const std::filesystem::path& path);

  /// The model on another device ("cpu", "cuda:0"). Throws Error where there is no such device.
  Model to(const std::string& device) const;

  /// What the model computes, as the file says it; dimension 0 of `input` is the batch. Throws Error (model_failed)
  /// with LibTorch's reason, (wrong_model) where the model does not map one tensor to one tensor.
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

  const std::optional<std::int64_t>& index() const { return index_; }
  bool starts_from_one() const { return one_; }
  bool starts_from_tensor() const { return from_tensor_; }
  const at::Tensor& relevance() const { return relevance_; }

 private:
  Target() = default;
  std::optional<std::int64_t> index_;
  bool one_ = false, from_tensor_ = false;
  at::Tensor relevance_;
};

struct Attribution {
  at::Tensor relevance;  ///< of the input: its shape; its type where that is floating, else float32
  at::Tensor output;     ///< what the model computed, without history
  Report report;         ///< the layers, in order of execution
};

/// The relevance of a model's input. Runs the model once forward and once backward; works under NoGradGuard, too.
/// Errors as those of attach() and Model::forward(); bad_target: an index that the output lacks, a start of another
/// shape; no_layer_matched: the rules are for none of the model's layers; too_large: memory ran out.
Attribution attribute(const Model& model, const Composite& rules, const at::Tensor& input,
                      const Target& target = Target::largest());

}  // namespace ascribe
