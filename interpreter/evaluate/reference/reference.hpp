// The reference evaluator: what a rule means, written down as the language's section 1 has it, for any layer function,
// with autograd. It is the oracle of everything faster, so it is short and does nothing clever.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "interpreter/language/binding.hpp"

namespace ascribe::evaluate {

/// One call of a layer, y = f(x; θ), as a rule sees it. Dimension 0 of inputs and output is the batch.
struct Layer {
  /// f: from inputs and parameters, in the order of those below, to the output. Differentiable in the inputs.
  std::function<at::Tensor(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& parameters)> apply;
  std::vector<at::Tensor> inputs;    ///< the values that the layer was called with; no history
  std::vector<bool> gets_relevance;  ///< one for each input; a constant operand gets none
  std::vector<std::pair<std::string, at::Tensor>> parameters;
  at::Tensor output;  ///< the layer's own y; needed where the rule uses it (Rule::uses_layer_output)
};

/// Where relevance stayed that no input got, summed over the batch. Known where relevance is shared out as
/// Σ a_k·x_k·v_k, the default `reduce` included (design 4):
///   bias = Σ a_k γ_k·(y_k − y_k without bias), constant inputs counted as bias; stabilizer = ΣR − Σ a_k γ_k·y_k.
struct Shares {
  std::optional<double> bias{}, stabilizer{};
};

/// ΣR, in double precision.
double total(const at::Tensor& relevance);

/// R_in for each input, in its shape; undefined for those that get none. `R` is the relevance of the output, in its
/// shape. Fills `shares` in where it is given, which costs another run of f for each term with a bias. Throws Error
/// (rule_does_not_fit) where the rule cannot serve the layer.
std::vector<at::Tensor> relevance(const language::BoundRule& rule, const Layer& layer, const at::Tensor& R,
                                  Shares* shares = nullptr);

/// The same with the history that gradients of the relevance need: it is differentiable in R, and in the layer's inputs
/// and output where these have a history of their own.
std::vector<at::Tensor> differentiable_relevance(const language::BoundRule& rule, const Layer& layer,
                                                 const at::Tensor& R);

/// Not the rule's relevance, but what the layer's own gradient hands to each input: that of its output, or of what the
/// rule's `forward` replaces it with.
std::vector<at::Tensor> gradient(const language::BoundRule& rule, const Layer& layer, const at::Tensor& R,
                                 bool differentiable = false);

/// What goes on instead of the layer's output where the rule has `forward`; otherwise the output itself.
at::Tensor forward(const language::BoundRule& rule, const Layer& layer);

/// Throws where the rule cannot serve a layer with these parameters, inputs and shapes: `require has(…)`, a `backward`
/// that needs a layer that keeps its shape, one that would hand several inputs the same relevance.
void check_fit(const language::BoundRule& rule, const Layer& layer, at::IntArrayRef output_shape);

}  // namespace ascribe::evaluate
