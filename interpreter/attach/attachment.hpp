// What happens to a layer's call while rules are attached.
#pragma once

#include <torch/csrc/autograd/function_hook.h>

#include <atomic>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "ascribe/attach.hpp"
#include "interpreter/libtorch/dispatch.hpp"
#include "interpreter/attach/forward_pass.hpp"
#include "interpreter/layers/table.hpp"
#include "interpreter/libtorch/module_scope.hpp"
#include "interpreter/libtorch/operator_call.hpp"
#include "interpreter/libtorch/parameter_names.hpp"
#include "interpreter/attach/rule_node.hpp"
#include "interpreter/attach/supervisor.hpp"

namespace ascribe {
namespace attaching {

/// What an attachment is to notice besides its work.
struct Watch {
  bool sums = false;                         ///< what the relevance of each layer sums to, and who took what
  bool outputs = false;                      ///< where relevance arrives at each layer
  bool has_input = false;                    ///< it is known that the model's input requires a gradient
  std::shared_ptr<Supervisor> supervisor{};  ///< null: nobody can stop it
};

}  // namespace attaching

class Attachment::State : public libtorch::Interceptor, public std::enable_shared_from_this<Attachment::State> {
 public:
  State(const Composite& rules, std::shared_ptr<const libtorch::ParameterNames> names, attaching::Watch watch);

  void call(const c10::OperatorHandle& op, torch::jit::Stack& stack) override;
  bool active() const override { return !ended_ && *inactive_ == 0; }
  bool ended() const override { return ended_; }
  /// From any thread: from now on, nothing is intercepted. What was recorded keeps its rules.
  void end() { ended_ = true; }

  Report report() const;
  /// Where relevance arrives at the outputs of a layer's calls, in order of execution; the watch was to keep them.
  std::vector<torch::autograd::Edge> outputs_of(const std::string& layer) const;
  /// Where relevance arrives at the outputs of the embeddings that look a tensor of indices up.
  std::vector<torch::autograd::Edge> lookups_of(const at::Tensor& indices) const;
  /// Above zero: nothing is intercepted, and what was recorded answers with gradients.
  const std::shared_ptr<std::atomic<int>>& inactive() const { return inactive_; }

 private:
  using Row = layering::LayerOperator;
  using Passes = std::shared_ptr<attaching::ForwardPass>;

  /// A call that is a layer's, before it is known which rule it gets.
  struct Candidate {
    const language::Kind* kind;  ///< null: no layer, and nothing inside it is one
    std::string_view kind_name;
    std::string module;  ///< its whole name; empty: unknown
    Passes pass;
    std::string name;  ///< what reports call the layer
    std::vector<at::Tensor> inputs;
    std::vector<bool> gets_relevance;
    std::vector<std::pair<std::string, at::Tensor>> parameters;
    std::vector<std::size_t> input_places, parameter_places;  ///< among the operator's arguments
    decltype(evaluate::Layer::apply) apply;
    at::Tensor (*inner)(const at::Tensor& x) = nullptr;  ///< of a composed layer, its operator's second argument
    bool in_place = false;
    bool scaled = false;  ///< a product with factors, which parameters merged with batch norm would meet again
    bool pads = false;    ///< a convolution that reads beyond the border of its input
    /// Batch norm before a linear layer, folded into it: whose input the layer has now.
    const attaching::RuleNode* folded = nullptr;
    bool bias_follows = false;     ///< see Product
    bool bias_may_follow = false;  ///< as this one, but no parameter is there by the weight's name
  };

  /// A product with the weight of a module that has a bias, too: C++'s Linear, where its input has more than two
  /// dimensions, adds the bias with the next operator. Then both are one layer, and what was done for the product is
  /// undone.
  struct Product {
    Candidate candidate;
    std::optional<libtorch::Made> output{};
    bool keeps_gradient = false;
    attaching::Counts counts;
    std::size_t reports;
  };

