#include "ascribe/attribute.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>

#include "ascribe/host_model.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/glob.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/attach/attachment.hpp"
#include "interpreter/attribute/integer_inputs.hpp"
#include "interpreter/attribute/target.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/libtorch/dispatch.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/libtorch/operator_call.hpp"
#include "interpreter/libtorch/quiet.hpp"
#include "interpreter/model/model_state.hpp"

namespace ascribe {
namespace {

using Edges = std::vector<torch::autograd::Edge>;
using attributing::IntegerInputs;

// What the model is given in place of a single input of integers that it looks up nowhere.
enum class Integers { as_they_are, as_floating, until_they_turn_floating };

// The inputs as the model takes them.
struct Inputs {
  std::vector<at::Tensor> tensors;
  std::vector<at::Tensor> leaves;  // where relevance arrives; undefined for integers
};

// The model's own; a model without weights takes whatever comes.
at::ScalarType floating_type(const at::TensorOptions& model, const at::Tensor& input) {
  if (!model.has_dtype() && input.is_floating_point()) return input.scalar_type();
  return c10::typeMetaToScalarType(model.dtype());
}

Inputs prepared(const model::Program& program, const std::vector<at::Tensor>& given, Integers integers,
                bool keeps_history) {
  Inputs out;
  auto options = program.options();
  for (std::size_t i = 0; i < given.size(); ++i) {
    auto& input = given[i];
    if (!input.defined() || input.layout() != at::kStrided || input.is_complex() ||
        (given.size() == 1 && input.dim() == 0))
      throw Error({.code = Code::wrong_input,
                   .message = given.size() == 1
                                  ? std::string("the input is no dense tensor of real numbers with a batch")
                                  : filled("input {} is no dense tensor of real numbers", i),
                   .help = "dimension 0 counts samples"});
    auto declared = program.declared_type(i);
    bool stays = !input.is_floating_point() && integers != Integers::as_floating;
    auto type = stays                           ? declared.value_or(input.scalar_type())
                : !declared                     ? floating_type(options, input)
                : at::isFloatingType(*declared) ? *declared
                                                : input.scalar_type();  // the program refuses it, by its own name
    bool continues = keeps_history && input.requires_grad();
    auto x = (continues ? input : input.detach()).to(options.dtype(type), /*non_blocking=*/false, /*copy=*/true);
    bool floating = at::isFloatingType(type);
    out.leaves.push_back(!floating ? at::Tensor() : continues ? x : x.requires_grad_());
    out.tensors.push_back(floating ? x.clone() : x);  // a model may write into its input
  }
  bool floats = std::any_of(out.leaves.begin(), out.leaves.end(), [](auto& leaf) { return leaf.defined(); });
  if (!floats && given.size() != 1 && !program.looks_up_integers())
    throw Error(
        {.code = Code::wrong_input,
         .message = filled("none of the {} inputs is of a floating type, so that none can get relevance", given.size()),
         .help = "give the input that shall get relevance as floating numbers"});
  return out;
}

// Runs a model as it is, whatever is attached on this thread. It can be stopped.
class Plain : public libtorch::Interceptor {
 public:
  explicit Plain(std::shared_ptr<attaching::Supervisor> supervisor) : supervisor_(std::move(supervisor)) {}
  void call(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack& stack) override {
    if (supervisor_) try {
        supervisor_->before_operator(nullptr);
      } catch (const Error&) {
        libtorch::last_error() = std::current_exception();
        throw;
      }
    auto name = libtorch::base_name(op.operator_name().name);
    if (name.starts_with("floor_divide") || op.operator_name().overload_name.ends_with("_mode"))
      for (auto& argument : libtorch::arguments_of(op, stack))
        rounds_ = rounds_ || (libtorch::is_tensor(argument) && !argument.toTensor().is_floating_point());
    op.callBoxed(stack);
  }
  /// Whether integers were divided and rounded: of floating numbers, that has no gradient.
  bool rounds() const { return rounds_; }

