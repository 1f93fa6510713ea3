// What a layer hands back to its inputs, by LibTorch's own operators instead of a recorded graph.
#pragma once

#include <optional>

#include "interpreter/layers/operation.hpp"

namespace ascribe::layering {

/// One call y = f(x; θ), and what comes back to it.
struct TransposedCall {
  const Operation& operation;
  const Tensors& inputs;            ///< x; of most kinds, only the shapes count
  const Tensors& parameters;        ///< θ
  const at::Tensor& output;         ///< y of these x and θ; may be undefined where the kind needs none (needs_output)
  const at::Tensor& gamma;          ///< of y's shape
  const std::vector<bool>& wanted;  ///< one for each input
};

struct Transposed {
  /// (∂y/∂x_i)ᵀ γ for each wanted input, in its shape. Of norms, what divides is held (run_held). Nothing where this
  /// call is one that only autograd can tell.
  std::optional<Tensors> (*run)(const TransposedCall& call);
  bool needs_output = false;
  /// Of norms, whose formula rounds otherwise than their operator: y is run_held's, not the operator's own.
  bool holds = false;
  /// It takes θ into account, is linear in x for any, and sums over outputs that are stacked along the weight's
  /// dimension 0: a linear layer or an ungrouped convolution with a weight, and perhaps a bias, that rules may modify.
  bool takes_weights = false;
};

/// Null where there is only autograd: modules, compositions, kinds without a row.
const Transposed* find_transposed(const Operation& operation);
/// The same of a kind's usual operators: what most of its calls have.
const Transposed* find_transposed(const language::Kind& kind);

/// Whether several such layers can be one, stacked along their outputs. `transposed` is the operation's.
bool can_be_stacked(const Transposed& transposed, const Operation& operation);
bool can_be_stacked(const language::Kind& kind);

/// Where the outputs of a layer with weights are counted: their dimension of y.
std::int64_t output_dimension(const Operation& operation, const at::Tensor& output);

}  // namespace ascribe::layering
