#include "interpreter/attach/no_input_node.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/functions/utils.h>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/layers/batch_norm.hpp"
#include "interpreter/libtorch/graph_node.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::attaching {

torch::autograd::variable_list NoInputNode::apply(torch::autograd::variable_list&&) {
  if (*has_input_) return {};
  Error error(
      {.code = Code::no_input,
       .message = filled("{}: nothing that it was called with depends on an input that requires a gradient", layer_),
       .help = "call x.requires_grad_() before the model"});
  if (supervisor_) supervisor_->leaving_node(error);
  throw error;
}

bool leave_no_input_node(const layering::OperatorCall& call, torch::jit::Stack& stack,
                         const std::shared_ptr<std::atomic<bool>>& has_input,
                         const std::shared_ptr<Supervisor>& supervisor) {
  if (*has_input) return false;
  auto& patterns = call.patterns;
  if (patterns.empty() || patterns.front().parameters.empty()) return false;
  auto* kind = layering::kind_of(patterns.front(), call.arguments);
  auto& weight = call.arguments[patterns.front().parameters.front().first];
  if (!kind || !layering::is_linear(*kind) || !libtorch::is_tensor(weight)) return false;
  auto* name = call.names.find(weight.toTensor());
  if (!name) return false;
  {
    at::NoGradGuard no_grad;
    at::AutoDispatchBelowADInplaceOrView below;
    call.op.callBoxed(stack);
  }
  auto module = libtorch::module_of(*name);
  torch::autograd::set_history(
      libtorch::output_of(call.op, stack).toTensor(),
      libtorch::make_node<NoInputNode>(
          has_input, filled("layer '{}' ({})", module.empty() ? kind->name : module, kind->name), supervisor));
  return true;
}

}  // namespace ascribe::attaching