 private:
  bool rounds_ = false;
  std::shared_ptr<attaching::Supervisor> supervisor_;
};

// The model's outputs, empty where it fails.
std::vector<at::Tensor> plain_run(const Model& model, const std::vector<at::Tensor>& inputs, Integers integers,
                                  const std::shared_ptr<Plain>& watching) {
  at::NoGradGuard no_grad;
  libtorch::Serving plain(watching);
  try {
    return model.run(prepared(*Inside::state(model).program, inputs, integers, /*keeps_history=*/false).tensors);
  } catch (const Error& error) {
    auto code = error.diagnostics().front().code;
    if (code != Code::model_failed && code != Code::wrong_input) throw;
    return {};
  }
}

// Integers are converted where the model computes the same with floating numbers, and where it takes nothing else: then
// every layer that they meet gets its rule. `output`: the one that matters, of all there are if none.
Integers way_of(const Model& model, const std::vector<at::Tensor>& inputs, const std::optional<std::size_t>& output,
                const std::shared_ptr<attaching::Supervisor>& supervisor) {
  auto& program = *Inside::state(model).program;
  if (inputs.size() != 1 || !inputs[0].defined() || inputs[0].is_floating_point() || program.looks_up_integers())
    return Integers::as_they_are;
  if (auto declared = program.declared_type(0))
    return at::isFloatingType(*declared) ? Integers::as_floating : Integers::until_they_turn_floating;
  auto watching = std::make_shared<Plain>(supervisor);
  auto whole = plain_run(model, inputs, Integers::as_they_are, watching);
  if (whole.empty()) return Integers::as_floating;
  if (watching->rounds()) return Integers::until_they_turn_floating;
  auto floating = plain_run(model, inputs, Integers::as_floating, watching);
  bool same = floating.size() == whole.size();
  for (std::size_t i = 0; same && i < whole.size(); ++i)
    same = (output && *output != i) || attributing::agree(whole[i], floating[i]);
  return same ? Integers::as_floating : Integers::until_they_turn_floating;
}

// A forward pass with rules attached.
struct Forward {
  Inputs given;
  std::shared_ptr<Attachment::State> state{};
  std::shared_ptr<IntegerInputs> integers{};  // null where none of the inputs is of integers that get relevance
  bool turns_floating = false;
  std::vector<at::Tensor> outputs{};
};

Forward forward(const Model& model, const Composite& rules, const std::vector<at::Tensor>& inputs,
                const std::optional<std::size_t>& output, bool keeps_history, attaching::Watch watch) {
  auto way = way_of(model, inputs, output, watch.supervisor);
  Forward out{.given = prepared(*Inside::state(model).program, inputs, way, keeps_history)};
  if (watch.supervisor) watch.supervisor->before_operator(nullptr);
  watch.has_input = true;
  // Nobody else has a saved model's parameters.
  watch.parameters = Inside::state(model).program->host() ? libtorch::Written::anyhow : libtorch::Written::noticeably;
  out.state = attaching::make_state(rules, Inside::state(model).names, watch);
  out.state->begin(out.given.tensors);
  out.turns_floating = way == Integers::until_they_turn_floating;
  bool whole =
      std::any_of(out.given.leaves.begin(), out.given.leaves.end(), [](auto& leaf) { return !leaf.defined(); });
  if (out.turns_floating || (whole && Inside::state(model).program->looks_up_integers()))
    out.integers = std::make_shared<IntegerInputs>(
        out.state, out.given.tensors, Inside::state(model).names->parameters,
        out.turns_floating ? IntegerInputs::Arrival::where_they_turn_floating : IntegerInputs::Arrival::at_embeddings);
  std::shared_ptr<libtorch::Interceptor> serving = out.state;
  if (out.integers) serving = out.integers;
  libtorch::Serving attached(std::move(serving));  // also within a callback, where the mode is off
  libtorch::Observing modules(out.state->modules());
  out.outputs = model.run(out.given.tensors);
  out.state->settle_refusals();
  out.state->tell_behind_stops(out.outputs);
  return out;
}

Edges outputs_of(const Attachment::State& attachment, const std::string& layer) {
  auto edges = attachment.outputs_of(layer);
  if (!edges.empty()) return edges;
  std::vector<std::string> names;
  for (auto& row : attachment.report()) names.push_back(row.name);
  throw Error({.code = Code::unknown_layer,
               .message = filled("the model has no layer '{}'", layer),
               .help = did_you_mean(layer, names, "`ascribe layers` lists them")});
}

// Globs, by the layers that they are for, in order of execution.
std::vector<std::string> names_of(const std::vector<std::string>& layers, const Attachment::State& attachment) {
  std::vector<std::string> out;
  auto add = [&](const std::string& name) {
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  };
  for (auto& layer : layers) {
    if (layer.find_first_of("*?[") == std::string::npos) {
      add(layer);
      continue;
    }
    auto before = out.size();
    for (auto& row : attachment.report())
      if (matches_glob(layer, row.name) && !attachment.outputs_of(row.name).empty()) add(row.name);
    if (out.size() == before)
      throw Error({.code = Code::unknown_layer,
                   .message = filled("no layer of the model is called '{}'", layer),
                   .help = "`ascribe layers` lists them"});
  }
  return out;
}

Error no_dependence(std::size_t inputs, const Attachment::State& attachment) {
  auto report = attachment.report();
  auto stopped = std::find_if(report.begin(), report.end(), [](auto& row) { return row.rule == "stop"; });
  if (stopped != report.end())
    return Error(
        {.code = Code::wrong_model,
         .message = filled("no relevance reaches the input: stops such as that of layer '{}' ({}) cut every path",
                           stopped->name, stopped->kind),
         .help = "give it a rule instead of `stop`"});
  if (auto& layer = attachment.without_gradients(); !layer.empty())
    return Error(
        {.code = Code::wrong_model,
         .message = filled("no relevance reaches the input: the model computes {} where it disables gradients", layer),
         .help = "take `torch.no_grad()` out of its forward"});
  return Error({.code = Code::wrong_model,
                .message = filled("the model's output does not depend on its input{}", inputs == 1 ? "" : "s"),
                .help = "let the model compute with its input"});
}

void refuse_inference_mode() {
  if (c10::InferenceMode::is_enabled())
    throw Error({.code = Code::gradient_disabled,
                 .message = "relevance needs gradients, which InferenceMode disables",
                 .help = "call it outside of InferenceMode"});
}

void check_options(const AttributeOptions& options, const std::vector<at::Tensor>& inputs) {
  if (options.create_graph &&
      std::none_of(inputs.begin(), inputs.end(), [](auto& x) { return x.defined() && x.requires_grad(); }))
    throw Error({.code = Code::wrong_input,
                 .message = "no input requires a gradient, so that relevance could have one",
                 .help = "call x.requires_grad_() first"});
  if (!options.to_input && options.layers.empty())
    throw Error({.code = Code::wrong_input,
                 .message = "relevance is to stop at layers, but none is named",
                 .help = "name them in `layers`"});
}

// Where relevance arrives: at the floating inputs, then wherever integers lead.
Edges ends(const Forward& ran) {
  Edges out;
  for (auto& leaf : ran.given.leaves)
    if (leaf.defined()) out.push_back(torch::autograd::impl::gradient_edge(leaf));
  auto of_integers = ran.integers ? ran.integers->edges() : Edges();
  out.insert(out.end(), of_integers.begin(), of_integers.end());
  if (out.empty())
    throw Error({.code = Code::wrong_input,
                 .message = "no input can get relevance: they are integers, and nothing that is looked up by one of "
                            "them leads back to it",
                 .help = "ask for relevance at a layer, or explain the model from its embedding on"});
  return out;
}

// What has arrived at the ends, as the inputs' relevance.
void bring_back(const std::vector<at::Tensor>& arrived, const Forward& ran, const std::vector<at::Tensor>& inputs,
                const AttributeOptions& options, Attribution& out) {
  auto next = arrived.begin();
  std::vector<at::Tensor> found;
  for (auto& leaf : ran.given.leaves) found.push_back(leaf.defined() ? *next++ : at::Tensor());
  std::vector<IntegerInputs::Found> of_integers(inputs.size());
  if (ran.integers)
    of_integers = ran.integers->relevances({next, arrived.end()}, options.sum_embeddings || ran.turns_floating);
  bool in_parts = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto& relevance = found[i].defined() ? found[i] : of_integers[i].relevance;
    in_parts = in_parts || (!of_integers[i].relevance.defined() && of_integers[i].arrived);
    if (!relevance.defined()) continue;
    out.relevances[i] = relevance.to(at::promote_types(inputs[i].scalar_type(), relevance.scalar_type()));
  }
  for (bool whole : {true, false})
    for (std::size_t i = 0; i < inputs.size() && !out.relevance.defined(); ++i)
      if (of_integers[i].whole == whole) out.relevance = out.relevances[i];
  if (out.relevance.defined()) return;
  if (in_parts)
    throw Error({.code = Code::wrong_input,
                 .message = "several embeddings look the integer input up, or parts of it, each with relevance of its "
                            "own",
                 .help = "sum them (sum_embeddings), or ask for them as layers"});
  throw no_dependence(inputs.size(), *ran.state);
}

attaching::Finite finite(const Attribution& found, const std::vector<at::Tensor>& inputs) {
  auto all = [](const std::vector<at::Tensor>& tensors) {
    return std::all_of(tensors.begin(), tensors.end(),
                       [](auto& each) { return !each.defined() || each.isfinite().all().template item<bool>(); });
  };
  if (all(found.relevances) &&
      std::all_of(found.layers.begin(), found.layers.end(), [&](auto& each) { return all(each.second); }))
    return attaching::Finite::all;
  return all(inputs) ? attaching::Finite::input : attaching::Finite::nothing;
}

Attribution attribution(const Model& model, const Composite& rules, const std::vector<at::Tensor>& inputs,
                        const Target& target, const AttributeOptions& options,
                        const std::shared_ptr<attaching::Supervisor>& supervisor) {
  check_options(options, inputs);
  auto ran = forward(model, rules, inputs, target.output(), options.create_graph,
                     {.sums = options.sums,
                      .outputs = true,
                      .profile = options.profile,
                      .only_relevance = !options.create_graph,
                      .supervisor = supervisor});
  auto& state = ran.state;
  auto y = attributing::chosen_output(ran.outputs, target);
  if (auto another = attaching::no_layer_matched(state->report(), Inside::bound(rules)))
    throw Error(std::move(*another));
  Attribution out;
  out.output = y.detach().clone();
  auto layout = attributing::layout_of(y.sizes(), inputs);
  out.sample_dimension = layout.samples;
  if (!y.requires_grad()) throw no_dependence(inputs.size(), *state);
  auto start = attributing::start(options.create_graph ? y : out.output, target, layout);
  out.start = start.detach();

  state->explains(y);
  if (supervisor) supervisor->begin_backward(state->report().size());

  // One backward pass for all that is asked.
  std::vector<Edges> of_layers;
  auto layers = names_of(options.layers, *state);
  for (auto& layer : layers) of_layers.push_back(outputs_of(*state, layer));
  Edges wanted;
  for (auto& group : of_layers) wanted.insert(wanted.end(), group.begin(), group.end());
  if (options.to_input) {
    auto of_inputs = ends(ran);
    wanted.insert(wanted.end(), of_inputs.begin(), of_inputs.end());
  }
  // Numbers of a floating input that are looked up lead to no place of it: what ends there is told.
  auto embeddings = options.sums && !ran.integers ? state->embeddings() : decltype(state->embeddings())();
  for (auto& [row, edge] : embeddings) wanted.push_back(edge);
  auto found = torch::autograd::Engine::get_default_engine().execute(
      {torch::autograd::impl::gradient_edge(y)}, {start},
      /*keep_graph=*/options.create_graph, options.create_graph, /*accumulate_grad=*/false, wanted);
  if (options.create_graph) ++*state->inactive();  // a second pass is for the layers' own gradients

  auto finished = [&](const at::Tensor& each) {
    return each.defined() && !options.create_graph ? each.detach() : each;
  };
  auto next = found.begin();
  for (std::size_t i = 0; i < of_layers.size(); ++i) {
    auto& calls = out.layers[layers[i]];
    for (std::size_t call = 0; call < of_layers[i].size(); ++call) calls.push_back(finished(*next++));
  }
  out.relevances.resize(inputs.size());
  auto of_embeddings = found.end() - static_cast<std::ptrdiff_t>(embeddings.size());
  if (options.to_input) bring_back({next, of_embeddings}, ran, inputs, options, out);
  for (auto& each : out.relevances) each = finished(each);
  out.relevance = finished(out.relevance);
  out.report = state->report();
  for (auto& [row, edge] : embeddings)
    if (auto& arrived = *of_embeddings++; arrived.defined() && !out.report[row].above) {
      out.report[row].above = evaluate::total(arrived);
      out.report[row].below = 0;
    }
  out.warnings = state->warnings(out.report, finite(out, inputs));
  return out;
}

}  // namespace

