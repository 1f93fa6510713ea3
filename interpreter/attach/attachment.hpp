// What happens to an operator's call while rules are attached.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ascribe/attach.hpp"
#include "interpreter/attach/forward_pass.hpp"
#include "interpreter/attach/ledger.hpp"
#include "interpreter/attach/recorder.hpp"
#include "interpreter/layers/composed.hpp"
#include "interpreter/layers/recognition.hpp"
#include "interpreter/libtorch/dispatch.hpp"
#include "interpreter/libtorch/module_calls.hpp"
#include "interpreter/libtorch/parameter_names.hpp"

namespace ascribe {

class Attachment::State : public libtorch::Interceptor,
                          public libtorch::ModuleObserver,
                          public std::enable_shared_from_this<Attachment::State> {
 public:
  State(const Composite& rules, std::shared_ptr<const libtorch::ParameterNames> names, attaching::Watch watch);

  void call(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack) override;
  bool active() const override { return !ended_ && *inactive_ == 0; }
  bool ended() const override { return ended_; }
  /// From any thread: from now on, nothing is intercepted. What was recorded keeps its rules.
  void end() { ended_ = true; }

  // Modules of a saved model that are one layer: because an entry says so, or because of their class.
  bool wants(const std::string& path, const std::string& class_name, std::size_t operators) override;
  std::vector<at::Tensor> call(const libtorch::ModuleCall& call) override;

  /// The modules that were asked about: paths and classes.
  const std::set<std::string>& module_paths() const { return module_paths_; }
  const std::set<std::string>& module_classes() const { return module_classes_; }
  /// Throws the error of a refusal that waited for what might have become of the operator.
  void settle_refusals();
  Report report() const { return ledger_.report(); }
  std::size_t layers() const { return ledger_.size(); }
  /// Where relevance arrives at the outputs of a layer's calls, in order of execution; the watch was to keep them.
  std::vector<torch::autograd::Edge> outputs_of(const std::string& layer) const;
  /// Where relevance arrives at the outputs of the embeddings that look a tensor of indices up.
  std::vector<torch::autograd::Edge> lookups_of(const at::Tensor& indices) const;
  /// Above zero: nothing is intercepted, and what was recorded answers with gradients.
  const std::shared_ptr<std::atomic<int>>& inactive() const { return inactive_; }

 private:
  using Pass = std::shared_ptr<attaching::ForwardPass>;

  /// A product with the weight of a module that has a bias, too: C++'s Linear, where its input has more than two
  /// dimensions, adds the bias with the next operator. Then both are one layer, and what was done for the product is
  /// taken back.
  struct Product {
    layering::Call call;
    libtorch::Made output;
    std::uint64_t row;
    Pass pass;
    bool keeps_gradient;
  };

  void intercept(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack);
  /// An operator that the table has no layer for.
  void other_operator(const layering::OperatorCall& call, c10::DispatchKeySet keys, torch::jit::Stack& stack,
                      const Pass& pass);
  /// Moves indices: relevance follows it. Parameters among what it puts side by side get none.
  void index_operator(const layering::OperatorCall& call, torch::jit::Stack& stack);
  void watch_indices(const layering::OperatorCall& call, torch::jit::Stack& stack);
  bool without_input(const layering::OperatorCall& call, torch::jit::Stack& stack);
  /// Gives a layer its row and what an entry says. The row's number, and whether a rule serves it.
  std::pair<std::uint64_t, bool> serve(const c10::OperatorHandle& op, torch::jit::Stack& stack, layering::Call call,
                                       const Pass& pass);
  /// Notes a product that a bias may follow.
  void note_product(const layering::Call& call, const Pass& pass, std::uint64_t row, bool served,
                    const at::Tensor& output);
  layering::OperatorCall describe(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments, Pass& pass);

  std::shared_ptr<const language::BoundComposite> rules_;
  std::shared_ptr<const libtorch::ParameterNames> names_;
  attaching::ForwardPasses passes_;
  attaching::Ledger ledger_;
  std::shared_ptr<std::atomic<int>> inactive_ = std::make_shared<std::atomic<int>>(0);
  attaching::Recorder recorder_;
  layering::RecentOperators recent_;
  std::optional<Product> product_;  // where the call before this one made one
  /// A refused operator that may still turn out to be a part of a layer.
  struct Refusal {
    std::uint64_t row;
    Error error;
  };
  std::vector<Refusal> refusals_;
  std::set<std::string> module_paths_, module_classes_;
  std::string serving_;  // the layer that is being called, for messages
  /// Whether some call depended on an input; shared with nodes that outlive this, and run on other threads.
  std::shared_ptr<std::atomic<bool>> has_input_;
  std::atomic<bool> ended_ = false;
};

namespace attaching {

/// Throws Error where gradients are disabled.
std::shared_ptr<Attachment::State> make_state(const Composite& rules,
                                              std::shared_ptr<const libtorch::ParameterNames> names, Watch watch);

}  // namespace attaching
}  // namespace ascribe
