#include "interpreter/attach/recorder.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/attach/cost.hpp"
#include "interpreter/attach/gradient_hooks.hpp"
#include "interpreter/layers/batch_norm.hpp"
#include "interpreter/libtorch/graph_node.hpp"

namespace ascribe::attaching {

using libtorch::is_leaf_or_view_of_one;
using libtorch::is_tensor;
using libtorch::output_of;

namespace {

// Of its own output, relu gives that output, and has the same gradient.
bool is_relu(const layering::Operation& operation) {
  return operation.steps.size() == 1 &&
         libtorch::functional_name(operation.steps.front().op.operator_name().name) == "relu";
}

// Where a rule that `last` may choose replaces the layer's output.
void refuse_forward(const LayerCall& call) {
  for (auto& choice : call.choices)
    if (is_stop(*choice.entry))
      throw Error({.code = Code::rule_does_not_fit,
                   .message = filled("{}: `last` is settled after the forward pass, and `stop` makes a constant in it",
                                     call.shown()),
                   .primary = {choice.entry->place.source, choice.entry->place.span, ""},
                   .help = "name the layer by a glob: `softmax \"encoder.5.*\" => stop`"});
    else if (auto* bound = std::get_if<language::BoundRule>(&choice.entry->target); bound && bound->rule->forward)
      throw Error({.code = Code::rule_does_not_fit,
                   .message = filled("{}: `last` is settled after the forward pass, the rule `{}` replaces the "
                                     "output in it",
                                     call.shown(), bound->description),
                   .primary = {choice.entry->place.source, choice.entry->place.span, ""},
                   .help = "name the layer by a glob: `linear \"classifier.*\"`"});
}

}  // namespace

LayerCall Recorder::begin(const Ledger::Row& row, const layering::Call& call, std::shared_ptr<const void> owner) const {
  LayerCall out;
  out.report = row.report;
  out.report_mutex = ledger_.mutex();
  out.supervisor = watch_.supervisor;
  out.owner = std::move(owner);
  out.sums = watch_.sums;
  out.inactive = inactive_;
  out.order = row.number;
  out.operation = call.operation;
  out.merges_behind = call.merges_behind;
  out.written = watch_.parameters;
  return out;
}

at::Tensor Recorder::run_rule(Ledger::Row& row, LayerCall call, const layering::Call& given,
                              const std::shared_ptr<ForwardPass>& pass, const std::function<at::Tensor()>& run) {
  auto found = given;
  auto* folded = fold(found, pass);
  call.operation = found.operation;
  if (folded) call.written = libtorch::Written::noticeably;
  if (call.choices.empty())
    call.take(nullptr);
  else if (call.choices.front().conditions.empty() && !call.refusal_waits)
    call.take(call.choices.front().entry);
  else
    row.choices = call.choices;
  // What `last` will choose is not known yet: then everything is kept that any rule needs.
  if (!call.rule) refuse_forward(call);
  bool only_shapes = watch_.only_relevance && call.rule && !call.batch_norm && !call.execution->needs_inputs();
  // What is kept is for the layer's own gradient, and the numbers that it writes over need no copy for that.
  bool by_output =
      found.in_place && is_relu(*found.operation) && call.rule && !call.batch_norm && !call.execution->needs_inputs();
  torch::autograd::edge_list edges;
  for (std::size_t i = 0; i < found.inputs.size(); ++i) {
    if (folded) {
      call.inputs.push_back(folded->call().inputs[0]);
      edges.push_back(folded->next_edge(0));
      continue;
    }
    auto& x = found.inputs[i];
    // The model's own input is shared with the caller, perhaps with other threads: no lazy clone may touch it, be it a
    // leaf or the result of what ran before.
    call.inputs.push_back(only_shapes || by_output                         ? KeptTensor::shape(x)
                          : x.requires_grad() && is_leaf_or_view_of_one(x) ? KeptTensor::reference(x)
                          : passes_.made_here(x)                           ? KeptTensor::result(x)
                                                                           : KeptTensor::copy(x));
    edges.push_back(found.gets_relevance[i] ? torch::autograd::impl::gradient_edge(x) : torch::autograd::Edge());
  }
  call.parameters.reserve(found.parameters.size());
  for (auto& [name, parameter] : found.parameters) call.parameters.emplace_back(name, KeptTensor::reference(parameter));
  call.gets_relevance = found.gets_relevance;
  evaluate::Layer layer{found.operation, found.inputs, found.gets_relevance, found.parameters, {}};
  if (found.bias_follows) layer.parameters.emplace_back("bias", at::Tensor());  // so that has("bias") holds

  if (watch_.profile) call.report->cost.emplace();
  auto output = measured(row, run);
  if (by_output && !only_shapes) call.inputs = {KeptTensor::result(output)};
  layer.samples = call.samples = samples_.of_layer(found.inputs, output);
  try {
    if (call.rule) call.execution->check_fit(layer, output.sizes());
  } catch (const Error& error) {
    throw at_layer(call, error.diagnostics().front());
  }
  auto replaced = take_output(call, layer, output, found.bias_follows);
  if (found.in_place && !replaced.is_same(output)) {
    at::NoGradGuard no_grad;
    output.copy_(replaced);
  } else {
    output = replaced;
  }
  call.output_version = static_cast<std::int64_t>(output._version());
  call.report->shape = output.sizes().vec();
  auto node = libtorch::make_node<RuleNode>(std::move(call), pass);
  node->set_next_edges(std::move(edges));
  if (found.in_place) {
    auto number = node->add_input_metadata(output);
    torch::autograd::impl::rebase_history(output, {node, number});
  } else {
    torch::autograd::set_history(output, node);
  }
  note_output(row, output);
  return output;
}

at::Tensor Recorder::measured(Ledger::Row& row, const std::function<at::Tensor()>& run) const {
  if (!watch_.profile) return run();
  auto& cost = *row.report->cost;
  Measuring measuring(cost.forward_seconds, cost.forward_operators);
  return run();
}

const RuleNode* Recorder::fold(layering::Call& found, const std::shared_ptr<ForwardPass>& pass) const {
  if (!found.merges_before) return nullptr;
  auto& x = found.inputs[0];
  auto* node = RuleNode::of(x.grad_fn().get());
  if (!node || !node->call().batch_norm || node->pass()->attachment != pass->attachment) return nullptr;
  auto& call = node->call();
  if (call.output_version != static_cast<std::int64_t>(x._version()) || (call.rule && call.rule->rule->forward))
    return nullptr;
  auto layer = layering::folded_before(*found.operation, found.parameters, x, *call.batch_norm);
  if (!layer) return nullptr;
  call.report->rule = "merge";
  found.parameters = std::move(layer->parameters);
  found.operation = std::move(layer->operation);
  found.inputs[0] = call.inputs[0].get([&] { return "the input of " + call.shown(); });
  return node;
}

bool Recorder::merge(const c10::OperatorHandle& op, torch::jit::Stack& stack, const layering::Call& batch_norm,
                     const language::BoundEntry& entry, const std::shared_ptr<ForwardPass>& pass, Ledger::Row& row) {
  if (batch_norm.kind_name != "batch_norm") return false;
  auto& x = batch_norm.inputs[0];
  bool kept = std::any_of(kept_gradient_.begin(), kept_gradient_.end(), [&](auto& each) { return each.is(x); });
  if (kept) {  // then so does the pair
    keep_gradient(op, stack, batch_norm, row);
    describe_entry(*row.report, &entry);
    row.report->rule = "merge";
    return true;
  }
  auto output_of_linear = x;
  auto* linear = RuleNode::of(x.grad_fn().get());
  if (!linear && x.is_view()) {  // reshaped, transposed: still all of it
    output_of_linear = x._base();
    linear = RuleNode::of(output_of_linear.grad_fn().get());
  }
  if (!linear || linear->pass()->attachment != pass->attachment) return false;
  auto call = linear->call();
  if (!call.merges_behind || !call.operation || call.output_version != static_cast<std::int64_t>(x._version()))
    return false;
  layering::NamedTensors parameters;
  for (auto& [name, parameter] : call.parameters)
    parameters.emplace_back(name, parameter.get([what = &name] { return "the " + *what; }));
  auto folded = layering::folded_behind(*call.operation, parameters, output_of_linear, x,
                                        layering::batch_norm_of(op, libtorch::arguments_of(op, stack), call.written));
  if (!folded) return false;
  call.operation = folded->operation;
  call.parameters.clear();
  for (auto& [name, parameter] : folded->parameters)
    call.parameters.emplace_back(name, KeptTensor::reference(parameter));
  call.written = libtorch::Written::noticeably;
  if (call.rule) call.take(*call.rule);
  describe_entry(*row.report, &entry);
  row.report->rule = "merge";
  {
    at::NoGradGuard no_grad;
    at::AutoDispatchBelowADInplaceOrView below;
    op.callBoxed(stack);
  }
  auto output = output_of(op, stack).toTensor();
  row.report->shape = output.sizes().vec();
  auto layer = call.layer();
  if (call.rule && call.rule->rule->forward) {  // it replaced the linear layer's output already
    at::NoGradGuard no_grad;
    output = layer.operation->run(layer.inputs, {layer.parameters[0].second, layer.parameters[1].second});
  }
  output_of(op, stack) = output = take_output(call, layer, output);
  call.output_version = static_cast<std::int64_t>(output._version());
  auto order = call.order;
  auto node = libtorch::make_node<RuleNode>(std::move(call), pass);
  node->set_next_edges(torch::autograd::edge_list(linear->next_edges()));
  torch::autograd::set_history(output, node);
  note_output(row, output);
  if (auto* of_linear = ledger_.find(order)) note_output(*of_linear, output);
  return true;
}

void Recorder::stop(const c10::OperatorHandle& op, torch::jit::Stack& stack, const layering::Call& found,
                    const language::BoundEntry& entry, Ledger::Row& row) {
  if (found.in_place && libtorch::arguments_of(op, stack)[0].toTensor().is_view())
    throw Error({.code = Code::rule_does_not_fit,
                 .message = filled("layer '{}' ({}) writes into a view, so that it cannot be a constant",
                                   row.report->name, row.report->kind),
                 .primary = {entry.place.source, entry.place.span, "by this entry"},
                 .help = "give the layers that read it a rule instead"});
  auto run = [&] {
    op.callBoxed(stack);
    layering::Tensors results;
    libtorch::for_each_tensor(output_of(op, stack), [&](const at::Tensor& each) { results.push_back(each); });
    return results;
  };
  (void)stop(run, found, entry, row);
  if (found.in_place) output_of(op, stack).toTensor().detach_();
}

layering::Tensors Recorder::stop(const std::function<layering::Tensors()>& run, const layering::Call& found,
                                 const language::BoundEntry& entry, Ledger::Row& row) {
  describe_entry(*row.report, &entry);
  before_stops_.merge(leading_to(found.inputs, before_stops_));
  at::NoGradGuard no_grad;
  auto results = run();
  for (auto& each : results) each = each.detach();  // a module may give its own input, which others read
  if (!results.empty()) row.report->shape = results.front().sizes().vec();
  return results;
}

std::unordered_set<std::uint64_t> Recorder::leading_to(const std::vector<at::Tensor>& tensors,
                                                       const std::unordered_set<std::uint64_t>& known) const {
  std::unordered_set<std::uint64_t> out;
  std::unordered_set<const torch::autograd::Node*> seen;
  std::vector<torch::autograd::Node*> open;
  auto go_to = [&](torch::autograd::Node* node) {
    if (node && seen.insert(node).second) open.push_back(node);
  };
  for (auto& each : tensors) go_to(each.grad_fn().get());
  while (!open.empty()) {
    auto* node = open.back();
    open.pop_back();
    if (auto* rule = RuleNode::of(node)) {
      if (known.contains(rule->call().order)) continue;
      out.insert(rule->call().order);
    }
    for (auto& edge : node->next_edges()) go_to(edge.function.get());
  }
  for (auto& row : ledger_.rows())  // those that keep their gradient
    if (row.output && seen.contains(row.output->function.get())) out.insert(row.number);
  return out;
}

void Recorder::tell_behind_stops(const std::vector<at::Tensor>& outputs) {
  if (before_stops_.empty()) return;
  auto reached = leading_to(outputs, {});
  std::lock_guard lock(*ledger_.mutex());
  for (auto number : before_stops_)
    if (auto* row = reached.contains(number) ? nullptr : ledger_.find(number)) row->report->rule = "behind a stop";
  before_stops_.clear();
}

bool Recorder::has_stops(const language::BoundComposite& rules) {
  return std::any_of(rules.entries.begin(), rules.entries.end(), [](auto& entry) { return is_stop(entry); });
}

void Recorder::note_output(Ledger::Row& row, const at::Tensor& output) const {
  if (keeps_outputs_) row.output = torch::autograd::impl::gradient_edge(output);
}

layering::Tensors Recorder::watched_inputs(const layering::Call& found, const Ledger::Row& row) const {
  auto inputs = found.inputs;
  if (!watch_.sums || found.in_place) return inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!found.gets_relevance[i]) continue;
    inputs[i] = at::alias(inputs[i]);  // a node of its own, where only what this layer hands down arrives
    watch_sum(inputs[i], row.report, ledger_.mutex(), &LayerReport::below);
  }
  return inputs;
}

