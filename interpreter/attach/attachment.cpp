#include "interpreter/attach/attachment.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "interpreter/attach/batch_norm.hpp"
#include "interpreter/attach/operator_call.hpp"
#include "interpreter/evaluate/failure.hpp"

namespace ascribe {

using namespace attaching;  // NOLINT: this file is part of the room; the class is public and lives outside
using Form = LayerOperator::Form;

namespace {

double total_of(const torch::autograd::variable_list& list) {
  Pause pause;
  at::NoGradGuard no_grad;
  double out = 0;
  for (auto& each : list)
    if (each.defined()) out += total(each);
  return out;
}

// Keeps the output where a rule needs it; what stands in for it where the rule replaces it.
at::Tensor take_output(LayerCall& call, evaluate::Layer& layer, const at::Tensor& output, bool unfinished = false) {
  auto* rule = call.rule ? call.rule->rule.get() : nullptr;
  if (!rule || rule->uses_layer_output || rule->forward) call.output = KeptTensor::result(output);
  if (!rule || !rule->forward || unfinished) return output;
  at::NoGradGuard no_grad;
  layer.output = call.output.get("");
  return evaluate::forward(*call.rule, layer).clone();
}

// What arrives at a node of autograd's own: relevance above a layer that keeps its gradient, or below it.
class SumHook : public torch::autograd::FunctionPreHook {
 public:
  SumHook(std::shared_ptr<LayerReport> report, std::optional<double> LayerReport::*sum)
      : report_(std::move(report)), sum_(sum) {}
  torch::autograd::variable_list operator()(const torch::autograd::variable_list& gradients) override {
    auto arrived = total_of(gradients);
    std::lock_guard lock(reports_mutex());
    // Relevance comes from above first; what several inputs get from one layer adds up.
    if (sum_ == &LayerReport::above) report_->below.reset();
    auto& sum = (*report_).*sum_;
    sum = arrived + (sum_ == &LayerReport::below ? sum.value_or(0) : 0);
    return gradients;
  }

