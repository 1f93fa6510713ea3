// What happened at each layer.
//
//     for (auto& layer : a.report)
//       std::cout << layer.name << " " << layer.rule << " " << layer.below.value_or(0) << "\n";
//
// Sums are over all samples and elements, in float64; relevance is in the units of the output that it started from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grammar/export.hpp"

namespace ascribe {

/// What a call of a layer took, each time that it ran; of layers that keep their gradient, only the forward pass is
/// known.
struct LayerCost {
  double forward_seconds = 0, backward_seconds = 0;
  std::size_t forward_operators = 0, backward_operators = 0;  ///< LibTorch's, without those that they call
  std::int64_t kept_bytes = 0;  ///< of inputs and output, for the backward pass; layers share most of them
};

/// One call of a layer, in the order of execution. A layer that is called twice has two.
struct LayerReport {
  /// The module's whole name (`features.0`), or the kind and a number where there is none (`relu#3`).
  std::string name;
  std::string kind;                 ///< `conv2d`, `relu`, `add`, …
  std::vector<std::int64_t> shape;  ///< of its output, dimension 0 the batch
  /// The rule with its arguments; `gradient` where no entry is for the layer; `merge` for batch norm that is one layer
  /// with the linear layer before it, in whose row the pair's relevance stands; `merge (acts as pass)` for other batch
  /// norm; `indices` for what only moves numbers about and lost relevance on the way: to zeros that it put around them,
  /// or to constants that it put beside them; `stop`, and `behind a stop` for layers from which only such can be
  /// reached.
  std::string rule;
  std::string entry;            ///< where the composite's entry was written: `mine.rule:3:3`; empty for `gradient`
  std::optional<double> above;  ///< ΣR of its output; empty until relevance has passed it
  std::optional<double> below;  ///< ΣR that it handed to its inputs
  /// Of rules that share relevance out as Σ a_k·x_k·v_k, as most do: what stayed with the bias, Σ a_k γ_k·(y_k − y_k
  /// without bias), constant operands of `add` counted as bias; and what the stabilizer took, ΣR − Σ a_k γ_k·y_k.
  std::optional<double> bias, stabilizer;

  std::optional<LayerCost> cost{};  ///< where AttributeOptions::profile asked for it

  /// How many of its inputs get relevance: two of `a + b` and `a · b`, none of an embedding.
  std::size_t inputs = 1;

  /// What neither bias nor stabilizer account for: above − below, without what these are known to have taken. Of rules
  /// that share relevance out otherwise (`taylor`, gradients), it is all that did not go on. Empty where above or below
  /// is.
  std::optional<double> rest() const {
    if (!above || !below) return {};
    return *above - *below - bias.value_or(0) - stabilizer.value_or(0);
  }
};

/// The layers, in the order of execution.
using Report = std::vector<LayerReport>;

/// The layer that made the first relevance that is not finite: what reached it was, what it handed down was not. Null
/// where there is none, or the report has no sums. Relevance goes from the last layer to the first.
ASCRIBE_EXPORT const LayerReport* first_not_finite(const Report& report);

}  // namespace ascribe
