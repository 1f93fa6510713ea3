// What happens to a layer's call while rules are attached.
#pragma once

#include <torch/csrc/autograd/function_hook.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "ascribe/attach.hpp"
#include "interpreter/attach/dispatch.hpp"
#include "interpreter/attach/forward_pass.hpp"
#include "interpreter/attach/rule_node.hpp"

namespace ascribe {

/// The names of a model's modules, by the parameters that they hold.
struct ParameterNames {
  /// `features.0.weight` for a parameter, by its storage: views (a transposed weight) are found, too.
  std::unordered_map<const c10::StorageImpl*, std::string> by_storage;
  std::unordered_set<const c10::TensorImpl*> parameters;

  void add(const std::string& name, const at::Tensor& parameter);
};

class Attachment::State : public attaching::Interceptor, public std::enable_shared_from_this<Attachment::State> {
 public:
  State(const Composite& rules, ParameterNames names);

  void call(const c10::OperatorHandle& op, const attaching::LayerOperator& row, torch::jit::Stack& stack) override;

  Report report() const;

 private:
  using Row = attaching::LayerOperator;
  using LayerCall = attaching::LayerCall;
  using Passes = std::shared_ptr<attaching::ForwardPass>;

  bool add_bias(const c10::OperatorHandle& op, const Row& row, torch::jit::Stack& stack);
  void run_rule(const c10::OperatorHandle& op, const Row& row, torch::jit::Stack& stack, LayerCall call, const std::vector<std::size_t>& inputs, Passes pass);
  void keep_gradient(const c10::OperatorHandle& op, torch::jit::Stack& stack, const std::shared_ptr<LayerReport>& report);
  void finish(const at::Tensor& output, bool in_place, const std::vector<at::Tensor>& inputs, LayerCall call, Passes pass);
  std::string module_name(const Row& row, const std::vector<c10::IValue>& arguments) const;

  std::shared_ptr<const language::BoundComposite> rules_;
  ParameterNames names_;
  attaching::ForwardPasses passes_;
  std::vector<std::shared_ptr<LayerReport>> reports_;
};

namespace attaching {

/// The module that the running model is in, for operators without parameters of their own; saved models say it. Empty: unknown.
std::string& current_module();

/// Attaches rules under names that were collected already.
Attachment attach_with_names(const Composite& rules, ParameterNames names);

}  // namespace attaching
}  // namespace ascribe
