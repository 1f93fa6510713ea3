#include "interpreter/attach/attachment.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/graph_task.h>

#include <algorithm>
#include <utility>

#include "grammar/filled_text.hpp"
#include "interpreter/attach/no_input_node.hpp"
#include "interpreter/layers/module_operation.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/libtorch/module_scope.hpp"
#include "interpreter/libtorch/recurrent.hpp"

namespace ascribe {

using attaching::ForwardPass;
using attaching::ForwardPasses;
using layering::Dependence;
using layering::OperatorCall;

namespace {

// What the same input computes next, after a layer has failed, is another forward pass.
struct OverAfterFailure {
  std::shared_ptr<ForwardPass> pass;
  int exceptions = std::uncaught_exceptions();
  ~OverAfterFailure() { pass->over = pass->over || std::uncaught_exceptions() > exceptions; }
};

std::string shown(const std::string& name, std::string_view kind) { return filled("layer '{}' ({})", name, kind); }

std::string name_of(const layering::Call& call, const ForwardPass& pass) {
  return call.module.empty() ? attaching::Ledger::numbered(pass, call.kind_name) : call.module;
}

layering::Call call_of(layering::ComposedLayer composed, const std::string& module) {
  layering::Call out;
  out.kind_name = composed.operation.kind->name;
  out.operation = std::make_shared<layering::Operation>(std::move(composed.operation));
  out.inputs = {std::move(composed.input)};
  out.gets_relevance = {true};
  out.parameters = std::move(composed.parameters);
  out.module = module;
  return out;
}

}  // namespace

Attachment::State::State(const Composite& rules, std::shared_ptr<const libtorch::ParameterNames> names,
                         attaching::Watch watch)
    : rules_(std::make_shared<const language::BoundComposite>(rules.bound())),
      names_(std::move(names)),
      passes_(names_->parameters),
      recorder_(watch, passes_, ledger_, inactive_),
      has_input_(std::make_shared<std::atomic<bool>>(watch.has_input)) {}

void Attachment::State::call(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack) {
  auto* supervisor = recorder_.watch().supervisor.get();
  serving_.clear();
  try {
    if (supervisor) supervisor->before_operator(ledger_.last());
    // Inside a backward pass, autograd's own `add` and `sum` are nobody's layer.
    if (!at::GradMode::is_enabled() || torch::autograd::get_current_graph_task_id() != -1) return op.callBoxed(stack);
    try {
      intercept(op, keys, stack);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& failure) {  // the layer's own operator cannot take what it is given
      if (serving_.empty()) {  // given nothing that relevance could go to, it was not taken for a layer yet
        auto patterns = layering::find_patterns(op.operator_name().name, op.operator_name().overload_name);
        if (patterns.empty() || patterns.front().kind.empty()) throw;
        serving_ = filled("a layer ({})", patterns.front().kind);
      }
      throw Error(libtorch::describe(failure, serving_, Code::model_failed, "cannot run",
                                     "give it the shape and type that it was made for"));
    }
  } catch (const Error&) {
    libtorch::last_error() = std::current_exception();
    throw;
  }
  if (!supervisor || ledger_.size() == 0) return;
  try {
    supervisor->called(*ledger_.last(), ledger_.size());
  } catch (...) {
    libtorch::last_error() = std::current_exception();
    throw;
  }
}

OperatorCall Attachment::State::describe(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments,
                                         Pass& pass) {
  auto dependence = [this, &pass](const at::Tensor& tensor) {
    if (names_->find(tensor)) return Dependence::none;
    auto found = passes_.of(tensor);
    if (!found) return Dependence::none;
    pass = ForwardPasses::join(pass, found);
    return libtorch::is_leaf_or_view_of_one(tensor) ? Dependence::leaf : Dependence::input;
  };
  return {op, arguments, dependence, *names_, libtorch::current_module()};
}

void Attachment::State::intercept(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack) {
  auto arguments = libtorch::arguments_of(op, stack);
  Pass pass;
  auto call = describe(op, arguments, pass);
  auto product = std::exchange(product_, std::nullopt);
  std::optional<layering::Call> found;
  if (product && (found = layering::with_bias(call, product->call, product->output))) {
    pass = product->pass;
    if (product->keeps_gradient) {  // then so does the whole
      (stack.end() - static_cast<std::ptrdiff_t>(arguments.size()))[1] = arguments[1].toTensor().detach();
      return op.callBoxed(stack);
    }
    ledger_.take_back(product->row);
  } else if (auto composed = recent_.completed_by(op, arguments)) {
    pass = passes_.of(composed->input);
    for (auto part : composed->parts) {
      ledger_.take_back(part);
      std::erase_if(refusals_, [&](auto& each) { return each.row == part; });
    }
    found = call_of(std::move(*composed), call.module);
  } else if (auto recognized = layering::recognize(call)) {
    if (recognized->pattern->form == layering::Pattern::Form::lookup)
      pass = passes_.of_source(arguments[recognized->pattern->inputs[0]].toTensor());
    auto kind = recognized->call ? recognized->call->kind_name : recognized->pattern->kind;
    auto module = recognized->call ? recognized->call->module : call.module;
    auto name = module.empty() ? attaching::Ledger::numbered(*pass, kind) : module;
    OverAfterFailure over_after_failure{pass};
    layering::refuse_training_mode(*recognized->pattern, op, arguments, name);
    if (!recognized->call) return op.callBoxed(stack);  // dropout
    found = std::move(recognized->call);
  }
  if (!found) return other_operator(call, keys, stack, pass);
  bool part = layering::may_be_part(op.operator_name().name);
  if (!part) {
    settle_refusals();
    recent_.clear();
  }
  *has_input_ = true;
  serving_ = shown(name_of(*found, *pass), found->kind_name);
  OverAfterFailure over_after_failure{pass};
  if (auto rank = found->inputs[0].dim(); rank < found->operation->kind->sample_rank)
    throw Error({.code = Code::no_batch,
                 .message = filled("{}: its input has {} dimensions, without a batch", serving_, rank),
                 .help = "give the model a batch: dimension 0 counts samples (unsqueeze(0))"});
  auto [row, served] = serve(op, stack, *found, pass);
  auto output = libtorch::output_of(op, stack).toTensor();
  if (part && !found->in_place) recent_.add(op, std::move(arguments), output, row);
  if (found->bias_follows || found->bias_may_follow) note_product(*found, pass, row, served, output);
}

void Attachment::State::note_product(const layering::Call& call, const Pass& pass, std::uint64_t row, bool served,
                                     const at::Tensor& output) {
  // What a rule replaced already is no part of anything.
  auto* node = attaching::RuleNode::of(output.grad_fn().get());
  bool replaced = node && node->call().rule && node->call().rule->rule->forward;
  if (call.bias_follows || !replaced) product_.emplace(Product{call, libtorch::Made(output), row, pass, !served});
}

std::pair<std::uint64_t, bool> Attachment::State::serve(const c10::OperatorHandle& op, torch::jit::Stack& stack,
                                                        layering::Call found, const Pass& pass) {
  auto& kind = *found.operation->kind;
  auto& row = ledger_.add(pass, name_of(found, *pass), found.kind_name);
  auto number = row.number;
  row.report->inputs =
      static_cast<std::size_t>(std::count(found.gets_relevance.begin(), found.gets_relevance.end(), true));
  auto call = recorder_.begin(row, found, rules_);
  call.choices = attaching::select(*rules_, kind, found.module, number, pass->counts);
  if (call.choices.empty() && !language::covers("embedding", kind)) {  // an embedding ends relevance in any case
    recorder_.keep_gradient(op, stack, found, row);
    return {number, false};
  }
  auto* best = call.choices.empty() ? nullptr : &call.choices.front();
  bool decided = best && best->conditions.empty();
  if (decided && attaching::is_merge(*best->entry) && recorder_.merge(op, stack, found, *best->entry, pass, row))
    return {number, true};
  if (decided && attaching::is_merge(*best->entry) && kind.name == "batch_norm")
    call.batch_norm =
        std::make_shared<const layering::BatchNorm>(layering::batch_norm_of(op, libtorch::arguments_of(op, stack)));
  if (decided && attaching::is_refuse(*best->entry) && layering::may_be_part(op.operator_name().name)) {
    try {
      call.take(best->entry);
    } catch (const Error& refusal) {  // once it is certain that it is no part of anything
      refusals_.push_back({number, refusal});
    }
    call.refusal_waits = true;
  }
  auto output = recorder_.run_rule(row, std::move(call), found, pass, [&] {
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

void Attachment::State::settle_refusals() {
  if (refusals_.empty()) return;
  auto first = refusals_.front().error;
  refusals_.clear();
  throw first;
}

// -------------------------------------------------------------------------------------------------- no layer's
// operator

void Attachment::State::other_operator(const OperatorCall& call, c10::DispatchKeySet keys, torch::jit::Stack& stack,
                                       const Pass& known) {
  auto& op = call.op;
  auto& name = op.operator_name().name;
  auto pass = known;
  auto note = [&](std::uint64_t row) {
    if (!layering::may_be_part(name) || op.schema().returns().size() != 1) return;
    auto& output = libtorch::output_of(op, stack);
    if (libtorch::is_tensor(output)) recent_.add(op, call.arguments, output.toTensor(), row);
  };
  if (without_input(call, stack)) return;
  if (layering::follows_indices(name)) {
    index_operator(call, stack);
    return note(0);
  }
  auto whole = layering::whole_operator(call);
  if (recorder_.watch().has_input || !whole.inputs.empty())
    layering::refuse_random_numbers(op, call.arguments, whole.module.empty() ? "an operator" : whole.module);
  if (whole.inputs.empty()) {
    op.callBoxed(stack);
    return note(0);
  }
  for (auto& each : whole.inputs) pass = ForwardPasses::join(pass, passes_.of(each));
  auto layer = name_of(whole, *pass);
  serving_ = shown(layer, whole.kind_name);
  if (layering::lacks_derivative(name))
    throw Error({.code = Code::wrong_model,
                 .message = filled("{} is one of PyTorch's fast paths, which have no derivative", serving_),
                 .help = "trace it with gradients, or export it"});
  // What LibTorch makes of other operators are these.
  if (op.hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd) && !layering::stays_whole(name))
    return libtorch::open(op, keys, stack);
  libtorch::check_recurrent(op, stack, layer);
  if (layering::gives_no_values(name)) {
    op.callBoxed(stack);
    return note(0);
  }
  bool part = layering::may_be_part(name);
  if (!part) {
    settle_refusals();
    recent_.clear();
  }
  *has_input_ = true;
  OverAfterFailure over_after_failure{pass};
  auto [row, served] = serve(op, stack, whole, pass);
  note(row);
  if (served || op.schema().returns().empty()) return;
  bool floats = false, differentiable = false;
  libtorch::for_each_tensor(libtorch::output_of(op, stack), [&](const at::Tensor& each) {
    floats = floats || each.is_floating_point() || each.is_quantized();
    differentiable = differentiable || each.requires_grad();
  });
  if (differentiable) return;
  ledger_.take_back(row);
  if (floats)
    throw Error({.code = Code::wrong_model,
                 .message = filled("{} has no derivative: no relevance goes through it", serving_),
                 .help = "explain the model before it was quantised, or save it from this layer on"});
}

void Attachment::State::index_operator(const OperatorCall& call, torch::jit::Stack& stack) {
  std::size_t tensors = 0;
  for (auto& argument : call.arguments)
    libtorch::for_each_tensor(argument, [&](const at::Tensor& tensor) { tensors += tensor.requires_grad(); });
  bool in_place = call.op.operator_name().name.ends_with('_');
  if (!in_place && recorder_.watch().sums && layering::puts_constants(call)) return watch_indices(call, stack);
  auto plain = [&](const at::Tensor& tensor) {
    return !tensor.defined() || passes_.depends(tensor) ? tensor : tensor.detach();
  };
  auto arguments = stack.end() - static_cast<std::ptrdiff_t>(call.arguments.size());
  for (std::size_t i = in_place ? 1 : 0; i < call.arguments.size() && tensors > 1; ++i) {
    auto& argument = arguments[static_cast<std::ptrdiff_t>(i)];
    if (libtorch::is_tensor(argument)) {
      argument = plain(argument.toTensor());
    } else if (argument.isTensorList()) {
      std::vector<at::Tensor> list;
      for (const at::Tensor& each : argument.toTensorVector()) list.push_back(plain(each));
      argument = list;
    }
  }
  call.op.callBoxed(stack);
}

// What goes to zeros around a tensor, or to constants beside it, reaches no input: it has a row, so that sums add up.
void Attachment::State::watch_indices(const OperatorCall& call, torch::jit::Stack& stack) {
  auto whole = layering::whole_operator(call);
  Pass pass;
  for (auto& each : whole.inputs) pass = ForwardPasses::join(pass, passes_.of(each));
  auto& row = ledger_.add(pass, name_of(whole, *pass), whole.kind_name);
  row.report->inputs = whole.inputs.size();
  recorder_.keep_gradient(call.op, stack, whole, row);
  row.report->rule = "indices";
}

// A linear layer or convolution of the model before anything that depends on an input.
bool Attachment::State::without_input(const OperatorCall& call, torch::jit::Stack& stack) {
  if (*has_input_) return false;
  auto patterns = layering::find_patterns(call.op.operator_name().name, call.op.operator_name().overload_name);
  if (patterns.empty() || patterns.front().parameters.empty()) return false;
  auto* kind = layering::kind_of(patterns.front(), call.arguments);
  auto& weight = call.arguments[patterns.front().parameters.front().first];
  if (!kind || !layering::is_linear(*kind) || !libtorch::is_tensor(weight)) return false;
  auto* name = names_->find(weight.toTensor());
  if (!name) return false;
  {
    at::NoGradGuard no_grad;
    at::AutoDispatchBelowADInplaceOrView below;
    call.op.callBoxed(stack);
  }
  auto module = libtorch::module_of(*name);
  torch::autograd::set_history(libtorch::output_of(call.op, stack).toTensor(),
                               c10::make_intrusive<attaching::NoInputNode>(
                                   has_input_, shown(module.empty() ? std::string(kind->name) : module, kind->name)));
  return true;
}

// --------------------------------------------------------------------------------------------------- modules as layers

bool Attachment::State::wants(const std::string& path, const std::string& class_name, std::size_t operators) {
  module_paths_.insert(path), module_classes_.insert(class_name);
  if (!active() || !at::GradMode::is_enabled()) return false;
  return attaching::selects_module(*rules_, path, class_name, operators) ||
         (operators > 1 && !layering::kind_of_class(class_name).empty());
}

std::vector<at::Tensor> Attachment::State::call(const libtorch::ModuleCall& module) {
  serving_ = shown(module.path, module.class_name);
  Pass pass;
  layering::Call found;
  for (auto& each : module.inputs) {
    auto of_input = passes_.of(each);
    pass = ForwardPasses::join(pass, of_input);
    found.inputs.push_back(each);
    found.gets_relevance.push_back(of_input != nullptr);
  }
  if (!pass) return module.run(module.inputs);
  settle_refusals();
  recent_.clear();
  product_.reset();
  *has_input_ = true;
  OverAfterFailure over_after_failure{pass};
  found.module = module.path;
  found.parameters = module.parameters;
  auto one = [run = module.run, shown = serving_](const layering::Tensors& inputs) {
    auto results = run(inputs);
    if (results.size() == 1) return results.front();
    throw Error({.code = Code::rule_does_not_fit,
                 .message = filled("{} gives {} tensors, so that it cannot be one layer", shown, results.size()),
                 .help = "give its parts entries instead: `any \"…*\"` with the module's name"});
  };
  auto operation =
      std::make_shared<layering::Operation>(*layering::module_operation(module.path, one, module.parameters));
  auto* own = language::find_kind(layering::kind_of_class(module.class_name));
  bool by_entry = attaching::selects_module(*rules_, module.path, module.class_name, 2);
  operation->kind = own ? own : language::find_kind("operator");
  found.kind_name = own && !by_entry ? own->name : std::string_view("module");
  found.operation = operation;
  auto& row = ledger_.add(pass, module.path, found.kind_name);
  auto call = recorder_.begin(row, found, rules_);
  call.choices = by_entry ? attaching::select_module(*rules_, module.path, module.class_name, row.number, pass->counts)
                          : attaching::select(*rules_, *operation->kind, module.path, row.number, pass->counts);
  if (call.choices.empty() && by_entry) {  // `first n` has taken others
    ledger_.take_back(row.number);
    return module.run(module.inputs);
  }
  if (call.choices.empty()) {  // it keeps its gradient
    libtorch::Pause pause;
    auto results = module.run(module.inputs);
    row.report->rule = "gradient";
    if (!results.empty()) row.report->shape = results.front().sizes().vec();
    return results;
  }
  return {recorder_.run_rule(row, std::move(call), found, pass, [&] {
    at::NoGradGuard no_grad;
    layering::Tensors plain, theta;
    for (auto& each : module.inputs) plain.push_back(each.detach());
    for (auto& [name, parameter] : module.parameters) theta.push_back(parameter);
    return operation->run(plain, theta).clone();
  })};
}

// ---------------------------------------------------------------------------------------------------------- what is
// known

std::vector<torch::autograd::Edge> Attachment::State::outputs_of(const std::string& layer) const {
  std::vector<torch::autograd::Edge> edges;
  for (auto& row : ledger_.rows())
    if (row.report->name == layer && row.output) edges.push_back(*row.output);
  return edges;
}

std::vector<torch::autograd::Edge> Attachment::State::lookups_of(const at::Tensor& indices) const {
  std::vector<torch::autograd::Edge> edges;
  for (auto& [seen, edge] : recorder_.lookups()) {
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

}  // namespace ascribe
