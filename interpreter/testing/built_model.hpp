// Models of layers in sequence that are built in place, from numbers or drawn from a seed: what tests run rules on.
// Float64, in evaluation mode.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grammar/error.hpp"
#include "grammar/limits.hpp"
#include "interpreter/language/buildable_layers.hpp"

namespace ascribe::testing {

/// What a layer is built from: one value for each of its arguments (a tensor without dimensions is a number), or
/// nothing where it was not given.
struct LayerDescription {
  const language::BuildableLayer* layer;
  std::vector<std::optional<at::Tensor>> arguments;
  Label place;                                            ///< where it was written; messages point there
  std::vector<std::vector<LayerDescription>> branches{};  ///< of layers with several inputs, each given the same
};

/// How much the layers of a model may compute in one forward pass, and who says so.
struct Allowance {
  double multiplications = static_cast<double>(limits.test_operations);
  std::string_view whose = "a test";
};

class BuiltModel {
 public:
  /// Throws Error: arguments that do not fit each other, sizes out of range, limits.
  explicit BuiltModel(const std::vector<LayerDescription>& layers, Allowance allowance = {}, std::string prefix = {});

  /// Throws Error where a layer cannot take what the one before it gives. Layers are called "0", "1", … as modules,
  /// those of a branch "0.1.2": the third one in the second branch of the first.
  at::Tensor forward(const at::Tensor& x) const;
  /// "0.weight" and so on.
  const std::vector<std::pair<std::string, at::Tensor>>& parameters() const { return parameters_; }
  std::size_t size() const { return layers_.size(); }
  /// As the function below.
  const std::string& only_kind() const { return only_kind_; }

 private:
  struct Layer {
    std::string_view kind;
    std::function<at::Tensor(const at::Tensor&)> apply;
    /// Multiplications that the layer needs for an input, and numbers that it gives.
    std::function<std::pair<double, double>(const at::Tensor&)> effort;
    Label place;
    std::vector<BuiltModel> branches{};
    std::function<at::Tensor(const std::vector<at::Tensor>&)> join{};  ///< of what the branches give
  };
  Allowance allowance_;
  std::string prefix_, only_kind_;
  std::vector<Layer> layers_;
  std::vector<std::pair<std::string, at::Tensor>> parameters_;
};

/// What a single rule is for: `any` of a model of one layer, the joining layer's kind of one that joins branches. Empty
/// for other models, whose linear and convolution layers get it.
std::string only_kind(const std::vector<LayerDescription>& layers);

/// Normally distributed numbers, the same for the same seed. Throws Error beyond the limit.
at::Tensor random(at::IntArrayRef shape, std::int64_t seed);

}  // namespace ascribe::testing
