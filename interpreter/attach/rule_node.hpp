// The node that a layer leaves in autograd's graph: its backward is the rule.
#pragma once

#include <torch/csrc/autograd/function.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "ascribe/report.hpp"
#include "interpreter/attach/forward_pass.hpp"
#include "interpreter/attach/selection.hpp"
#include "interpreter/attach/supervisor.hpp"
#include "interpreter/evaluate/evaluator.hpp"
#include "interpreter/layers/batch_norm.hpp"
#include "interpreter/libtorch/kept_tensor.hpp"

namespace ascribe::attaching {

using libtorch::KeptTensor;

/// One call of a layer and the rule that it got.
struct LayerCall {
  std::shared_ptr<LayerReport> report;
  /// Held while the report is written or read.
  std::shared_ptr<std::mutex> report_mutex;
  std::shared_ptr<const void> owner;          ///< keeps the rule alive
  const language::BoundRule* rule = nullptr;  ///< null: settled when the forward pass is over, from `choices`
  language::Place place{};                    ///< of the entry
  std::vector<Choice> choices{};
  bool refusal_waits = false;  ///< its entry refuses it, unless it turns out to be a part of another layer
  std::uint64_t order = 0;     ///< where the call comes in the order of execution
  std::shared_ptr<const layering::Operation> operation;  ///< f
  const evaluate::Evaluator* evaluator = &evaluate::current_evaluator();
  std::shared_ptr<const evaluate::Execution> execution{};  ///< of the rule; null as long as there is none
  std::vector<KeptTensor> inputs;
  std::vector<bool> gets_relevance;
  evaluate::SamplePlaces samples{};
  std::vector<std::pair<std::string, KeptTensor>> parameters;
  libtorch::Written written = libtorch::Written::anyhow;  ///< the parameters
  KeptTensor output;
  std::int64_t output_version = 0;  ///< of the tensor that the model got
  bool merges_behind = false;       ///< of a linear layer: whether batch norm may be merged into its parameters
  /// Of batch norm that may still be merged, into the linear layer that reads it.
  std::shared_ptr<const layering::BatchNorm> batch_norm{};
  bool sums = false;  ///< whether the report says what the relevance sums to
  /// The backward pass that the report's sums are of; shared with calls that this one is merged from.
  std::shared_ptr<int> task = std::make_shared<int>(-1);
  /// Above zero: the backward pass answers with the layer's gradient. Null: never.
  std::shared_ptr<const std::atomic<int>> inactive{};
  std::shared_ptr<Supervisor> supervisor{};  ///< null: nobody can stop it

  /// The layer with what is kept of it. Throws Error (overwritten_tensor).
  evaluate::Layer layer() const;
  /// A rule, whatever entry says so.
  void take(const language::BoundRule& chosen);
  /// Gives the layer an entry, or its gradient where there is none. Throws Error where the entry refuses the layer.
  void take(const language::BoundEntry* entry);
  /// For messages: "layer 'features.0' (conv2d)".
  std::string shown() const;
};

/// Keeps the layer's output where its rule needs it, and gives what the model gets: the output, or what the rule's
/// `forward` replaces it with. `unfinished`: it is not the layer's whole output yet, and stays.
at::Tensor take_output(LayerCall& call, evaluate::Layer& layer, const at::Tensor& output, bool unfinished = false);

bool is_merge(const language::BoundEntry& entry);
bool is_refuse(const language::BoundEntry& entry);
bool is_stop(const language::BoundEntry& entry);

/// What a report says of a layer that gets an entry; null: its gradient.
void describe_entry(LayerReport& report, const language::BoundEntry* entry);

class RuleNode : public torch::autograd::Node {
 public:
  RuleNode(LayerCall call, std::shared_ptr<ForwardPass> pass) : call_(std::move(call)), pass_(std::move(pass)) {}

  /// The node of a graph, if it is one of ours; else null. That of another copy of the library is none: it may be
  /// another version's.
  static RuleNode* of(torch::autograd::Node* node);

  /// Throws Error where the rule does not fit, or a tensor that it needs was overwritten.
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override;
  void release_variables() override;
  std::string name() const override { return "Relevance"; }

  const LayerCall& call() const { return call_; }
  const std::shared_ptr<ForwardPass>& pass() const { return pass_; }

 private:
  torch::autograd::variable_list hand_down(const torch::autograd::variable_list& gradients);
  /// The same, with what it takes.
  torch::autograd::variable_list measured(const at::Tensor& R, bool differentiable);
  torch::autograd::variable_list relevance_of_inputs(const at::Tensor& R, bool active, bool differentiable);
  void connect(evaluate::Layer& layer);

  static const char this_copy;
  const char* copy_ = &this_copy;  // first, so that every version finds it
  LayerCall call_;
  std::shared_ptr<ForwardPass> pass_;
  bool released_ = false;
  // Several threads may run the same graph. Recursive, because a backward pass within a rule may let the engine go on
  // with another thread's pass on this one.
  std::recursive_mutex working_;
};

/// An error that a rule makes at a layer, with the layer's name, the rule, and the entry that chose it.
Error at_layer(const LayerCall& call, const Diagnostic& diagnostic);

}  // namespace ascribe::attaching
