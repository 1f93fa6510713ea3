#include "interpreter/attach/rule_node.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/functions/basic_ops.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/graph_task.h>

#include <algorithm>
#include <utility>

#include "ascribe/pack.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/attach/cost.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/libtorch/dispatch.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/libtorch/graph_node.hpp"

namespace ascribe::attaching {

using namespace libtorch;  // NOLINT: the room below

namespace {

// What one layer hands down is mostly what the next one gets, and an activation hands down what it got: the tensor that
// was summed up last, on this thread.
struct LastSum {
  c10::weak_intrusive_ptr<c10::TensorImpl> of{c10::intrusive_ptr<c10::TensorImpl>()};
  std::uint32_t version = 0;
  double sum = 0;
};
thread_local LastSum last_sum;

void note_sum(const torch::autograd::variable_list& tensors, double sum) {
  if (tensors.size() == 1 && tensors[0].defined() && !tensors[0].is_inference())
    last_sum = {c10::weak_intrusive_ptr<c10::TensorImpl>(tensors[0].getIntrusivePtr()),
                static_cast<std::uint32_t>(tensors[0]._version()), sum};
}

double sum_of(const at::Tensor& tensor) {
  if (!tensor.is_inference() && last_sum.of.lock().get() == tensor.unsafeGetTensorImpl() &&
      last_sum.version == static_cast<std::uint32_t>(tensor._version()))
    return last_sum.sum;
  auto sum = evaluate::total(tensor);
  note_sum({tensor}, sum);
  return sum;
}

bool leads_to(const language::BoundEntry& entry, language::Engine wanted) {
  auto* engine = std::get_if<language::Engine>(&entry.target);
  return engine && *engine == wanted;
}

}  // namespace

bool is_merge(const language::BoundEntry& entry) { return leads_to(entry, language::Engine::merge); }
bool is_refuse(const language::BoundEntry& entry) { return leads_to(entry, language::Engine::refuse); }
bool is_stop(const language::BoundEntry& entry) { return leads_to(entry, language::Engine::stop); }

void describe_entry(LayerReport& report, const language::BoundEntry* entry) {
  report.entry = entry ? entry->shown_place : "";
  auto* rule = entry ? std::get_if<language::BoundRule>(&entry->target) : nullptr;
  report.rule = !entry             ? "gradient"
                : rule             ? rule->description
                : is_merge(*entry) ? "merge (acts as pass)"
                : is_stop(*entry)  ? "stop"
                                   : "refuse";
}

void LayerCall::take(const language::BoundEntry* entry) {
  static const Rule pass = Pack::standard().rule("pass"), gradient = Pack::standard().rule("gradient");
  {
    std::lock_guard lock(*report_mutex);
    describe_entry(*report, entry);
  }
  place = entry ? entry->place : language::Place{};
  if (!entry) return take(Inside::bound(gradient));
  if (auto* chosen = std::get_if<language::BoundRule>(&entry->target)) return take(*chosen);
  if (std::get<language::Engine>(entry->target) == language::Engine::refuse)
    throw Error({.code = Code::refused_layer,
                 .message = filled("{} is refused by the rules", shown()),
                 .primary = {place.source, place.span, "by this entry"},
                 .help = "give it a rule of its own in an entry above"});
  take(Inside::bound(pass));
}

void LayerCall::take(const language::BoundRule& chosen) {
  rule = &chosen;
  execution = evaluator->compile(chosen, *operation);
}

evaluate::Layer LayerCall::layer() const {
  evaluate::Layer out{operation, {}, gets_relevance, {}, {}, samples, written};
  for (auto& input : inputs) out.inputs.push_back(input.get([&] { return "the input of " + shown(); }));
  for (auto& [name, kept] : parameters)
    out.parameters.emplace_back(name, kept.get([&, what = &name] { return filled("the {} of {}", *what, shown()); }));
  if (output.defined()) out.output = output.get([&] { return "the output of " + shown(); });
  return out;
}

std::string LayerCall::shown() const { return filled("layer '{}' ({})", report->name, report->kind); }

at::Tensor take_output(LayerCall& call, evaluate::Layer& layer, const at::Tensor& output, bool unfinished) {
  auto* rule = call.rule ? call.rule->rule.get() : nullptr;
  if (!rule || call.execution->needs_output() || rule->forward) call.output = KeptTensor::result(output);
  if (!rule || !rule->forward || unfinished) return output;
  at::NoGradGuard no_grad;
  layer.output = call.output.get([] { return "the output"; });
  return call.execution->forward(layer).clone();
}

Error at_layer(const LayerCall& call, const Diagnostic& diagnostic) {
  auto out = diagnostic;
  out.message =
      filled("{}, rule `{}`: {}", call.shown(), call.rule ? call.rule->description : "gradient", diagnostic.message);
  if (!out.primary.source)
    out.primary = {call.place.source, call.place.span, ""};
  else if (call.place.source)
    out.others.push_back({call.place.source, call.place.span, "chosen here"});
  return Error(out);
}

const char RuleNode::this_copy = 0;

RuleNode* RuleNode::of(torch::autograd::Node* node) {
  auto* found = dynamic_cast<RuleNode*>(node);
  return found && found->copy_ == &this_copy ? found : nullptr;
}

// Gradients of the relevance go back through the forward pass: to where the layer's inputs come from, and through the
// layer to where its output comes from.
void RuleNode::connect(evaluate::Layer& layer) {
  auto with_history = [](const at::Tensor& kept, const torch::autograd::Edge& edge) {
    at::AutoDispatchBelowADInplaceOrView below;
    auto tensor = at::alias(kept);
    torch::autograd::impl::set_gradient_edge(tensor, edge);
    return tensor;
  };
  for (std::size_t i = 0; i < layer.inputs.size(); ++i) {
    if (!layer.gets_relevance[i] || !next_edge(i).is_valid()) continue;
    auto node = libtorch::make_node<torch::autograd::Identity>();
    node->set_next_edges({next_edge(i)});
    auto number = node->add_input_metadata(layer.inputs[i]);
    layer.inputs[i] = with_history(layer.inputs[i], {node, number});
  }
  if (!layer.output.defined()) return;
  if (!call_.rule->rule->forward) {
    layer.output = with_history(layer.output, {getptr(), 0});
    return;
  }
  // What this node's gradient is for is the replacement, not the layer's own output.
  std::vector<at::Tensor> theta;
  for (auto& [name, parameter] : layer.parameters) theta.push_back(parameter);
  at::AutoGradMode record(true);
  layer.output = layer.operation->run(layer.inputs, theta);
}

torch::autograd::variable_list RuleNode::apply(torch::autograd::variable_list&& gradients) {
  try {
    return hand_down(gradients);
  } catch (const Error& error) {
    if (call_.supervisor) call_.supervisor->leaving_node(error);
    throw;
  }
}

torch::autograd::variable_list RuleNode::hand_down(const torch::autograd::variable_list& gradients) {
  std::lock_guard working(working_);
  Pause pause;
  bool differentiable = at::GradMode::is_enabled();  // create_graph
  at::NoGradGuard no_grad;
  if (released_)
    throw Error({.code = Code::released_graph,
                 .message = filled("{}: relevance went through this graph before", call_.shown()),
                 .help = "run the model forward again, or keep the graph: retain_graph"});
  if (libtorch::is_transformed(gradients.at(0)))
    throw Error({.code = Code::wrong_model,
                 .message = filled("{}: relevance comes as many starts in one (is_grads_batched, vectorize), which no "
                                   "rule can follow",
                                   call_.shown()),
                 .help = "give one start at a time: torch.autograd.grad(y, x, start)"});
  pass_->over = true;
  bool active = !call_.inactive || *call_.inactive == 0;
  auto* supervisor = active ? call_.supervisor.get() : nullptr;
  if (supervisor) supervisor->before_layer(*call_.report);
  auto out = active && call_.report->cost ? measured(gradients.at(0), differentiable)
                                          : relevance_of_inputs(gradients.at(0), active, differentiable);
  if (supervisor) supervisor->passed(*call_.report);
  return out;
}

torch::autograd::variable_list RuleNode::measured(const at::Tensor& R, bool differentiable) {
  LayerCost cost;
  auto out = [&] {
    Measuring measuring(cost.backward_seconds, cost.backward_operators);
    return relevance_of_inputs(R, /*active=*/true, differentiable);
  }();
  for (auto& input : call_.inputs) cost.kept_bytes += input.bytes();
  cost.kept_bytes += call_.output.bytes();
  std::lock_guard lock(*call_.report_mutex);
  auto& sum = *call_.report->cost;
  sum.backward_seconds += cost.backward_seconds;
  sum.backward_operators += cost.backward_operators;
  sum.kept_bytes += cost.kept_bytes;
  return out;
}

// A gradient where the rule is inactive.
torch::autograd::variable_list RuleNode::relevance_of_inputs(const at::Tensor& R, bool active, bool differentiable) {
  torch::autograd::variable_list out(call_.inputs.size());
  if (!R.defined()) return out;
  auto task = torch::autograd::get_current_graph_task_id();
  bool settles = call_.rule == nullptr;
  if (settles) call_.take(settle(call_.choices, call_.order, whole(pass_)->counts));
  bool hands_down =
      std::find(call_.gets_relevance.begin(), call_.gets_relevance.end(), true) != call_.gets_relevance.end();
  evaluate::Shares shares;
  double above = 0, below = 0;
  try {
    if (hands_down) {
      auto layer = call_.layer();
      if (settles) call_.execution->check_fit(layer, R.sizes());
      if (differentiable) connect(layer);
      auto& execution = *call_.execution;
      out = !active          ? execution.gradient(layer, R, differentiable)
            : differentiable ? execution.differentiable_relevance(layer, R)
                             : execution.relevance(layer, R, call_.sums ? &shares : nullptr);
    }
    if (call_.sums && active) {
      above = shares.above ? *shares.above : sum_of(R);
      if (shares.below)
        note_sum(out, below = *shares.below);
      else
        for (auto& each : out)
          if (each.defined()) below += sum_of(each);
    }
  } catch (const Error& error) {
    throw at_layer(call_, error.diagnostics().front());
  } catch (const std::exception& failure) {
    if (libtorch::out_of_memory(failure)) throw Error(libtorch::describe(failure, call_.shown(), Code::too_large, ""));
    throw at_layer(call_, {.code = Code::rule_does_not_fit, .message = libtorch::reason(failure)});
  }
  if (!call_.sums || !active) return out;
  std::lock_guard lock(*call_.report_mutex);
  // A layer that is merged, and read otherwise, too, is two nodes with one row: in one backward pass their sums add up.
  bool first = std::exchange(*call_.task, task) != task;
  auto put = [&](std::optional<double>& sum, std::optional<double> value) {
    sum = first || !sum || !value ? value : *sum + *value;
  };
  put(call_.report->above, above);
  put(call_.report->bias, shares.bias);
  put(call_.report->stabilizer, shares.stabilizer);
  if (hands_down) put(call_.report->below, below);
  return out;
}

void RuleNode::release_variables() {
  std::lock_guard working(working_);
  released_ = true;
  call_.inputs.assign(call_.inputs.size(), {});
  for (auto& [name, kept] : call_.parameters) kept = {};
  call_.output = {};
  call_.operation = nullptr;
}

}  // namespace ascribe::attaching
