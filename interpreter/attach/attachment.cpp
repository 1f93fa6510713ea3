#include "interpreter/attach/attachment.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>

namespace ascribe {

using namespace attaching;  // NOLINT: this file is part of the room; the class is public and lives outside
using Form = LayerOperator::Form;

namespace {

bool is_tensor(const c10::IValue& value) { return value.isTensor() && value.toTensor().defined(); }

// The kind that a call is of, which for some operators depends on the arguments.
const language::Kind* kind_of(const LayerOperator& row, const std::vector<c10::IValue>& arguments) {
  std::string name(row.kind);
  if (row.form == Form::convolution) {
    bool transposed = row.transposed >= 0 && arguments[static_cast<std::size_t>(row.transposed)].toBool();
    name = fmt::format("{}{}d", transposed ? "conv_transpose" : "conv", arguments[1].toTensor().dim() - 2);
  } else if (row.form == Form::hardtanh && arguments[1].toScalar().toDouble() == 0 && arguments[2].toScalar().toDouble() == 6) {
    name = "relu6";
  }
  return language::find_kind(name);
}

// Whether the arguments are those of a layer: a product with a weight, a scaling by a constant, and nothing else.
bool is_layer(const LayerOperator& row, const std::vector<c10::IValue>& arguments, const std::vector<bool>& depends) {
  if (row.form == Form::matrix) {
    auto weight = row.parameters.front().first;
    return !depends[weight] && arguments[weight].toTensor().dim() == 2 && arguments[row.inputs[0]].toTensor().dim() >= 2;
  }
  if (row.form == Form::product && row.inputs.size() > 1) {
    bool division = row.name.starts_with("div");
    return depends[0] != depends[1] && !(division && depends[1]);
  }
  return true;
}

// f, the operator itself, with inputs and parameters put in their places.
auto make_apply(const c10::OperatorHandle& op, const LayerOperator& row, std::vector<c10::IValue> arguments, std::vector<std::size_t> inputs, std::vector<std::size_t> parameters) {
  bool transposed_weight = row.form == Form::matrix;
  bool in_place = row.name.ends_with("_");
  for (auto i : inputs) arguments[i] = {};
  for (auto i : parameters) arguments[i] = {};
  return [=](const std::vector<at::Tensor>& x, const std::vector<at::Tensor>& theta) {
    torch::jit::Stack stack(arguments.begin(), arguments.end());
    // An in-place operator needs something that it may write into, and that is no leaf of the graph.
    for (std::size_t i = 0; i < inputs.size(); ++i) stack[inputs[i]] = in_place && inputs[i] == 0 ? x[i].clone() : x[i];
    for (std::size_t i = 0; i < parameters.size(); ++i) stack[parameters[i]] = transposed_weight && theta[i].dim() == 2 ? theta[i].t() : theta[i];
    op.callBoxed(&stack);
    return stack.front().toTensor();
  };
}

std::string module_of(const std::string& parameter) {
  auto dot = parameter.rfind('.');
  return dot == std::string::npos ? "" : parameter.substr(0, dot);
}

class SumHook : public torch::autograd::FunctionPostHook {
 public:
  explicit SumHook(std::shared_ptr<LayerReport> report) : report_(std::move(report)) {}
  torch::autograd::variable_list operator()(const torch::autograd::variable_list& outputs, const torch::autograd::variable_list& inputs) override {
    Pause pause;
    at::NoGradGuard no_grad;
    auto sum = [](const torch::autograd::variable_list& list) {
      double out = 0;
      for (auto& each : list)
        if (each.defined()) out += total(each);
      return out;
    };
    report_->above = sum(inputs);
    report_->below = sum(outputs);
    return outputs;
  }

 private:
  std::shared_ptr<LayerReport> report_;
};

}  // namespace

std::string& attaching::current_module() {
  thread_local std::string name;
  return name;
}

void ParameterNames::add(const std::string& name, const at::Tensor& parameter) {
  if (!parameter.defined() || !parameter.has_storage()) return;
  by_storage.emplace(parameter.storage().unsafeGetStorageImpl(), name);
  parameters.insert(parameter.unsafeGetTensorImpl());
}

Attachment::State::State(const Composite& rules, ParameterNames names)
    : rules_(std::make_shared<const language::BoundComposite>(rules.bound())), names_(std::move(names)), passes_(names_.parameters) {}

Report Attachment::State::report() const {
  Report out;
  for (auto& each : reports_) out.push_back(*each);
  return out;
}

void Attachment::State::call(const c10::OperatorHandle& op, const Row& row, torch::jit::Stack& stack) {
  if (!at::GradMode::is_enabled()) return op.callBoxed(stack);
  auto count = op.schema().arguments().size();
  std::vector<c10::IValue> arguments(stack.end() - static_cast<std::ptrdiff_t>(count), stack.end());
  Passes pass;
  std::vector<bool> depends(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_tensor(arguments[i])) continue;
    auto found = passes_.of(arguments[i].toTensor());
    depends[i] = found != nullptr;
    pass = ForwardPasses::join(pass, found);
  }
  if (!pass || !is_layer(row, arguments, depends)) return op.callBoxed(stack);
  if (row.form == Form::addition && add_bias(op, row, stack)) return;