 private:
  std::shared_ptr<LayerReport> report_;
  std::optional<double> LayerReport::*sum_;
};

}  // namespace

std::string& attaching::current_module() {
  thread_local std::string name;
  return name;
}

void ParameterNames::add(const std::string& name, const at::Tensor& parameter) {
  if (!parameter.defined() || !parameter.has_storage()) return;
  by_place.emplace(std::pair(parameter.storage().unsafeGetStorageImpl(), parameter.storage_offset()), name);
  names.insert(name);
  parameters.insert(parameter.unsafeGetTensorImpl());
  held.push_back(parameter);
}

const std::string* ParameterNames::find(const at::Tensor& tensor) const {
  if (!tensor.has_storage()) return nullptr;
  auto found = by_place.find({tensor.storage().unsafeGetStorageImpl(), tensor.storage_offset()});
  return found == by_place.end() ? nullptr : &found->second;
}

Attachment::State::State(const Composite& rules, ParameterNames names, bool has_input)
    : rules_(std::make_shared<const language::BoundComposite>(rules.bound())),
      names_(std::move(names)),
      passes_(names_.parameters),
      has_input_(std::make_shared<std::atomic<bool>>(has_input)) {}

Report Attachment::State::report() const {
  std::lock_guard lock(reports_mutex());
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

std::exception_ptr& attaching::last_error() {
  thread_local std::exception_ptr error;
  return error;
}

void Attachment::State::call(const c10::OperatorHandle& op, const Row& row, torch::jit::Stack& stack) {
  serving_.clear();
  try {
    try {
      intercept(op, row, stack);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& failure) {  // the layer's own operator cannot take what it is given
      if (serving_.empty()) throw;
      throw Error(evaluate::describe(failure, serving_, Code::model_failed, "cannot run",
                                     "give it the shape and type that it was made for"));
    }
  } catch (const Error&) {
    attaching::last_error() = std::current_exception();
    throw;
  }
}

void Attachment::State::intercept(const c10::OperatorHandle& op, const Row& row, torch::jit::Stack& stack) {
  auto product = std::exchange(product_, std::nullopt);
  if (!at::GradMode::is_enabled()) return op.callBoxed(stack);
  auto arguments = arguments_of(op, stack);
  std::optional<Candidate> found;
  if (product) found = with_bias(row, arguments, *product);
  if (found && product->keeps_gradient) {
    (stack.end() - static_cast<std::ptrdiff_t>(arguments.size()))[1] = arguments[1].toTensor().detach();
    return op.callBoxed(stack);
  }
  if (!found) found = composed(row, arguments);
  if (!found) found = candidate(op, row, arguments);
  if (!found) {
    if (!without_input(op, row, stack)) op.callBoxed(stack);
    return;
  }
  *has_input_ = true;
  auto shown = fmt::format("layer '{}' ({})", found->name, found->kind_name);
  if (!found->kind_name.empty()) serving_ = shown;
  struct OverAfterFailure {  // what the same input computes next is another forward pass
    std::shared_ptr<ForwardPass> pass;
    int exceptions = std::uncaught_exceptions();
    ~OverAfterFailure() { pass->over = pass->over || std::uncaught_exceptions() > exceptions; }
  } over_after_failure{found->pass};
  if (row.training >= 0 && arguments[static_cast<std::size_t>(row.training)].toBool()) {
    bool own_statistics = row.kind != "batch_norm" || is_tensor(arguments[running_mean]);
    throw Error({.code = Code::training_mode,
                 .message = fmt::format("{} {}", shown,
                                        own_statistics ? "is in training mode"
                                                       : "takes the statistics of the batch: it has none of its own"),
                 .help = own_statistics ? "call eval() on the model first"
                                        : "build it with track_running_stats, and train it so"});
  }
  if (row.form == Form::opaque) {
    if (row.training < 0 && !row.kind.empty()) {  // dropout and what has no name need no row
      ++found->pass->calls_of_kind[found->kind_name];
      auto& report = reports_.emplace_back(std::make_shared<LayerReport>());
      report->name = found->name;
      report->kind = std::string(found->kind_name);
      report->rule = "gradient";
    }
    return op.callBoxed(stack);
  }
  if (found->bias_follows) {
    Product made{.candidate = *found, .counts = found->pass->counts, .reports = reports_.size()};
    made.keeps_gradient = !serve(op, stack, std::move(*found));
    made.output.emplace(output_of(op, stack).toTensor());
    product_ = std::move(made);
    return;
  }
  if (auto rank = found->inputs[0].dim(); rank < found->kind->sample_rank)
    throw Error({.code = Code::no_batch,
                 .message = fmt::format("{}: its input has {} dimensions, without a batch", shown, rank),
                 .help = "give the model a batch: dimension 0 counts samples (unsqueeze(0))"});
  serve(op, stack, std::move(*found));
}

bool Attachment::State::serve(const c10::OperatorHandle& op, torch::jit::Stack& stack, Candidate found) {
  ++found.pass->calls_of_kind[found.kind->name];
  LayerCall call;
  call.report = std::make_shared<LayerReport>();
  call.report->name = found.name;
  call.report->kind = std::string(found.kind->name);
  call.owner = rules_;
  reports_.push_back(call.report);

  call.order = ++calls_;
  unsettled_.erase(call.report.get());  // of a report that was there before, at the same address
  call.choices = select(*rules_, *found.kind, found.module, call.order, found.pass->counts);
  if (call.choices.empty()) {
    keep_gradient(op, stack, found, call.report);
    return false;
  }
  auto& best = call.choices.front();
  if (best.conditions.empty() && is_merge(*best.entry) && merge(op, stack, call.report, *best.entry, found))
    return true;
  if (best.conditions.empty())
    call.take(best.entry);
  else
    unsettled_[call.report.get()] = {call.choices, call.order, found.pass};
  run_rule(op, stack, std::move(call), std::move(found));
  return true;
}

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
  auto* linear = dynamic_cast<RuleNode*>(x.grad_fn().get());
  if (!linear || linear->pass()->attachment != found.pass->attachment) return false;
  auto call = merged(linear->call(), x, BatchNorm::of(arguments_of(op, stack)));
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
  return true;
}

void Attachment::State::refuse_forward(const LayerCall& call) {
  for (auto& choice : call.choices)
    if (auto* bound = std::get_if<language::BoundRule>(&choice.entry->target); bound && bound->rule->forward)
      throw Error({.code = Code::rule_does_not_fit,
                   .message = fmt::format("{}: `last` is settled after the forward pass, the rule `{}` replaces the "
                                          "output in it",
                                          call.shown(), bound->description),
                   .primary = {choice.entry->place.source, choice.entry->place.span, ""},
                   .help = "name the layer by a glob: `linear \"classifier.*\"`"});
}

// The layer runs as ever, but for parameters and constants, which get no gradient. The report still has its row.
void Attachment::State::keep_gradient(const c10::OperatorHandle& op, torch::jit::Stack& stack, const Candidate& found,
                                      const std::shared_ptr<LayerReport>& report) {
  report->rule = "gradient";
  auto arguments = stack.end() - static_cast<std::ptrdiff_t>(op.schema().arguments().size());
  for (std::size_t place = 0; place < op.schema().arguments().size(); ++place) {
    auto input = std::find(found.input_places.begin(), found.input_places.end(), place);
    bool relevant = input != found.input_places.end() &&
                    found.gets_relevance[static_cast<std::size_t>(input - found.input_places.begin())];
    auto& argument = arguments[static_cast<std::ptrdiff_t>(place)];
    if (!relevant && is_tensor(argument) && !(found.in_place && place == 0)) argument = argument.toTensor().detach();
  }
  for (std::size_t i = 0; i < found.inputs.size() && !found.in_place; ++i) {
    if (!found.gets_relevance[i]) continue;
    auto seen = at::alias(found.inputs[i]);  // a node of its own, where only what this layer hands down arrives
    seen.grad_fn()->add_pre_hook(std::make_unique<SumHook>(report, &LayerReport::below));
    arguments[static_cast<std::ptrdiff_t>(found.input_places[i])] = seen;
    if (found.inner) arguments[1] = found.inner(seen);
  }
  op.callBoxed(stack);
  auto output = output_of(op, stack).toTensor();
  report->shape = output.sizes().vec();
  if (auto node = output.grad_fn()) node->add_pre_hook(std::make_unique<SumHook>(report, &LayerReport::above));
  if (!is_linear(*found.kind)) return;
  std::erase_if(kept_gradient_, [](auto& each) { return each.expired(); });
  kept_gradient_.emplace_back(output);
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
    auto& x = found.inputs[i];
    // The model's own input is shared with the caller, perhaps with other threads: no lazy clone may touch it, be it a
    // leaf or the result of what ran before.
    call.inputs.push_back(rule && !rule->uses_layer_input                  ? KeptTensor()
                          : x.requires_grad() && is_leaf_or_view_of_one(x) ? KeptTensor::reference(x)
                          : passes_.made_here(x)                           ? KeptTensor::result(x)
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
  if (!found.in_place) return torch::autograd::set_history(output, node);
  auto number = node->add_input_metadata(output);
  torch::autograd::impl::rebase_history(output, {node, number});
}

Attachment attaching::attach_with_names(const Composite& rules, ParameterNames names, bool has_input) {
  if (c10::InferenceMode::is_enabled() || !at::GradMode::is_enabled())
    throw Error({.code = Code::gradient_disabled,
                 .message = "rules cannot be attached where gradients are disabled",
                 .help = "attach outside of NoGradGuard and InferenceMode"});
  return Attachment(std::make_shared<Attachment::State>(rules, std::move(names), has_input));
}

Attachment::Attachment(std::shared_ptr<State> state) : state_(std::move(state)) { switch_on(state_); }
Attachment::Attachment(Attachment&& other) noexcept = default;
Attachment::~Attachment() { remove(); }

void Attachment::remove() {
  if (state_) switch_off(state_.get());
}

Report Attachment::report() const { return state_ ? state_->report() : Report(); }

Attachment attach(const Composite& rules, const torch::nn::Module& model) {
  ParameterNames names;
  for (auto& each : model.named_parameters()) names.add(each.key(), each.value());
  for (auto& each : model.named_buffers()) names.add(each.key(), each.value());
  return attach_with_names(rules, std::move(names), /*has_input=*/false);
}

}  // namespace ascribe
