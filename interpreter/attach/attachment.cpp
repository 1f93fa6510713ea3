#include "interpreter/attach/attachment.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>
#include <utility>

namespace ascribe {

using namespace attaching;  // NOLINT: this file is part of the room; the class is public and lives outside
using Form = LayerOperator::Form;

namespace {

bool is_tensor(const c10::IValue& value) { return value.isTensor() && value.toTensor().defined(); }

bool is_leaf_or_view_of_one(const at::Tensor& tensor) {
  return tensor.is_leaf() || (tensor.is_view() && tensor._base().is_leaf());
}

// The kind that a call is of, which for some operators depends on the arguments.
const language::Kind* kind_of(const LayerOperator& row, const std::vector<c10::IValue>& arguments) {
  std::string name(row.kind);
  if (row.form == Form::convolution) {
    bool transposed = row.transposed >= 0 && arguments[static_cast<std::size_t>(row.transposed)].toBool();
    name = fmt::format("{}{}d", transposed ? "conv_transpose" : "conv", arguments[1].toTensor().dim() - 2);
  } else if (row.form == Form::hardtanh && arguments[1].toScalar().toDouble() == 0 &&
             arguments[2].toScalar().toDouble() == 6) {
    name = "relu6";
  }
  return language::find_kind(name);
}

// Whether the arguments are those of a layer: a product with a weight, a scaling by a constant, and nothing else.
bool is_layer(const LayerOperator& row, const std::vector<c10::IValue>& arguments, const std::vector<bool>& depends) {
  for (auto& [place, name] : row.parameters)
    if (depends[place]) return false;  // computed from the input: no parameter
  if (row.form == Form::matrix) {
    auto weight = row.parameters.front().first;
    return arguments[weight].toTensor().dim() == 2 && arguments[row.inputs[0]].toTensor().dim() >= 1;
  }
  if (row.form == Form::product && row.inputs.size() > 1) {
    bool division = row.name.starts_with("div");
    return depends[0] != depends[1] && !(division && depends[1]);
  }
  return true;
}

// f, the operator itself, with inputs and parameters put in their places.
auto make_apply(const c10::OperatorHandle& op, const LayerOperator& row, std::vector<c10::IValue> arguments,
                std::vector<std::size_t> inputs, std::vector<std::size_t> parameters) {
  auto transposed = row.form == Form::matrix ? static_cast<std::ptrdiff_t>(row.parameters.front().first) : -1;
  bool in_place = row.name.ends_with("_");
  for (auto i : inputs) arguments[i] = {};
  for (auto i : parameters) arguments[i] = {};
  if (in_place && arguments[0].isTensor())
    arguments[0] = arguments[0].toTensor().detach().clone();  // before it is written into
  // Whatever else is a tensor (a constant factor, batch norm's statistics) belongs to the layer as it is now.
  std::vector<std::pair<std::size_t, KeptTensor>> constants;
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (is_tensor(arguments[i])) constants.emplace_back(i, KeptTensor::reference(arguments[i].toTensor()));
  return [=](const std::vector<at::Tensor>& x, const std::vector<at::Tensor>& theta) {
    torch::jit::Stack stack(arguments.begin(), arguments.end());
    for (auto& [i, constant] : constants)
      stack[i] = in_place && i == 0 ? constant.get("a constant").clone() : constant.get("a constant of the layer");
    // An in-place operator needs something that it may write into, and that is no leaf of the graph.
    for (std::size_t i = 0; i < inputs.size(); ++i) stack[inputs[i]] = in_place && inputs[i] == 0 ? x[i].clone() : x[i];
    for (std::size_t i = 0; i < parameters.size(); ++i)
      stack[parameters[i]] = transposed == static_cast<std::ptrdiff_t>(parameters[i]) ? theta[i].t() : theta[i];
    op.callBoxed(&stack);
    return stack.front().toTensor();
  };
}

std::vector<c10::IValue> arguments_of(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  return {stack.end() - static_cast<std::ptrdiff_t>(op.schema().arguments().size()), stack.end()};
}

// Operators with several results (pooling with indices): the first is the layer's output, the others are data.
c10::IValue& output_of(const c10::OperatorHandle& op, torch::jit::Stack& stack) {
  return stack[stack.size() - op.schema().returns().size()];
}

std::string module_of(const std::string& parameter) {
  auto dot = parameter.rfind('.');
  return dot == std::string::npos ? "" : parameter.substr(0, dot);
}

// `features.0.bias` for `features.0.weight`.
std::string sibling(const std::string& parameter, const std::string& name) {
  return parameter.substr(0, parameter.rfind('.') + 1) + name;
}

// Where a model's layer was called with nothing that depends on an input.
class NoInputNode : public torch::autograd::Node {
 public:
  NoInputNode(std::shared_ptr<bool> has_input, std::string layer)
      : has_input_(std::move(has_input)), layer_(std::move(layer)) {}
  torch::autograd::variable_list apply(torch::autograd::variable_list&&) override {
    if (*has_input_) return {};
    throw Error({.code = Code::no_input,
                 .message = fmt::format(
                     "{}: nothing that it was called with depends on an input that requires a gradient", layer_),
                 .help = "call x.requires_grad_() before the model"});
  }
  std::string name() const override { return "NoInput"; }