  auto* kind = kind_of(row, arguments);
  if (!kind) return op.callBoxed(stack);
  auto module = module_name(row, arguments);
  auto number = ++pass->calls_of_kind[kind->name];

  LayerCall call;
  call.report = std::make_shared<LayerReport>();
  call.report->name = module.empty() ? fmt::format("{}#{}", kind->name, number) : module;
  call.report->kind = std::string(kind->name);
  call.owner = rules_;
  reports_.push_back(call.report);

  std::vector<std::size_t> inputs;
  for (auto i : row.inputs)
    if (row.form != Form::product || depends[i]) inputs.push_back(i);
  for (auto i : inputs) {
    call.gets_relevance.push_back(depends[i]);
    call.input_shapes.push_back(arguments[i].toTensor().sizes().vec());
  }
  if (kind->sample_rank > 0 && static_cast<int>(call.input_shapes[0].size()) < kind->sample_rank)
    throw Error({.code = Code::no_batch,
                 .message = fmt::format("{}: its input has {} dimensions, without a batch", call.shown(), call.input_shapes[0].size()),
                 .help = "give the model a batch: dimension 0 counts samples (unsqueeze(0))"});
  if (row.training >= 0 && arguments[static_cast<std::size_t>(row.training)].toBool())
    throw Error({.code = Code::training_mode, .message = fmt::format("{} is in training mode", call.shown()), .help = "call eval() on the model first"});

  auto* entry = select(*rules_, *kind, module, pass->counts);
  if (!entry) return keep_gradient(op, stack, call.report);
  call.place = entry->place;
  call.report->entry = language::describe(entry->place);
  if (auto* engine = std::get_if<language::Engine>(&entry->target)) {
    if (*engine == language::Engine::refuse)
      throw Error({.code = Code::refused_layer, .message = fmt::format("{} is refused by the rules", call.shown()), .primary = {entry->place.source, entry->place.span, "by this entry"}, .help = "give it a rule of its own in an entry above"});
    static const auto pass_rule = std::make_shared<const Rule>(Pack::standard().rule("pass"));
    call.rule = &pass_rule->bound();
    call.report->rule = "merge (acts as pass)";
  } else {
    call.rule = &std::get<language::BoundRule>(entry->target);
    call.report->rule = call.rule->description;
  }
  run_rule(op, row, stack, std::move(call), inputs, std::move(pass));
}

// Runs the layer without autograd and leaves the rule in the graph in its place.
void Attachment::State::run_rule(const c10::OperatorHandle& op, const Row& row, torch::jit::Stack& stack, LayerCall call, const std::vector<std::size_t>& inputs, Passes pass) {
  auto count = op.schema().arguments().size();
  std::vector<c10::IValue> arguments(stack.end() - static_cast<std::ptrdiff_t>(count), stack.end());
  bool in_place = row.name.ends_with("_");
  auto& rule = *call.rule->rule;
  if (in_place && arguments[0].toTensor().is_leaf() && arguments[0].toTensor().requires_grad()) return op.callBoxed(stack);  // LibTorch refuses it

  std::vector<at::Tensor> tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto& x = tensors.emplace_back(arguments[inputs[i]].toTensor());
    bool needed = rule.uses_layer_input;
    // The model's own input is shared with the caller, perhaps with other threads: no lazy clone may touch it.
    call.inputs.push_back(!needed ? KeptTensor() : x.is_leaf() && x.requires_grad() ? KeptTensor::reference(x) : KeptTensor::value(x));
  }
  std::vector<std::size_t> parameter_places;
  evaluate::Layer shape_only{nullptr, tensors, call.gets_relevance, {}, {}};
  for (auto& [place, name] : row.parameters) {
    if (!is_tensor(arguments[place])) continue;
    auto parameter = arguments[place].toTensor();
    if (row.form == Form::matrix && name == "weight") parameter = parameter.t();
    parameter_places.push_back(place);
    shape_only.parameters.emplace_back(std::string(name), parameter);
    call.parameters.emplace_back(std::string(name), KeptTensor::reference(parameter));
  }
  call.without_bias = call.report->kind == "linear" && call.parameters.size() == 1;
  call.apply = make_apply(op, row, arguments, inputs, parameter_places);

  {
    at::NoGradGuard no_grad;
    op.callBoxed(stack);
  }
  // Operators with several results (pooling with indices): the first is the layer's output, the others are data.
  auto output = stack[stack.size() - op.schema().returns().size()].toTensor();
  try {
    evaluate::check_fit(*call.rule, shape_only, output.sizes());
  } catch (const Error& error) {
    throw at_layer(call, error.diagnostics().front());
  }
  if (rule.forward) {
    shape_only.output = output;
    at::NoGradGuard no_grad;
    call.output = KeptTensor::value(output);
    output = evaluate::forward(*call.rule, shape_only);
    stack[stack.size() - op.schema().returns().size()] = output;
    return finish(output, false, tensors, std::move(call), std::move(pass));
  }
  if (rule.uses_layer_output) call.output = KeptTensor::value(output);
  finish(output, in_place, tensors, std::move(call), std::move(pass));
}