void Recorder::note_kept(Ledger::Row& row, const at::Tensor& output, bool in_place) const {
  row.report->shape = output.sizes().vec();
  if (!output.grad_fn()) return;
  auto whole = in_place && output.is_view() ? at::Tensor(output._base()) : output;
  if (watch_.sums && in_place)
    watch_written(whole, row.report, ledger_.mutex());
  else if (watch_.sums)
    watch_sum(output, row.report, ledger_.mutex(), &LayerReport::above);
  if (watch_.supervisor) watch_passing(whole, row.report, watch_.supervisor, inactive_);
  note_output(row, output);
}

layering::Tensors Recorder::keep_gradient(const std::function<layering::Tensors(const layering::Tensors&)>& run,
                                          const layering::Call& found, Ledger::Row& row) {
  row.report->rule = "gradient";
  auto results = run(watched_inputs(found, row));
  if (results.size() == 1) note_kept(row, results.front());
  return results;
}

void Recorder::keep_gradient(const c10::OperatorHandle& op, torch::jit::Stack& stack, const layering::Call& found,
                             Ledger::Row& row) {
  row.report->rule = "gradient";
  auto count = op.schema().arguments().size();
  auto arguments = stack.end() - static_cast<std::ptrdiff_t>(count);
  auto inputs = watched_inputs(found, row);
  auto& steps = found.operation->steps;
  if (steps.size() > 1 && !found.bias_follows) {  // what was recorded of its parts is taken back
    layering::Tensors parameters;
    for (auto& [name, parameter] : found.parameters) parameters.push_back(parameter.detach());
    auto output = found.operation->run(inputs, parameters);
    if (found.in_place) output = arguments[0].toTensor().copy_(output);
    torch::jit::drop(stack, count);
    stack.emplace_back(output);
    return note_kept(row, output, found.in_place);
  }
  auto depends = [&](const at::Tensor& tensor) {
    return std::any_of(found.inputs.begin(), found.inputs.end(), [&](auto& x) { return x.is_same(tensor); }) ||
           passes_.depends(tensor);
  };
  for (std::size_t place = found.in_place ? 1 : 0; place < count; ++place) {
    auto& argument = arguments[static_cast<std::ptrdiff_t>(place)];
    auto seen = [&](const at::Tensor& tensor) {
      if (!tensor.defined() || !tensor.requires_grad()) return tensor;
      for (std::size_t i = 0; i < inputs.size(); ++i)
        if (found.inputs[i].is_same(tensor) && found.gets_relevance[i]) return inputs[i];
      return depends(tensor) ? tensor : tensor.detach();
    };
    if (is_tensor(argument)) {
      argument = seen(argument.toTensor());
    } else if (argument.isTensorList()) {
      std::vector<at::Tensor> list;
      for (const at::Tensor& each : argument.toTensorVector()) list.push_back(seen(each));
      argument = list;
    }
  }
  op.callBoxed(stack);
  if (op.schema().returns().empty()) return;
  at::Tensor output;
  libtorch::for_each_tensor(output_of(op, stack), [&](const at::Tensor& each) {
    if (!output.defined() || (!output.requires_grad() && each.requires_grad())) output = each;
  });
  if (!output.defined()) return;
  note_kept(row, output, found.in_place);
  if (!found.operation->kind || !layering::is_linear(*found.operation->kind)) return;
  std::erase_if(kept_gradient_, [](auto& each) { return each.expired(); });
  kept_gradient_.emplace_back(output);
}

}  // namespace ascribe::attaching
