#include "interpreter/attach/attachment.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/graph_task.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <utility>

#include "grammar/filled_text.hpp"
#include "interpreter/attach/index_operators.hpp"
#include "interpreter/attach/no_input_node.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/layers/written_out.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/libtorch/module_scope.hpp"
#include "interpreter/libtorch/recurrent.hpp"

namespace ascribe {

using attaching::ForwardPasses;
using layering::Dependence;
using layering::OperatorCall;

namespace {

std::string shown_layer(const std::string& name, std::string_view kind) {
  return filled("layer '{}' ({})", name, kind);
}

// Layers whose inputs are not what they seem. Masks and indices, which have no parameters, may be made by transforms.
void refuse_strange_inputs(const OperatorCall& call) {
  if (call.patterns.empty()) return;
  auto& pattern = call.patterns.front();
  auto shown = [&] {
    return call.module.empty() ? filled("a layer ({})", pattern.kind) : shown_layer(call.module, pattern.kind);
  };
  for (auto place : pattern.inputs) {
    auto& argument = call.arguments[place];
    if (!libtorch::is_tensor(argument)) continue;
    auto& x = argument.toTensor();
    if (x.unsafeGetTensorImpl()->is_python_dispatch())
      throw Error({.code = Code::wrong_model,
                   .message = filled("{} is given a tensor without numbers, with which torch.export and torch.compile "
                                     "trace",
                                     shown()),
                   .help = "export or compile where no rules are attached"});
    if (!pattern.parameters.empty() && (libtorch::is_transformed(x) || x._fw_grad(/*level=*/0).defined()))
      throw Error(
          {.code = Code::wrong_model,
           .message = filled("{} is called by one of torch.func's transforms (grad, vmap, jvp), or with forward "
                             "derivatives, where no rule can follow",
                             shown()),
           .help = "call the model itself, and torch.autograd.grad; dimension 0 counts samples"});
  }
}

layering::Call call_of(layering::ComposedLayer composed, const std::string& module) {
  layering::Call out;
  out.kind_name = composed.operation.kind->name;
  out.operation = std::make_shared<layering::Operation>(std::move(composed.operation));
  out.inputs = {std::move(composed.input)};
  out.in_place = composed.in_place;
  out.gets_relevance = {true};
  out.parameters = std::move(composed.parameters);
  out.module = module;
  return out;
}

}  // namespace

Attachment::State::State(const Composite& rules, std::shared_ptr<const libtorch::ParameterNames> names,
                         attaching::Watch watch)
    : names_(std::move(names)),
      server_(std::make_shared<const language::BoundComposite>(Inside::bound(rules)), names_->parameters,
              std::move(watch), inactive_),
      modules_(*this, server_) {}

void Attachment::State::call(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack) {
  auto* supervisor = server_.recorder.watch().supervisor.get();
  serving_kind_.clear();
  struct Calling {  // operators that LibTorch makes of others come back
    explicit Calling(int& calls) : depth(++calls) {}
    ~Calling() { --depth; }
    int& depth;
  } calling(calls_);
  try {
    if (supervisor) supervisor->before_operator(server_.ledger.last());
    // Inside a backward pass, autograd's own `add` and `sum` are nobody's layer.
    if (torch::autograd::get_current_graph_task_id() != -1) return op.callBoxed(stack);
    if (!at::GradMode::is_enabled()) {
      note_without_gradients(op, stack);
      return op.callBoxed(stack);
    }
    try {
      server_.samples.wanted() ? follow_samples(op, keys, stack) : intercept(op, keys, stack);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& failure) {  // the layer's own operator cannot take what it is given
      if (serving_kind_.empty()) {  // given nothing that relevance could go to, it was not taken for a layer yet
        auto patterns = layering::find_patterns(op.operator_name().name, op.operator_name().overload_name);
        if (patterns.empty() || patterns.front().kind.empty()) throw;
        auto& module = libtorch::current_module();
        serving_name_ = module;
        serving_kind_ = patterns.front().kind;
      }
      throw Error(libtorch::describe(failure, serving(), Code::model_failed, "cannot run",
                                     "give it the shape and type that it was made for"));
    }
  } catch (const Error& error) {
    libtorch::last_error() = std::current_exception();
    if (supervisor && calls_ == 1) supervisor->leaving_operator(error);
    throw;
  }
  if (!supervisor || server_.ledger.size() == 0) return;
  try {
    supervisor->called(*server_.ledger.last(), server_.ledger.size());
  } catch (...) {
    libtorch::last_error() = std::current_exception();
    throw;
  }
}

void Attachment::State::note_without_gradients(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  if (!without_gradients_.empty() || calls_ > 1) return;
  auto patterns = layering::find_patterns(op.operator_name().name, op.operator_name().overload_name);
  if (patterns.empty() || patterns.front().kind.empty()) return;
  bool depends = false;
  for (auto& argument : libtorch::arguments_of(op, stack))
    libtorch::for_each_tensor(argument,
                              [&](const at::Tensor& each) { depends = depends || server_.passes.of(each) != nullptr; });
  if (!depends) return;
  auto& module = libtorch::current_module();
  without_gradients_ =
      module.empty() ? filled("a layer ({})", patterns.front().kind) : shown_layer(module, patterns.front().kind);
}

std::string Attachment::State::serving() const {
  return serving_name_.empty() ? filled("a layer ({})", serving_kind_) : shown_layer(serving_name_, serving_kind_);
}

OperatorCall Attachment::State::describe(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments,
                                         Pass& pass) {
  auto dependence = [this, &pass](const at::Tensor& tensor) {
    if (names_->find(tensor)) return Dependence::none;
    auto found = server_.passes.of(tensor);
    if (!found) return Dependence::none;
    pass = ForwardPasses::join(pass, found);
    return libtorch::is_leaf_or_view_of_one(tensor) ? Dependence::leaf : Dependence::input;
  };
  return {op,
          arguments,
          layering::find_patterns(op.operator_name().name, op.operator_name().overload_name),
          dependence,
          *names_,
          libtorch::current_module(),
          server_.recorder.watch().has_input};
}

void Attachment::State::follow_samples(const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                                       torch::jit::Stack& stack) {
  auto arguments = libtorch::arguments_of(op, stack);
  Pass pass;
  bool moves = layering::moves_indices(describe(op, arguments, pass));
  attaching::Samples::Calling calling(server_.samples, &op, moves, std::move(arguments));
  intercept(op, keys, stack);
  std::vector<at::Tensor> results;
  for (auto i = stack.size() - op.schema().returns().size(); i < stack.size(); ++i)
    libtorch::for_each_tensor(stack[i], [&](const at::Tensor& each) { results.push_back(each); });
  calling.returned(results);
}

void Attachment::State::intercept(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack) {
  Pass pass;
  serve(op, keys, stack, pass);
  if (!pass) return;
  for (auto i = stack.size() - op.schema().returns().size(); i < stack.size(); ++i)
    libtorch::for_each_tensor(stack[i], [&](const at::Tensor& each) { server_.passes.note(each, pass); });
}

void Attachment::State::serve(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack,
                              Pass& pass) {
  auto arguments = libtorch::arguments_of(op, stack);
  auto call = describe(op, arguments, pass);
  refuse_strange_inputs(call);
  // What is no operator of layers (the marks of modules in TorchScript) comes between nothing.
  bool known = !call.patterns.empty();
  auto product = known ? std::exchange(product_, std::nullopt) : std::nullopt;
  std::optional<layering::Call> found;
  if (product && (found = layering::with_product(call, product->call, product->output))) {
    pass = product->pass;
    if (product->keeps_gradient && found->operation->kind == product->call.operation->kind) {  // then so does the whole
      (stack.end() - static_cast<std::ptrdiff_t>(arguments.size()))[1] = arguments[1].toTensor().detach();
      return op.callBoxed(stack);
    }
    server_.take_back({product->row});
  } else if (auto composed = server_.recent.completed_by(op, arguments);
             composed && (pass = server_.passes.of(composed->input))) {  // of a constant, it is none
    server_.take_back(composed->parts);
    found = call_of(std::move(*composed), call.module);
  } else if (auto recognized = layering::recognize(call)) {
    if (recognized->pattern->form == layering::Pattern::Form::lookup)
      pass = server_.passes.of_source(arguments[recognized->pattern->inputs[0]].toTensor());
    auto kind = recognized->call ? recognized->call->kind_name : recognized->pattern->kind;
    if (recognized->pattern->training >= 0) {
      auto module = recognized->call ? recognized->call->module : call.module;
      attaching::OverAfterFailure over_after_failure{pass};
      layering::refuse_training_mode(*recognized->pattern, op, arguments,
                                     module.empty() ? attaching::Ledger::numbered(*pass, kind) : module);
    }
    if (!recognized->call) return op.callBoxed(stack);  // dropout
    found = std::move(recognized->call);
  }
  if (!found) return other_operator(call, keys, stack, pass);
  bool part = layering::may_be_part(op.operator_name().name);
  server_.begin_layer(part);
  serving_name_ = attaching::name_of(*found, *pass);
  serving_kind_ = found->kind_name;
  attaching::OverAfterFailure over_after_failure{pass};
  if (auto rank = found->inputs[0].dim(); rank < found->operation->kind->sample_rank)
    throw Error({.code = Code::no_batch,
                 .message = filled("{}: its input has {} dimensions, without a batch", serving(), rank),
                 .help = "give the model a batch: dimension 0 counts samples (unsqueeze(0))"});
  auto served = server_.serve(op, stack, *found, pass);
  auto output = libtorch::output_of(op, stack).toTensor();
  if (part && !found->in_place) server_.recent.add(op, std::move(arguments), output, served.row);
  if (found->bias_follows || found->bias_may_follow || found->sum_may_follow)
    note_product(*found, pass, served, output);
}

void Attachment::State::note_product(const layering::Call& call, const Pass& pass,
                                     attaching::LayerServer::Served served, const at::Tensor& output) {
  // What a rule replaced already is no part of anything.
  auto* node = attaching::RuleNode::of(output.grad_fn().get());
  bool replaced = node && node->call().rule && node->call().rule->rule->forward;
  if (call.bias_follows || !replaced)
    product_.emplace(Product{call, libtorch::Made(output), served.row, pass, !served.by_rule});
}

// ------------------------------------------------------------------------------------------------ no layer's operator

void Attachment::State::other_operator(const OperatorCall& call, c10::DispatchKeySet keys, torch::jit::Stack& stack,
                                       const Pass& known) {
  auto& op = call.op;
  auto& name = op.operator_name().name;
  auto pass = known;
  auto note = [&](std::uint64_t row) {
    // What was written into is not what it was.
    if (!layering::may_be_part(name) || libtorch::writes_in_place(name) || op.schema().returns().size() != 1) return;
    auto& output = libtorch::output_of(op, stack);
    if (libtorch::is_tensor(output)) server_.recent.add(op, call.arguments, output.toTensor(), row);
  };
  if (attaching::leave_no_input_node(call, stack, server_.has_input, server_.recorder.watch().supervisor)) return;
  if (layering::moves_indices(call)) {
    note(attaching::run_index_operator(call, stack, server_));
    if (!product_ || op.schema().returns().size() != 1) return;
    auto result = libtorch::output_of(op, stack);
    auto viewed = libtorch::is_tensor(result)
                      ? layering::with_view(call, product_->call, product_->output, result.toTensor())
                      : std::nullopt;
    if (!viewed) return;
    product_->call = std::move(*viewed);
    product_->output = libtorch::Made(result.toTensor());
    return;
  }
  auto whole = layering::whole_operator(call);
  if (server_.recorder.watch().has_input || !whole.inputs.empty())
    layering::refuse_random_numbers(op, call.arguments,
                                    whole.module.empty() ? std::string(whole.kind_name) : whole.module);
  if (whole.inputs.empty()) {
    op.callBoxed(stack);
    return note(0);
  }
  for (auto& each : whole.inputs) pass = ForwardPasses::join(pass, server_.passes.of(each));
  auto layer = attaching::name_of(whole, *pass);
  serving_name_ = layer;
  serving_kind_ = whole.kind_name;
  if (layering::lacks_derivative(name))
    throw Error(
        {.code = Code::wrong_model,
         .message = filled(
             "{} is one of PyTorch's fast paths, or works on samples of different lengths: these have no derivative",
             serving()),
         .help = "trace it with gradients, or export it"});
  libtorch::check_recurrent(op, stack, layer);
  if (server_.takes_apart && op.operator_name().overload_name == "data" &&
      layering::find_written_out(name, "input", /*products=*/true))
    throw Error(
        {.code = Code::wrong_model,
         .message = filled("{} is given a packed sequence, which cannot be taken apart step by step", serving()),
         .help = "give it a padded batch, or one sample at a time"});
  if (auto* parts = layering::find_written_out(name, op.operator_name().overload_name, server_.takes_apart)) {
    libtorch::Opening opening;
    auto results = parts(libtorch::arguments_of(op, stack));
    if (libtorch::writes_in_place(name)) results = {call.arguments[0].toTensor().copy_(results.at(0))};
    torch::jit::drop(stack, call.arguments.size());
    for (auto& each : results) stack.emplace_back(std::move(each));
    return;
  }
  // What LibTorch makes of other operators are these.
  if (op.hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd) && !layering::stays_whole(name))
    return libtorch::open(op, keys, stack);
  if (layering::gives_no_values(name)) {
    op.callBoxed(stack);
    return note(0);
  }
  bool part = layering::may_be_part(name);
  server_.begin_layer(part);
  attaching::OverAfterFailure over_after_failure{pass};
  auto [row, served] = server_.serve(op, stack, whole, pass);
  note(row);
  if (served || op.schema().returns().empty()) return;
  bool floats = false, differentiable = false;
  libtorch::for_each_tensor(libtorch::output_of(op, stack), [&](const at::Tensor& each) {
    floats = floats || each.is_floating_point() || each.is_quantized();
    // Where LibTorch knows no derivative, it has a node that says so, or warns and hands nothing on.
    auto* node = each.grad_fn().get();
    differentiable = differentiable || (node && node->name().find("NotImplemented") == std::string::npos);
  });
  if (differentiable) return;
  server_.take_back({row});
  if (floats)
    throw Error({.code = Code::wrong_model,
                 .message = filled("{} has no derivative: no relevance goes through it", serving()),
                 .help = "explain the model before it was quantised, or from this layer on"});
}

