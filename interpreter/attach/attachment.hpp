// What happens to an operator's call while rules are attached.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ascribe/attach.hpp"
#include "interpreter/attach/layer_server.hpp"
#include "interpreter/attach/module_layers.hpp"
#include "interpreter/attach/warnings.hpp"
#include "interpreter/layers/recognition.hpp"
#include "interpreter/libtorch/dispatch.hpp"
#include "interpreter/libtorch/parameter_names.hpp"

namespace ascribe {

class Attachment::State : public libtorch::Interceptor {
 public:
  State(const Composite& rules, std::shared_ptr<const libtorch::ParameterNames> names, attaching::Watch watch);

  void call(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack) override;
  bool active() const override { return !ended_ && *inactive_ == 0; }
  bool ended() const override { return ended_; }
  /// From any thread: from now on, nothing is intercepted. What was recorded keeps its rules.
  void end() { ended_ = true; }

  /// Modules of a saved model, as far as they are layers.
  attaching::ModuleLayers& modules() { return modules_; }
  /// Throws the error of a refusal that waited for what might have become of the operator.
  void settle_refusals() { server_.settle_refusals(); }
  /// Before the forward pass of a saved model: what it is given.
  void begin(const std::vector<at::Tensor>& inputs) { server_.samples.begin(inputs); }
  /// When the forward pass is over: layers from which only stopped ones can be reached are called that in the report.
  void tell_behind_stops(const std::vector<at::Tensor>& outputs) { server_.recorder.tell_behind_stops(outputs); }
  Report report() const { return server_.ledger.report(); }
  /// Before the backward pass, where it is known: the output that is explained.
  void explains(const at::Tensor& output);
  /// `report`: what report() gave.
  std::vector<Diagnostic> warnings(const Report& report, attaching::Finite finite) const;
  std::size_t layers() const { return server_.ledger.size(); }
  /// Where relevance arrives at the outputs of a layer's calls, in order of execution; the watch was to keep them.
  std::vector<torch::autograd::Edge> outputs_of(const std::string& layer) const;
  /// Where relevance arrives at the outputs of embeddings, with the numbers of their rows in the report.
  std::vector<std::pair<std::size_t, torch::autograd::Edge>> embeddings() const;
  /// The first layer that was computed of an input where the model disables gradients: "layer '0' (linear)"; or empty.
  const std::string& without_gradients() const { return without_gradients_; }
  /// Above zero: nothing is intercepted, and what was recorded answers with gradients.
  const std::shared_ptr<std::atomic<int>>& inactive() const { return inactive_; }

 private:
  using Pass = attaching::Pass;

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

  /// The same where some rule goes over whole samples: notes where the operator's results hold them.
  void follow_samples(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack);
  void intercept(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack);
  /// `pass` becomes the one that the operator turns out to belong to.
  void serve(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack, Pass& pass);
  /// The number among the report's rows of the layer that made a tensor; empty: none of them did.
  std::optional<std::size_t> row_of(const at::Tensor& tensor) const;
  /// An operator that the table has no layer for.
  void other_operator(const layering::OperatorCall& call, c10::DispatchKeySet keys, torch::jit::Stack& stack,
                      const Pass& known);
  /// Notes a product that a bias may follow.
  void note_product(const layering::Call& call, const Pass& pass, attaching::LayerServer::Served served,
                    const at::Tensor& output);
  /// Gradients are disabled: whether relevance would have gone through the operator is noted.
  void note_without_gradients(const c10::OperatorHandle& op, const torch::jit::Stack& stack);
  layering::OperatorCall describe(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments, Pass& pass);

  const std::shared_ptr<const libtorch::ParameterNames> names_;
  const std::shared_ptr<std::atomic<int>> inactive_ = std::make_shared<std::atomic<int>>(0);
  attaching::LayerServer server_;
  attaching::ModuleLayers modules_;
  std::optional<Product> product_;  // where the call before this one made one
  /// The layer that is being called, for messages: "layer 'features.0' (conv2d)".
  std::string serving() const;
  std::string serving_name_, serving_kind_;  // no kind: none is
  std::string without_gradients_;
  std::optional<std::size_t> explained_row_;
  std::atomic<bool> ended_ = false;
  int calls_ = 0;  // one within another
};

namespace attaching {

/// Throws Error where gradients are disabled.
std::shared_ptr<Attachment::State> make_state(const Composite& rules,
                                              std::shared_ptr<const libtorch::ParameterNames> names, Watch watch);

}  // namespace attaching
}  // namespace ascribe