void Attachment::State::finish(const at::Tensor& output, bool in_place, const std::vector<at::Tensor>& inputs, LayerCall call, Passes pass) {
  call.report->shape = output.sizes().vec();
  torch::autograd::edge_list edges;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    edges.push_back(call.gets_relevance[i] ? torch::autograd::impl::gradient_edge(inputs[i]) : torch::autograd::Edge());
  auto node = c10::make_intrusive<RuleNode>(std::move(call), std::move(pass));
  node->set_next_edges(std::move(edges));
  if (!in_place) return torch::autograd::set_history(output, node);
  auto number = node->add_input_metadata(output);
  torch::autograd::impl::rebase_history(output, {node, number});
}

// A layer that no entry is for keeps its gradient; the report still has its row.
void Attachment::State::keep_gradient(const c10::OperatorHandle& op, torch::jit::Stack& stack, const std::shared_ptr<LayerReport>& report) {
  report->rule = "gradient";
  op.callBoxed(stack);
  auto output = stack[stack.size() - op.schema().returns().size()].toTensor();
  report->shape = output.sizes().vec();
  if (auto node = output.grad_fn()) node->add_post_hook(std::make_unique<SumHook>(report));
}

// C++'s Linear adds its bias after the product where the input has more than two dimensions. Product and bias are one
// layer: the product's node is made anew with the bias, from the layer's own input, and the graph starts there.
bool Attachment::State::add_bias(const c10::OperatorHandle& op, const Row& row, torch::jit::Stack& stack) {
  if (row.inputs.size() != 2 || !row.name.starts_with("add")) return false;
  auto count = op.schema().arguments().size();
  auto* arguments = &stack[stack.size() - count];
  if (!is_tensor(arguments[0]) || !is_tensor(arguments[1]) || !arguments[2].toScalar().equal(1)) return false;
  auto product = arguments[0].toTensor(), bias = arguments[1].toTensor();
  auto node = c10::dynamic_intrusive_pointer_cast<RuleNode>(product.grad_fn());
  auto name = names_.by_storage.find(bias.storage().unsafeGetStorageImpl());
  if (!node || !node->call().without_bias || name == names_.by_storage.end() || bias.dim() != 1 || module_of(name->second) != node->call().report->name) return false;
  auto call = node->call();
  call.without_bias = false;
  call.parameters.emplace_back("bias", KeptTensor::reference(bias));
  call.apply = [multiply = call.apply](const std::vector<at::Tensor>& x, const std::vector<at::Tensor>& theta) { return multiply(x, {theta[0]}) + theta[1]; };
  {
    at::NoGradGuard no_grad;
    op.callBoxed(stack);
  }
  auto output = stack.back().toTensor();
  if (call.rule->rule->uses_layer_output) call.output = KeptTensor::value(output);
  auto edges = node->next_edges();
  auto pass = node->pass();
  auto fresh = c10::make_intrusive<RuleNode>(std::move(call), std::move(pass));
  fresh->set_next_edges(std::move(edges));
  auto number = fresh->add_input_metadata(output);
  if (row.name.ends_with("_")) torch::autograd::impl::rebase_history(output, {fresh, number});
  else torch::autograd::impl::set_gradient_edge(output, {fresh, number});
  return true;
}

std::string Attachment::State::module_name(const Row& row, const std::vector<c10::IValue>& arguments) const {
  if (!current_module().empty()) return current_module();
  for (auto& [place, parameter] : row.parameters) {
    if (!is_tensor(arguments[place]) || !arguments[place].toTensor().has_storage()) continue;
    auto found = names_.by_storage.find(arguments[place].toTensor().storage().unsafeGetStorageImpl());
    if (found != names_.by_storage.end()) return module_of(found->second);
  }
  return "";
}

Attachment attaching::attach_with_names(const Composite& rules, ParameterNames names) {
  if (c10::InferenceMode::is_enabled() || !at::GradMode::is_enabled())
    throw Error({.code = Code::gradient_disabled, .message = "rules cannot be attached where gradients are disabled", .help = "attach outside of NoGradGuard and InferenceMode"});
  return Attachment(std::make_shared<Attachment::State>(rules, std::move(names)));
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
  return attach_with_names(rules, std::move(names));
}

}  // namespace ascribe
