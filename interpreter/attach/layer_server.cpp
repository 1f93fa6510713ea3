#include "interpreter/attach/layer_server.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>

#include <algorithm>

#include "interpreter/layers/batch_norm.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::attaching {

namespace {

bool gives_several(const c10::OperatorHandle& op) {
  auto& results = op.schema().returns();
  return results.size() != 1 || results.front().type()->kind() == c10::TypeKind::ListType;
}

}  // namespace

std::string name_of(const layering::Call& call, const ForwardPass& pass) {
  return call.module.empty() ? Ledger::numbered(pass, call.kind_name) : call.module;
}

LayerServer::Served LayerServer::serve(const c10::OperatorHandle& op, torch::jit::Stack& stack,
                                       const layering::Call& found, const Pass& pass) {
  auto& kind = *found.operation->kind;
  auto& row = ledger.add(pass, name_of(found, *pass), found.kind_name);
  auto number = row.number;
  row.report->inputs =
      static_cast<std::size_t>(std::count(found.gets_relevance.begin(), found.gets_relevance.end(), true));
  auto call = recorder.begin(row, found, rules);
  call.choices = select(*rules, kind, found.module, number, pass->counts);
  if (call.choices.empty() && !language::covers("embedding", kind)) {  // an embedding ends relevance in any case
    // The gradient goes to the divisor, too.
    if (kind.name == "quotient") {
      auto both = found;
      both.inputs.push_back(libtorch::arguments_of(op, stack)[1].toTensor());
      both.gets_relevance.push_back(true);
      row.report->inputs = 2;
      recorder.keep_gradient(op, stack, both, row);
    } else {
      recorder.keep_gradient(op, stack, found, row);
    }
    return {number, false};
  }
  auto* best = call.choices.empty() ? nullptr : &call.choices.front();
  bool decided = best && best->conditions.empty();
  if (decided && is_stop(*best->entry)) {
    recorder.stop(op, stack, found, *best->entry, row);
    return {number, true};
  }
  if (decided && is_merge(*best->entry) && recorder.merge(op, stack, found, *best->entry, pass, row))
    return {number, true};
  if (decided && is_merge(*best->entry) && kind.name == "batch_norm")
    call.batch_norm = std::make_shared<const layering::BatchNorm>(
        layering::batch_norm_of(op, libtorch::arguments_of(op, stack), call.written));
  bool refused = decided && is_refuse(*best->entry);
  if (refused && layering::may_be_part(op.operator_name().name)) {
    try {
      call.take(best->entry);
    } catch (const Error& refusal) {  // once it is certain that it is no part of anything
      refusals_.push_back({number, pass, refusal});
    }
    call.refusal_waits = true;
  }
  if (decided && !refused && kind.name == "operator" && gives_several(op)) {
    call.take(best->entry);
    throw at_layer(call, {.code = Code::rule_does_not_fit,
                          .message = "the operator gives several tensors, so that it cannot be one layer",
                          .help = "leave it its gradient, or refuse it: `operator => refuse`"});
  }
  if (found.in_place)
    torch::autograd::check_inplace(libtorch::arguments_of(op, stack)[0].toTensor(), /*requires_grad=*/true);
  auto output = recorder.run_rule(row, std::move(call), found, pass, [&] {
    at::NoGradGuard no_grad;
    // Not as a view of anything: the layer's output is the layer's.
    std::optional<at::AutoDispatchBelowADInplaceOrView> below;
    if (!found.in_place) below.emplace();
    op.callBoxed(stack);
    return libtorch::output_of(op, stack).toTensor();
  });
  libtorch::output_of(op, stack) = output;
  return {number, true};
}

void LayerServer::begin_layer(bool may_be_part) {
  *has_input = true;
  if (may_be_part) return;
  settle_refusals();
  recent.clear();
}

void LayerServer::take_back(const std::vector<std::uint64_t>& parts) {
  for (auto part : parts) {
    ledger.take_back(part);
    std::erase_if(refusals_, [&](auto& each) { return each.row == part; });
  }
}

void LayerServer::settle_refusals() {
  std::erase_if(refusals_, [](auto& each) {  // of a pass that has failed, or that nobody asks
    auto pass = whole(each.pass.lock());
    return !pass || pass->over;
  });
  if (refusals_.empty()) return;
  auto first = refusals_.front().error;
  refusals_.clear();
  throw first;
}

}  // namespace ascribe::attaching