// ------------------------------------------------------------------------------------------------------ what is known

std::vector<torch::autograd::Edge> Attachment::State::outputs_of(const std::string& layer) const {
  std::vector<torch::autograd::Edge> edges;
  for (auto& row : server_.ledger.rows())
    if (row.report->name == layer && row.output) edges.push_back(*row.output);
  return edges;
}

std::vector<std::pair<std::size_t, torch::autograd::Edge>> Attachment::State::embeddings() const {
  std::vector<std::pair<std::size_t, torch::autograd::Edge>> out;
  std::size_t number = 0;
  for (auto& row : server_.ledger.rows()) {
    if (row.report->kind == "embedding" && row.output) out.emplace_back(number, *row.output);
    ++number;
  }
  return out;
}

std::optional<std::size_t> Attachment::State::row_of(const at::Tensor& tensor) const {
  auto edge = torch::autograd::impl::gradient_edge(tensor);
  std::size_t number = 0;
  for (auto& row : server_.ledger.rows()) {
    if (row.output && row.output->function == edge.function && row.output->input_nr == edge.input_nr) return number;
    ++number;
  }
  return {};
}

void Attachment::State::explains(const at::Tensor& output) {
  (void)server_.passes.of(output);  // a function may have made it
  explained_row_ = row_of(output);
}

std::vector<Diagnostic> Attachment::State::warnings(const Report& report, attaching::Finite finite) const {
  return attaching::warnings_of({.report = report,
                                 .rules = *server_.rules,
                                 .paths = modules_.paths(),
                                 .classes = modules_.classes(),
                                 .own_derivatives = server_.passes.own_derivatives(),
                                 .last = explained_row_,
                                 .finite = finite});
}

}  // namespace ascribe
