// The one door to what a rule computes on a layer. Behind it there may be several evaluators, which mean the same.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "interpreter/language/binding.hpp"
#include "interpreter/layers/operation.hpp"
#include "interpreter/layers/sample_place.hpp"
#include "interpreter/libtorch/parameter_cache.hpp"

namespace ascribe::evaluate {

/// Where a layer's inputs (no element: all of them) and its output hold their samples; dimension 0 is the batch where
/// nothing else is said.
struct SamplePlaces {
  std::vector<layering::SamplePlace> inputs{};
  layering::SamplePlace output{};
};

/// One call of a layer, y = f(x; θ), as a rule sees it.
struct Layer {
  std::shared_ptr<const layering::Operation> operation;  ///< f
  std::vector<at::Tensor> inputs;                        ///< the values that the layer was called with; no history
  std::vector<bool> gets_relevance;                      ///< one for each input; a constant operand gets none
  layering::NamedTensors parameters;
  at::Tensor output;  ///< the layer's own y; needed where the execution says so
  SamplePlaces samples{};
  libtorch::Written written = libtorch::Written::anyhow;  ///< the parameters, by whoever has them
};

/// Where relevance stayed that no input got, summed over the batch. Known where relevance is shared out as
/// Σ a_k·x_k·v_k, the default `reduce` included:
///   bias = Σ a_k γ_k·(y_k − y_k without bias), constant inputs counted as bias; stabilizer = ΣR − Σ a_k γ_k·y_k.
/// Of matmul and product, whose inputs get a_k γ_k·y_k each, both count as often as inputs get relevance.
struct Shares {
  std::optional<double> bias{}, stabilizer{};
  std::optional<double> above{}, below{};  ///< ΣR and Σ R_in over all inputs, where they were summed up on the way
};

/// A rule on an operation, ready to run on its calls. Immutable; may be used by several threads at once.
class Execution {
 public:
  virtual ~Execution() = default;

  /// Throws Error (rule_does_not_fit) where the rule cannot serve a layer with these parameters, inputs and shapes:
  /// `require has(…)`, a `backward` that needs a layer that keeps its shape, one that would hand several inputs the
  /// same relevance.
  virtual void check_fit(const Layer& layer, at::IntArrayRef output_shape) const = 0;

  /// Whether relevance() is to be given the layer's output.
  virtual bool needs_output() const = 0;
  /// Whether it looks at the numbers of the layer's inputs; if not, tensors of their shape and type serve.
  virtual bool needs_inputs() const = 0;

  /// What goes on instead of the layer's output where the rule has `forward`; otherwise the output itself.
  virtual at::Tensor forward(const Layer& layer) const = 0;

  /// R_in for each input, in its shape; undefined for those that get none. `R` is the relevance of the output, in its
  /// shape. Fills `shares` in where it is given, which costs another run of f for each term with a bias. Throws Error
  /// (rule_does_not_fit) where the rule cannot serve the layer.
  virtual std::vector<at::Tensor> relevance(const Layer& layer, const at::Tensor& R,
                                            Shares* shares = nullptr) const = 0;

  /// The same with the history that gradients of the relevance need: it is differentiable in R, and in the layer's
  /// inputs and output where these have a history of their own.
  virtual std::vector<at::Tensor> differentiable_relevance(const Layer& layer, const at::Tensor& R) const = 0;

  /// Not the rule's relevance, but what the layer's own gradient hands to each input: that of its output, or of what
  /// the rule's `forward` replaces it with.
  virtual std::vector<at::Tensor> gradient(const Layer& layer, const at::Tensor& R, bool differentiable) const = 0;
};

class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual std::string_view name() const = 0;
  /// The rule on an operation. The rule has to outlive what is compiled.
  virtual std::shared_ptr<const Execution> compile(const language::BoundRule& rule,
                                                   const layering::Operation& operation) const = 0;
};

/// Follows the formulas of the language's section 1 literally: the oracle of the others.
const Evaluator& reference();
/// Does what relevance needs and no more (plan/); what it has no plan for is the reference's.
const Evaluator& planner();
/// All there are.
std::span<const Evaluator* const> evaluators();

/// The evaluator of what is recorded on this thread; mostly the best one.
const Evaluator& current_evaluator();
/// Another one, while it lives: for tests that compare.
class UsingEvaluator {
 public:
  explicit UsingEvaluator(const Evaluator& evaluator);
  UsingEvaluator(const UsingEvaluator&) = delete;
  UsingEvaluator& operator=(const UsingEvaluator&) = delete;
  ~UsingEvaluator();

 private:
  const Evaluator* before_;
};

/// ΣR, in double precision; by the plan's kernels (plan/run_program.cpp).
double total(const at::Tensor& relevance);

}  // namespace ascribe::evaluate
