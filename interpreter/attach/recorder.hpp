// What layers leave in autograd's graph: the node of a rule, or their own gradient, watched.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "interpreter/attach/ledger.hpp"
#include "interpreter/attach/rule_node.hpp"
#include "interpreter/attach/samples.hpp"
#include "interpreter/layers/operation.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::attaching {

/// What an attachment is to notice besides its work.
struct Watch {
  bool sums = false;     ///< what the relevance of each layer sums to, and who took what
  bool outputs = false;  ///< where relevance arrives at each layer
  bool profile = false;  ///< what each layer takes
  /// Nobody asks for gradients, of layers or of relevance: what a rule does not need is not kept.
  bool only_relevance = false;
  bool has_input = false;  ///< the input is known, and requires a gradient
  libtorch::Written parameters = libtorch::Written::anyhow;
  std::shared_ptr<Supervisor> supervisor{};  ///< null: nobody can stop it
};

/// Belongs to one attachment.
class Recorder {
 public:
  Recorder(const language::BoundComposite& rules, Watch watch, const ForwardPasses& passes, const Samples& samples,
           Ledger& ledger, std::shared_ptr<std::atomic<int>> inactive)
      : watch_(std::move(watch)),
        keeps_outputs_(watch_.outputs || has_stops(rules)),
        passes_(passes),
        samples_(samples),
        ledger_(ledger),
        inactive_(std::move(inactive)) {}

  /// A call that has the row, without rule as yet.
  LayerCall begin(const Ledger::Row& row, const layering::Call& call, std::shared_ptr<const void> owner) const;

  /// Gives the layer the first of its choices, runs it without autograd, and leaves the rule in the graph in its place.
  /// `run` gives the layer's output; what it returns here is what the model gets. Throws Error: refused_layer,
  /// rule_does_not_fit.
  at::Tensor run_rule(Ledger::Row& row, LayerCall call, const layering::Call& found,
                      const std::shared_ptr<ForwardPass>& pass, const std::function<at::Tensor()>& run);

  /// The layer's output, with what it takes noted where somebody wants to know.
  at::Tensor measured(Ledger::Row& row, const std::function<at::Tensor()>& run) const;

  /// The operator runs as ever, but for parameters and constants, which get no gradient. The report still has its row.
  void keep_gradient(const c10::OperatorHandle& op, torch::jit::Stack& stack, const layering::Call& found,
                     Ledger::Row& row);

  /// The same for a module as a whole, which `run` runs on other tensors in the place of its inputs.
  layering::Tensors keep_gradient(const std::function<layering::Tensors(const layering::Tensors&)>& run,
                                  const layering::Call& found, Ledger::Row& row);

  /// Runs the operator without recording anything: what it gives is a constant for all that follows.
  void stop(const c10::OperatorHandle& op, torch::jit::Stack& stack, const layering::Call& found,
            const language::BoundEntry& entry, Ledger::Row& row);
  /// The same for a module as a whole.
  layering::Tensors stop(const std::function<layering::Tensors()>& run, const layering::Call& found,
                         const language::BoundEntry& entry, Ledger::Row& row);
  /// Names the rule of layers from which only stopped ones can be reached, "behind a stop". `outputs`: the model's.
  void tell_behind_stops(const std::vector<at::Tensor>& outputs);

  /// Whether batch norm and the linear layer before it are one layer now: batch norm runs as ever; in the graph, both
  /// become one node, which keeps what the linear layer's call has (its input, entry, name and count).
  bool merge(const c10::OperatorHandle& op, torch::jit::Stack& stack, const layering::Call& batch_norm,
             const language::BoundEntry& entry, const std::shared_ptr<ForwardPass>& pass, Ledger::Row& row);

  const Watch& watch() const { return watch_; }

 private:
  /// A batch norm whose output a linear layer reads is folded into it, where it was merged with nothing else. Whose
  /// input the layer has then; null where there is none.
  const RuleNode* fold(layering::Call& found, const std::shared_ptr<ForwardPass>& pass) const;
  void note_output(Ledger::Row& row, const at::Tensor& output) const;
  /// The inputs of a layer that keeps its gradient: where sums are wanted, such that what it hands down is seen. What
  /// is written into has no node of its own before it: there, the operator's node tells both sums.
  layering::Tensors watched_inputs(const layering::Call& found, const Ledger::Row& row) const;
  void note_kept(Ledger::Row& row, const at::Tensor& output, bool in_place = false) const;

  /// The rows of layers that lead to these tensors; the walk ends at those that are `known`.
  std::unordered_set<std::uint64_t> leading_to(const std::vector<at::Tensor>& tensors,
                                               const std::unordered_set<std::uint64_t>& known) const;

  static bool has_stops(const language::BoundComposite& rules);

  Watch watch_;
  bool keeps_outputs_;  // where relevance arrives at layers: somebody asks, or stops are to be told
  const ForwardPasses& passes_;
  const Samples& samples_;
  Ledger& ledger_;
  std::shared_ptr<std::atomic<int>> inactive_;
  std::vector<libtorch::Made> kept_gradient_;       // outputs of linear layers that keep their gradient
  std::unordered_set<std::uint64_t> before_stops_;  // rows of layers that lead to stopped ones
};

}  // namespace ascribe::attaching