 private:
  std::shared_ptr<bool> has_input_;
  std::string layer_;
};

double total_of(const torch::autograd::variable_list& list) {
  Pause pause;
  at::NoGradGuard no_grad;
  double out = 0;
  for (auto& each : list)
    if (each.defined()) out += total(each);
  return out;
}

// What arrives at a node of autograd's own: relevance above a layer that keeps its gradient, or below it.
class SumHook : public torch::autograd::FunctionPreHook {
 public:
  SumHook(std::shared_ptr<LayerReport> report, std::optional<double> LayerReport::*sum)
      : report_(std::move(report)), sum_(sum) {}
  torch::autograd::variable_list operator()(const torch::autograd::variable_list& gradients) override {
    // Relevance comes from above first; what several inputs get from one layer adds up.
    if (sum_ == &LayerReport::above) report_->below.reset();
    auto& sum = (*report_).*sum_;
    sum = total_of(gradients) + (sum_ == &LayerReport::below ? sum.value_or(0) : 0);
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
      has_input_(std::make_shared<bool>(has_input)) {}

Report Attachment::State::report() const {
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
  try {
    intercept(op, row, stack);
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
  if (!found) found = candidate(op, row, arguments);
  if (!found) {
    if (!without_input(op, row, stack)) op.callBoxed(stack);
    return;
  }
  *has_input_ = true;
  struct OverAfterFailure {  // what the same input computes next is another forward pass
    std::shared_ptr<ForwardPass> pass;
    int exceptions = std::uncaught_exceptions();
    ~OverAfterFailure() { pass->over = pass->over || std::uncaught_exceptions() > exceptions; }
  } over_after_failure{found->pass};
  if (row.training >= 0 && arguments[static_cast<std::size_t>(row.training)].toBool())
    throw Error({.code = Code::training_mode,
                 .message = fmt::format("layer '{}' ({}) is in training mode", found->name, found->kind_name),
                 .help = "call eval() on the model first"});
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
    auto output = output_of(op, stack).toTensor();
    made.output.emplace(output.getIntrusivePtr());
    made.version = static_cast<std::int64_t>(output._version());
    product_ = std::move(made);
    return;
  }
  auto shown = fmt::format("layer '{}' ({})", found->name, found->kind->name);
  if (auto rank = found->inputs[0].dim(); rank < found->kind->sample_rank)
    throw Error({.code = Code::no_batch,
                 .message = fmt::format("{}: its input has {} dimensions, without a batch", shown, rank),
                 .help = "give the model a batch: dimension 0 counts samples (unsqueeze(0))"});
  serve(op, stack, std::move(*found));
}

std::optional<Attachment::State::Candidate> Attachment::State::candidate(const c10::OperatorHandle& op, const Row& row,
                                                                         const std::vector<c10::IValue>& arguments) {
  Candidate out{};
  // A module outside of the model is part of what runs, too: its weights are leaves that the model does not know.
  auto* first = row.parameters.empty() || !is_tensor(arguments[row.parameters.front().first])
                    ? nullptr
                    : &arguments[row.parameters.front().first].toTensor();
  bool foreign = first && first->requires_grad() && is_leaf_or_view_of_one(*first) && !names_.find(*first);
  std::vector<bool> depends(arguments.size());
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!is_tensor(arguments[i])) continue;
    bool parameter =
        std::any_of(row.parameters.begin(), row.parameters.end(), [&](auto& each) { return each.first == i; });
    if (parameter && (foreign || names_.find(arguments[i].toTensor()))) continue;
    auto found = passes_.of(arguments[i].toTensor());
    depends[i] = found != nullptr;
    out.pass = ForwardPasses::join(out.pass, found);
  }
  if (!out.pass || !is_layer(row, arguments, depends)) return {};
  out.kind = row.form == Form::opaque ? nullptr : kind_of(row, arguments);
  if (!out.kind && row.form != Form::opaque) return {};
  out.kind_name = out.kind ? out.kind->name : row.kind;
  out.module = module_name(row, arguments);
  out.name = name_of(out);
  if (!out.kind) return out;
  out.in_place = row.name.ends_with("_");
  for (auto i : row.inputs) {
    if (row.form == Form::product && !depends[i]) continue;  // the constant belongs to the layer
    out.input_places.push_back(i);
    out.inputs.push_back(arguments[i].toTensor());
    out.gets_relevance.push_back(depends[i]);
  }
  for (auto& [place, name] : row.parameters) {
    if (!is_tensor(arguments[place])) continue;
    auto parameter = arguments[place].toTensor();
    if (row.form == Form::matrix && name == "weight") parameter = parameter.t();
    out.parameter_places.push_back(place);
    out.parameters.emplace_back(std::string(name), parameter);
  }
  out.apply = make_apply(op, row, arguments, out.input_places, out.parameter_places);
  if (row.form == Form::matrix && out.parameters.size() == 1)
    if (auto* weight = names_.find(out.parameters[0].second))
      out.bias_follows = names_.names.contains(sibling(*weight, "bias"));
  return out;
}

// A linear layer or convolution of the model before anything that depends on an input. Perhaps the model begins with
// such; if no input ever comes, relevance that arrives here is the caller's mistake.
bool Attachment::State::without_input(const c10::OperatorHandle& op, const Row& row, torch::jit::Stack& stack) {
  if (*has_input_ || row.parameters.empty() || row.form == Form::opaque) return false;
  auto arguments = arguments_of(op, stack);
  auto* kind = kind_of(row, arguments);
  auto weight = row.parameters.front().first;
  if (!kind || !(covers("linear", *kind) || covers("convolution", *kind)) || !is_tensor(arguments[weight]))
    return false;
  auto* name = names_.find(arguments[weight].toTensor());
  if (!name) return false;
  {
    at::NoGradGuard no_grad;
    at::AutoDispatchBelowADInplaceOrView below;
    op.callBoxed(stack);
  }
  auto module = module_of(*name);
  torch::autograd::set_history(
      output_of(op, stack).toTensor(),
      c10::make_intrusive<NoInputNode>(
          has_input_, fmt::format("layer '{}' ({})", module.empty() ? kind->name : module, kind->name)));
  return true;
}

std::optional<Attachment::State::Candidate> Attachment::State::with_bias(const Row& row,
                                                                         const std::vector<c10::IValue>& arguments,
                                                                         const Product& product) {
  if (!row.name.starts_with("add") || row.inputs.size() != 2 || !is_tensor(arguments[0]) || !is_tensor(arguments[1]) ||
      !arguments[2].toScalar().equal(1))
    return {};
  auto sum = arguments[0].toTensor(), bias = arguments[1].toTensor();
  auto* name = names_.find(bias);
  bool same = product.output->lock().get() == sum.unsafeGetTensorImpl() &&
              static_cast<std::int64_t>(sum._version()) == product.version;
  if (!same || !name || !name->ends_with("bias") || bias.dim() != 1) return {};
  auto out = product.candidate;
  if (product.keeps_gradient) return out;
  out.pass->counts = product.counts;
  --out.pass->calls_of_kind[out.kind->name];
  reports_.resize(product.reports);
  out.bias_follows = false;
  if (attaching::current_module().empty()) out.module = module_of(*name);
  out.name = name_of(out);
  if (!out.kind) return out;
  out.in_place = row.name.ends_with("_");
  out.parameters.emplace_back("bias", bias);
  out.apply = [multiply = std::move(out.apply)](const std::vector<at::Tensor>& x,
                                                const std::vector<at::Tensor>& theta) {
    return multiply(x, {theta[0]}) + theta[1];
  };
  return out;
}

std::string Attachment::State::name_of(const Candidate& candidate) {
  return candidate.module.empty()
             ? fmt::format("{}#{}", candidate.kind_name, candidate.pass->calls_of_kind[candidate.kind_name] + 1)
             : candidate.module;
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
  if (call.choices.front().conditions.empty())
    call.take(call.choices.front().entry);
  else
    unsettled_[call.report.get()] = {call.choices, call.order, found.pass};
  run_rule(op, stack, std::move(call), std::move(found));
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
  }
  op.callBoxed(stack);
  auto output = output_of(op, stack).toTensor();
  report->shape = output.sizes().vec();
  if (auto node = output.grad_fn()) node->add_pre_hook(std::make_unique<SumHook>(report, &LayerReport::above));
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
    // The model's own input is shared with the caller, perhaps with other threads: no lazy clone may touch it.
    call.inputs.push_back(rule && !rule->uses_layer_input                  ? KeptTensor()
                          : x.requires_grad() && is_leaf_or_view_of_one(x) ? KeptTensor::reference(x)
                                                                           : KeptTensor::value(x));
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
  if (!rule || rule->uses_layer_output || rule->forward) call.output = KeptTensor::result(output);
  if (rule && rule->forward && !found.bias_follows) {
    at::NoGradGuard no_grad;
    layer.output = call.output.get("");
    auto replacement = evaluate::forward(*call.rule, layer);
    if (found.in_place)
      output.copy_(replacement);
    else
      output_of(op, stack) = output = replacement.clone();
  }
  call.report->shape = output.sizes().vec();
  auto node = c10::make_intrusive<RuleNode>(std::move(call), std::move(found.pass));
  node->set_next_edges(std::move(edges));
  if (!found.in_place) return torch::autograd::set_history(output, node);
  auto number = node->add_input_metadata(output);
  torch::autograd::impl::rebase_history(output, {node, number});
}

std::string Attachment::State::module_name(const Row& row, const std::vector<c10::IValue>& arguments) const {
  if (!current_module().empty()) return current_module();
  for (auto& [place, parameter] : row.parameters)
    if (is_tensor(arguments[place]))
      if (auto* found = names_.find(arguments[place].toTensor())) return module_of(*found);
  return "";
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
  return attach_with_names(rules, std::move(names), /*has_input=*/false);
}

}  // namespace ascribe