Attribution attribute(const Model& model, const Composite& rules, const at::Tensor& input, const Target& target,
                      const AttributeOptions& options) {
  return attribute(model, rules, std::vector<at::Tensor>{input}, target, options);
}

Attribution attribute(const Model& model, const Composite& rules, const std::vector<at::Tensor>& inputs,
                      const Target& target, const AttributeOptions& options) {
  refuse_inference_mode();
  libtorch::Quiet quiet;
  at::AutoGradMode record(true);
  attaching::HostCallbacks callbacks{.runs_backward = false};
  if (auto* host = Inside::state(model).program->host()) callbacks = {host->check, host->translate, false};
  auto supervisor = attaching::make_supervisor(options.stop, options.progress, std::move(callbacks));
  try {
    return attribution(model, rules, inputs, target, options, supervisor);
  } catch (const std::exception& failure) {
    if (auto own = supervisor ? supervisor->thrown() : nullptr) std::rethrow_exception(own);
    if (dynamic_cast<const Error*>(&failure)) throw;
    throw Error(libtorch::describe(failure, "the attribution", Code::model_failed, "failed"));
  }
}

Report layers(const Model& model, const Composite& rules, const std::vector<at::Tensor>& inputs) {
  refuse_inference_mode();
  libtorch::Quiet quiet;
  at::AutoGradMode record(true);
  try {
    return forward(model, rules, inputs, {}, /*keeps_history=*/false, {}).state->report();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw Error(libtorch::describe(failure, "the model", Code::model_failed, "failed"));
  }
}

Report layers(const Model& model, const std::vector<at::Tensor>& inputs) {
  static const auto none = Inside::make<Composite>(std::make_shared<const language::BoundComposite>());
  return layers(model, none, inputs);
}

}  // namespace ascribe
