#include "interpreter/attach/attachment.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/graph_task.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "grammar/filled_text.hpp"
#include "interpreter/layers/batch_norm.hpp"
#include "interpreter/libtorch/operator_call.hpp"
#include "interpreter/libtorch/failure.hpp"

namespace ascribe {

using namespace libtorch;   // NOLINT
using namespace layering;   // NOLINT
using namespace attaching;  // NOLINT: this file is part of the room; the class is public and lives outside
using Form = LayerOperator::Form;
using Row = LayerOperator;

Attachment::State::State(const Composite& rules, std::shared_ptr<const ParameterNames> names, Watch watch)
    : rules_(std::make_shared<const language::BoundComposite>(rules.bound())),
      names_(std::move(names)),
      watch_(watch),
      passes_(names_->parameters),
      has_input_(std::make_shared<std::atomic<bool>>(watch.has_input)) {}

Report Attachment::State::report() const {
  std::lock_guard lock(*reports_mutex_);
  Report out;
  for (auto& each : reports_) {
    out.push_back(*each);
    if (auto found = unsettled_.find(each.get()); found != unsettled_.end() && !each->above) {
      auto& [choices, order, pass] = found->second;
      describe_entry(out.back(), settle(choices, order, whole(pass)->counts));
    }
  }
  return out;
}

std::vector<torch::autograd::Edge> Attachment::State::lookups_of(const at::Tensor& indices) const {
  std::vector<torch::autograd::Edge> edges;
  for (auto& [seen, edge] : lookups_) {
    if (!seen.is_alias_of(indices)) continue;
    if (seen.storage_offset() != indices.storage_offset() || seen.sizes() != indices.sizes() ||
        seen.strides() != indices.strides())
      throw Error({.code = Code::wrong_input,
                   .message = "an embedding looks up a part of an integer input, or its entries in another order",
                   .help = "ask for relevance at the embedding, as a layer"});
    edges.push_back(edge);
  }
  return edges;
}

void Attachment::State::call(const c10::OperatorHandle& op, torch::jit::Stack& stack) {
  serving_.clear();
  try {
    if (watch_.supervisor) watch_.supervisor->before_operator(reports_.empty() ? nullptr : reports_.back().get());
    // Inside a backward pass, autograd's own `add` and `sum` are nobody's layer.
    if (!at::GradMode::is_enabled() || torch::autograd::get_current_graph_task_id() != -1) return op.callBoxed(stack);
    try {
      intercept(op, stack);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& failure) {  // the layer's own operator cannot take what it is given
      if (serving_.empty()) {  // given nothing that relevance could go to, it was not taken for a layer yet
        auto* row = find_layer_operator(op.operator_name().name, op.operator_name().overload_name);
        if (!row || row->kind.empty()) throw;
        serving_ = filled("a layer ({})", row->kind);
      }
      throw Error(libtorch::describe(failure, serving_, Code::model_failed, "cannot run",
                                     "give it the shape and type that it was made for"));
    }
  } catch (const Error&) {
    libtorch::last_error() = std::current_exception();
    throw;
  }
  if (!watch_.supervisor || reports_.empty()) return;
  try {
    watch_.supervisor->called(*reports_.back(), reports_.size());
  } catch (...) {
    libtorch::last_error() = std::current_exception();
    throw;
  }
}

void attaching::refuse_training_mode(const Row& row, const std::vector<c10::IValue>& arguments,
                                     const std::string& name) {
  if (row.training < 0 || !arguments[static_cast<std::size_t>(row.training)].toBool()) return;
  // Instance norm takes the statistics of each sample, as it should; unless it learns them.
  if (row.kind == "instance_norm" && !is_tensor(arguments[running_mean])) return;
  bool own_statistics = row.kind != "batch_norm" || is_tensor(arguments[running_mean]);
  throw Error({.code = Code::training_mode,
               .message = filled("layer '{}' ({}) {}", name, row.kind,
                                 own_statistics ? "is in training mode"
                                                : "takes the statistics of the batch: it has none of its own"),
               .help = own_statistics ? "call eval() on the model first"
                                      : "build it with track_running_stats, and train it so"});
}

void Attachment::State::intercept(const c10::OperatorHandle& op, torch::jit::Stack& stack) {
  auto* row = find_layer_operator(op.operator_name().name, op.operator_name().overload_name);
  if (!row) return other_operator(op, stack);
  auto product = std::exchange(product_, std::nullopt);
  auto arguments = arguments_of(op, stack);
  std::optional<Candidate> found;
  if (product) found = with_bias(*row, arguments, *product);
  if (found && product->keeps_gradient) {
    (stack.end() - static_cast<std::ptrdiff_t>(arguments.size()))[1] = arguments[1].toTensor().detach();
    return op.callBoxed(stack);
  }
  if (!found) found = composed(*row, arguments);
  if (!found) found = candidate(op, *row, arguments);
  if (!found) {
    if (!without_input(op, *row, stack)) other_operator(op, stack);
    return;
  }
  *has_input_ = true;
  auto shown = filled("layer '{}' ({})", found->name, found->kind_name);
  if (!found->kind_name.empty()) serving_ = shown;
  struct OverAfterFailure {  // what the same input computes next is another forward pass
    std::shared_ptr<ForwardPass> pass;
    int exceptions = std::uncaught_exceptions();
    ~OverAfterFailure() { pass->over = pass->over || std::uncaught_exceptions() > exceptions; }
  } over_after_failure{found->pass};
  refuse_training_mode(*row, arguments, found->name);
  if (row->form == Form::dropout) return op.callBoxed(stack);
  if (found->bias_follows || found->bias_may_follow) {
    Product made{.candidate = *found, .counts = found->pass->counts, .reports = reports_.size()};
    made.keeps_gradient = !serve(op, stack, std::move(*found));
    auto output = output_of(op, stack).toTensor();
    made.output.emplace(output);
    // What a rule replaced already is no part of anything.
    auto* node = RuleNode::of(output.grad_fn().get());
    bool replaced = node && node->call().rule && node->call().rule->rule->forward;
    if (made.candidate.bias_follows || !replaced) product_ = std::move(made);
    return;
  }
  if (auto rank = found->inputs[0].dim(); rank < found->kind->sample_rank)
    throw Error({.code = Code::no_batch,
                 .message = filled("{}: its input has {} dimensions, without a batch", shown, rank),
                 .help = "give the model a batch: dimension 0 counts samples (unsqueeze(0))"});
  serve(op, stack, std::move(*found));
}

std::shared_ptr<LayerReport> Attachment::State::add_row(const std::string& name, std::string_view kind) {
  auto report = std::make_shared<LayerReport>();
  report->name = name;
  report->kind = std::string(kind);
  reports_.push_back(report);
  unsettled_.erase(report.get());  // of a report that was there before, at the same address
  outputs_.erase(report.get());
  return report;
}

void Attachment::State::note_output(const LayerReport& report, const at::Tensor& output) {
  if (watch_.outputs) outputs_[&report] = torch::autograd::impl::gradient_edge(output);
}

std::vector<torch::autograd::Edge> Attachment::State::outputs_of(const std::string& layer) const {
  std::vector<torch::autograd::Edge> edges;
  for (auto& report : reports_)
    if (auto found = outputs_.find(report.get()); report->name == layer && found != outputs_.end())
      edges.push_back(found->second);
  return edges;
}

bool Attachment::State::serve(const c10::OperatorHandle& op, torch::jit::Stack& stack, Candidate found) {
  ++found.pass->calls_of_kind[std::string(found.kind->name)];
  LayerCall call;
  call.report = add_row(found.name, found.kind->name);
  call.report_mutex = reports_mutex_;
  call.supervisor = watch_.supervisor;
  call.owner = rules_;
  call.merges = !found.scaled;
  call.sums = watch_.sums;
  call.inactive = inactive_;
  call.order = ++calls_;
  call.choices = select(*rules_, *found.kind, found.module, call.order, found.pass->counts);
  if (call.choices.empty() && language::covers("embedding", *found.kind)) {  // nothing below, but relevance ends here
    call.take(nullptr);
    run_rule(op, stack, std::move(call), std::move(found));
    return true;
  }
  if (call.choices.empty()) {
    keep_gradient(op, stack, found, call.report);
    return false;
  }
  auto& best = call.choices.front();
  if (best.conditions.empty() && is_merge(*best.entry) && merge(op, stack, call.report, *best.entry, found))
    return true;
  if (best.conditions.empty() && is_merge(*best.entry) && found.kind->name == "batch_norm")
    call.batch_norm = std::make_shared<const BatchNorm>(batch_norm_of(op, arguments_of(op, stack)));
  fold(found);
  if (best.conditions.empty())
    call.take(best.entry);
  else
    unsettled_[call.report.get()] = {call.choices, call.order, found.pass};
  run_rule(op, stack, std::move(call), std::move(found));
  return true;
}

void Attachment::State::refuse_forward(const LayerCall& call) {
  for (auto& choice : call.choices)
    if (auto* bound = std::get_if<language::BoundRule>(&choice.entry->target); bound && bound->rule->forward)
      throw Error({.code = Code::rule_does_not_fit,
                   .message = filled("{}: `last` is settled after the forward pass, the rule `{}` replaces the "
                                     "output in it",
                                     call.shown(), bound->description),
                   .primary = {choice.entry->place.source, choice.entry->place.span, ""},
                   .help = "name the layer by a glob: `linear \"classifier.*\"`"});
}

// Runs the layer without autograd and leaves the rule in the graph in its place.
void Attachment::State::run_rule(const c10::OperatorHandle& op, torch::jit::Stack& stack, LayerCall call,
                                 Candidate found) {
  if (found.in_place) {
    torch::autograd::check_inplace(arguments_of(op, stack)[0].toTensor(), /*requires_grad=*/true);
  }
  // What `last` will choose is not known yet: then everything is kept that any rule needs.
  auto* rule = call.rule ? call.rule->rule.get() : nullptr;
  if (!rule) refuse_forward(call);
  torch::autograd::edge_list edges;
  for (std::size_t i = 0; i < found.inputs.size(); ++i) {
    if (found.folded) {
      call.inputs.push_back(found.folded->call().inputs[0]);
      edges.push_back(found.folded->next_edge(0));
      continue;
    }
    auto& x = found.inputs[i];
    // The model's own input is shared with the caller, perhaps with other threads: no lazy clone may touch it, be it a
    // leaf or the result of what ran before.
    call.inputs.push_back(x.requires_grad() && is_leaf_or_view_of_one(x) ? KeptTensor::reference(x)
                          : passes_.made_here(x)                         ? KeptTensor::result(x)
                                                                         : KeptTensor::copy(x));
    edges.push_back(found.gets_relevance[i] ? torch::autograd::impl::gradient_edge(x) : torch::autograd::Edge());
  }
  for (auto& [name, parameter] : found.parameters) call.parameters.emplace_back(name, KeptTensor::reference(parameter));
  call.gets_relevance = found.gets_relevance;
  call.apply = found.apply;
  evaluate::Layer layer{found.apply, found.inputs, found.gets_relevance, found.parameters, {}};
  if (found.bias_follows) layer.parameters.emplace_back("bias", at::Tensor());  // so that has("bias") holds

  {
    at::NoGradGuard no_grad;
    // Not as a view of anything: the layer's output is the layer's.
    std::optional<at::AutoDispatchBelowADInplaceOrView> below;
    if (!found.in_place) below.emplace();
    op.callBoxed(stack);
  }
  auto output = output_of(op, stack).toTensor();
  try {
    if (rule) evaluate::check_fit(*call.rule, layer, output.sizes());
  } catch (const Error& error) {
    throw at_layer(call, error.diagnostics().front());
  }
  auto replaced = take_output(call, layer, output, found.bias_follows);
  if (found.in_place && !replaced.is_same(output)) {
    at::NoGradGuard no_grad;
    output.copy_(replaced);
  } else {
    output_of(op, stack) = output = replaced;
  }
  call.output_version = static_cast<std::int64_t>(output._version());
  call.report->shape = output.sizes().vec();
  auto node = c10::make_intrusive<RuleNode>(std::move(call), std::move(found.pass));
  node->set_next_edges(std::move(edges));
  if (found.in_place) {
    auto number = node->add_input_metadata(output);
    torch::autograd::impl::rebase_history(output, {node, number});
  } else {
    torch::autograd::set_history(output, node);
  }
  note_output(*node->call().report, output);
  if (watch_.outputs && language::covers("embedding", *found.kind))
    lookups_.emplace_back(found.inputs[0], torch::autograd::impl::gradient_edge(output));
}

std::shared_ptr<Attachment::State> attaching::make_state(const Composite& rules,
                                                         std::shared_ptr<const ParameterNames> names, Watch watch) {
  if (c10::InferenceMode::is_enabled() || !at::GradMode::is_enabled())
    throw Error({.code = Code::gradient_disabled,
                 .message = "rules cannot be attached where gradients are disabled",
                 .help = "attach outside of NoGradGuard and InferenceMode"});
  if (torch::autograd::get_current_graph_task_id() != -1)
    throw Error({.code = Code::gradient_disabled,
                 .message = "rules cannot be attached within a backward pass: operators go through it as they are",
                 .help = "attach before, or after it"});
  return std::make_shared<Attachment::State>(rules, std::move(names), watch);
}

Attachment::Attachment(std::shared_ptr<State> state) : state_(std::move(state)) {
  if (!state_) return;
  if (libtorch::paused())
    throw Error({.code = Code::gradient_disabled,
                 .message = "rules cannot be attached within a progress callback: operators go through it as they are",
                 .help = "attach before, or after the attribution; `attribute` works there"});
  switch_on(state_);
}
Attachment::Attachment(Attachment&& other) noexcept = default;
Attachment::~Attachment() { remove(); }

void Attachment::remove() {
  if (!state_) return;
  state_->end();
  switch_off(state_.get());
}

Report Attachment::report() const { return state_ ? state_->report() : Report(); }

Inactive Attachment::inactive() const { return Inactive(state_ ? state_->inactive() : nullptr); }

Inactive::Inactive(std::shared_ptr<std::atomic<int>> count) : count_(std::move(count)) {
  if (count_) ++*count_;
}
Inactive::Inactive(Inactive&& other) noexcept = default;
Inactive::~Inactive() {
  if (count_) --*count_;
}

Attachment attach(const Composite& rules, const torch::nn::Module& model, AttachOptions options) {
  try {
    auto names = std::make_shared<ParameterNames>();
    for (auto& each : model.named_parameters()) names->add(each.key(), each.value());
    for (auto& each : model.named_buffers()) names->add(each.key(), each.value());
    auto supervisor = make_supervisor(std::move(options.stop), {});
    return Attachment(make_state(rules, std::move(names), {.sums = options.sums, .supervisor = std::move(supervisor)}));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw Error(libtorch::describe(failure, "the model", Code::wrong_model, "cannot be attached to"));
  }
}

}  // namespace ascribe
