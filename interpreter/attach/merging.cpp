// The part of an attachment that makes one layer of batch norm and the linear layer before or behind it.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>

#include "interpreter/attach/attachment.hpp"
#include "interpreter/layers/batch_norm.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe {

using namespace libtorch;   // NOLINT
using namespace layering;   // NOLINT
using namespace attaching;  // NOLINT: as in attachment.cpp

// Batch norm runs as ever; in the graph, the linear layer before it and batch norm become one layer, which keeps what
// the linear layer's call has (its input, entry, name and count). Whether there is such a layer.
bool Attachment::State::merge(const c10::OperatorHandle& op, torch::jit::Stack& stack,
                              const std::shared_ptr<LayerReport>& report, const language::BoundEntry& entry,
                              const Candidate& found) {
  if (found.kind->name != "batch_norm") return false;
  auto& x = found.inputs[0];
  bool kept = std::any_of(kept_gradient_.begin(), kept_gradient_.end(), [&](auto& each) { return each.is(x); });
  if (kept) {  // then so does the pair
    keep_gradient(op, stack, found, report);
    describe_entry(*report, &entry);
    report->rule = "merge";
    return true;
  }
  auto* linear = RuleNode::of(x.grad_fn().get());
  if (!linear || linear->pass()->attachment != found.pass->attachment) return false;
  auto call = merged(linear->call(), x, batch_norm_of(op, arguments_of(op, stack)));
  if (!call) return false;
  describe_entry(*report, &entry);
  report->rule = "merge";
  {
    at::NoGradGuard no_grad;
    at::AutoDispatchBelowADInplaceOrView below;
    op.callBoxed(stack);
  }
  auto output = output_of(op, stack).toTensor();
  report->shape = output.sizes().vec();
  auto layer = call->layer();
  if (call->rule && call->rule->rule->forward) {  // it replaced the linear layer's output already
    at::NoGradGuard no_grad;
    output = layer.apply(layer.inputs, {layer.parameters[0].second, layer.parameters[1].second});
  }
  output_of(op, stack) = output = take_output(*call, layer, output);
  call->output_version = static_cast<std::int64_t>(output._version());
  auto node = c10::make_intrusive<RuleNode>(std::move(*call), found.pass);
  node->set_next_edges(torch::autograd::edge_list(linear->next_edges()));
  torch::autograd::set_history(output, node);
  note_output(*report, output);
  note_output(*node->call().report, output);
  return true;
}

void Attachment::State::fold(Candidate& found) {
  if (!is_linear(*found.kind) || found.pads || found.scaled || found.bias_follows) return;
  auto& x = found.inputs[0];
  auto* node = RuleNode::of(x.grad_fn().get());
  if (!node || !node->call().batch_norm || node->pass()->attachment != found.pass->attachment) return;
  auto& call = node->call();
  if (call.output_version != static_cast<std::int64_t>(x._version()) || (call.rule && call.rule->rule->forward)) return;
  auto layer = folded(*found.kind, found.parameters, found.apply, x, *call.batch_norm);
  if (!layer) return;
  call.report->rule = "merge";
  found.parameters = std::move(layer->parameters);
  found.apply = std::move(layer->apply);
  found.inputs[0] = call.inputs[0].get("the input of " + call.shown());
  found.folded = node;
}

}  // namespace ascribe