  void intercept(const c10::OperatorHandle& op, torch::jit::Stack& stack);
  /// An operator that is no layer, and neither is anything that it is made of.
  void other_operator(const c10::OperatorHandle& op, torch::jit::Stack& stack);
  Passes without_parameters(const c10::OperatorHandle& op, torch::jit::Stack& stack);
  std::shared_ptr<LayerReport> add_row(const std::string& name, std::string_view kind);
  /// Keeps where relevance arrives at a layer's output, if somebody wants to know.
  void note_output(const LayerReport& report, const at::Tensor& output);
  /// The same for a layer that keeps its gradient, at whose own node of autograd's relevance is watched, too.
  void note_gradient(const std::shared_ptr<LayerReport>& report, const at::Tensor& output);
  bool without_input(const c10::OperatorHandle& op, const Row& row, torch::jit::Stack& stack);
  std::optional<Candidate> candidate(const c10::OperatorHandle& op, const Row& row,
                                     const std::vector<c10::IValue>& arguments);
  /// A layer that several operators make, at the last of them; what was done for the one before is undone.
  std::optional<Candidate> composed(const Row& row, const std::vector<c10::IValue>& arguments);
  std::optional<Candidate> with_bias(const Row& row, const std::vector<c10::IValue>& arguments, const Product& product);
  /// Whether an entry was for the layer; otherwise it keeps its gradient.
  bool serve(const c10::OperatorHandle& op, torch::jit::Stack& stack, Candidate candidate);
  /// Whether batch norm and the linear layer before it are one layer now.
  bool merge(const c10::OperatorHandle& op, torch::jit::Stack& stack, const std::shared_ptr<LayerReport>& report,
             const language::BoundEntry& entry, const Candidate& found);
  /// Folds the batch norm that the candidate reads into it, where it can be merged with nothing else.
  static void fold(Candidate& found);
  void keep_gradient(const c10::OperatorHandle& op, torch::jit::Stack& stack, const Candidate& candidate,
                     const std::shared_ptr<LayerReport>& report);
  void run_rule(const c10::OperatorHandle& op, torch::jit::Stack& stack, attaching::LayerCall call,
                Candidate candidate);
  /// Where a rule that `last` may choose replaces the layer's output.
  static void refuse_forward(const attaching::LayerCall& call);
  static std::string name_of(const Candidate& candidate);
  /// The module whose parameter or buffer is among the arguments; empty: none is.
  std::string module_name(const std::vector<c10::IValue>& arguments) const;

  std::shared_ptr<const language::BoundComposite> rules_;
  std::shared_ptr<const libtorch::ParameterNames> names_;
  attaching::Watch watch_;
  attaching::ForwardPasses passes_;
  std::vector<std::shared_ptr<LayerReport>> reports_;
  /// Held while one of these is written or read: backward passes run on any thread, and outlive this.
  std::shared_ptr<std::mutex> reports_mutex_ = std::make_shared<std::mutex>();
  /// Whether some call depended on an input; shared with nodes that outlive this, and run on other threads.
  std::shared_ptr<std::atomic<bool>> has_input_;
  std::uint64_t calls_ = 0;  // layers called so far
  struct Unsettled {
    std::vector<attaching::Choice> choices;
    std::uint64_t order;
    Passes pass;
  };
  std::map<const LayerReport*, Unsettled> unsettled_;  // layers whose entry `last` decides
  std::vector<libtorch::Made> kept_gradient_;         // outputs of linear layers that keep their gradient
  std::string serving_;                                // the layer that is being called, for messages
  std::optional<Product> product_;                     // where the call before this one made one
  std::map<const LayerReport*, torch::autograd::Edge> outputs_;
  std::vector<std::pair<at::Tensor, torch::autograd::Edge>> lookups_;  // indices, and what embeddings made of them
  std::shared_ptr<std::atomic<int>> inactive_ = std::make_shared<std::atomic<int>>(0);
  std::atomic<bool> ended_ = false;
};

namespace attaching {

/// Throws Error where gradients are disabled.
std::shared_ptr<Attachment::State> make_state(const Composite& rules, std::shared_ptr<const libtorch::ParameterNames> names,
                                              Watch watch);

/// Throws Error (training_mode) where an operator's arguments say that it is in training mode. `name` is the layer's.
void refuse_training_mode(const layering::LayerOperator& row, const std::vector<c10::IValue>& arguments, const std::string& name);

}  // namespace attaching
}  // namespace ascribe
