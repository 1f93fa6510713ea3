#include "ascribe/attribute.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/attach/attachment.hpp"
#include "interpreter/attribute/target.hpp"
#include "interpreter/attribute/warnings.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/libtorch/dispatch.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/model/model_state.hpp"

namespace ascribe {
namespace {

using Edges = std::vector<torch::autograd::Edge>;

// The inputs as the model takes them.
struct Inputs {
  std::vector<at::Tensor> tensors;
  std::vector<at::Tensor> leaves;  // where relevance arrives; undefined for integers
};

Inputs prepared(const model::Program& program, const std::vector<at::Tensor>& given, bool keeps_history) {
  Inputs out;
  auto options = program.options();
  for (std::size_t i = 0; i < given.size(); ++i) {
    auto& input = given[i];
    if (!input.defined() || input.layout() != at::kStrided || input.is_complex() ||
        (given.size() == 1 && input.dim() == 0))
      throw Error({.code = Code::wrong_input,
                   .message = given.size() == 1 ? std::string("the input is no dense tensor with a batch")
                                                : filled("input {} is no dense tensor", i),
                   .help = "dimension 0 counts samples"});
    auto declared = program.declared_type(i);
    bool stays = !input.is_floating_point() &&
                 (given.size() > 1 || program.looks_up_integers() || (declared && !at::isFloatingType(*declared)));
    auto type = stays                                       ? declared.value_or(input.scalar_type())
                : declared && at::isFloatingType(*declared) ? *declared
                                                            : c10::typeMetaToScalarType(options.dtype());
    bool continues = keeps_history && input.requires_grad();
    auto x = (continues ? input : input.detach()).to(options.dtype(type), /*non_blocking=*/false, /*copy=*/true);
    bool floating = at::isFloatingType(type);
    out.leaves.push_back(!floating ? at::Tensor() : continues ? x : x.requires_grad_());
    out.tensors.push_back(floating ? x.clone() : x);  // a model may write into its input
  }
  bool floats = std::any_of(out.leaves.begin(), out.leaves.end(), [](auto& leaf) { return leaf.defined(); });
  if (!floats && !program.looks_up_integers())
    throw Error(
        {.code = Code::wrong_input,
         .message = filled("none of the {} inputs is of a floating type, so that none can get relevance", given.size()),
         .help = "give the input that shall get relevance as floating numbers"});
  return out;
}

// An entry for layers of a kind, as it may be written.
std::string entry_for(const std::string& reported) {
  auto* kind = language::find_kind(reported);
  if (!kind) return "operator => gradient";
  if (kind->group == "activation") return "activation => pass";
  if (kind->name == "linear" || kind->group == "convolution") return filled("{} => epsilon", kind->group);
  return kind->parameters.empty() || kind->parameters.front() == "coefficient" ? filled("{} => norm", kind->group)
                                                                               : filled("{} => gradient", kind->group);
}

// A composite that is for no layer of the model is for another model.
void check_entries(const Report& report, const Composite& rules) {
  std::vector<std::string> kinds;
  for (auto& row : report) {
    if (!row.entry.empty()) return;
    if (std::find(kinds.begin(), kinds.end(), row.kind) == kinds.end()) kinds.push_back(row.kind);
  }
  if (report.empty()) return;  // a model without layers is what it is
  throw Error({.code = Code::no_layer_matched,
               .message = filled("no layer of the model has an entry in `{}`", rules.description()),
               .note = filled("the model's layers are {}", fmt::join(kinds, ", ")),
               .help = filled("add an entry for one of them: `{}`", entry_for(kinds.front()))});
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

// Where relevance arrives for each input: at the input itself, or at the embeddings that look it up.
std::vector<Edges> ends(const Inputs& inputs, const Attachment::State& attachment) {
  std::vector<Edges> out;
  for (std::size_t i = 0; i < inputs.tensors.size(); ++i)
    out.push_back(inputs.leaves[i].defined() ? Edges{torch::autograd::impl::gradient_edge(inputs.leaves[i])}
                                             : attachment.lookups_of(inputs.tensors[i]));
  if (std::all_of(out.begin(), out.end(), [](auto& each) { return each.empty(); }))
    throw Error({.code = Code::wrong_input,
                 .message = "no input can get relevance: they are integers, and no embedding looks one up as it is",
                 .help = "ask for relevance at a layer, or save the model from its embedding on"});
  return out;
}

// The relevance of an input that embeddings look up.
at::Tensor of_embeddings(const std::vector<at::Tensor>& found, bool sum) {
  at::Tensor out;
  for (auto each : found) {
    if (!each.defined()) continue;
    if (sum) each = each.sum(-1);
    if (out.defined() && !sum)
      throw Error({.code = Code::wrong_input,
                   .message = "several embeddings look the integer input up, each with relevance of its own",
                   .help = "sum them (sum_embeddings), or ask for them as layers"});
    out = out.defined() ? out + each : each;
  }
  return out;
}

Error no_dependence(std::size_t inputs) {
  return Error({.code = Code::wrong_model,
                .message = filled("the model's output does not depend on its input{}", inputs == 1 ? "" : "s"),
                .help = "save a model that computes with its input"});
}

std::shared_ptr<Attachment::State> attachment_to(const Model& model, const Composite& rules, attaching::Watch watch) {
  watch.has_input = true;
  return attaching::make_state(rules, model.state().names, watch);
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

Attribution attribution(const Model& model, const Composite& rules, const std::vector<at::Tensor>& inputs,
                        const Target& target, const AttributeOptions& options,
                        const std::shared_ptr<attaching::Supervisor>& supervisor) {
  check_options(options, inputs);
  auto given = prepared(*model.state().program, inputs, options.create_graph);
  if (supervisor) supervisor->before_operator(nullptr);
  auto state = attachment_to(model, rules, {.sums = options.sums, .outputs = true, .supervisor = supervisor});
  Attribution out;
  at::Tensor y;
  {
    libtorch::Serving attached(state);  // also within a callback, where the mode is off
    libtorch::Observing modules(state->modules());
    y = attributing::chosen_output(model.run(given.tensors), target);
  }
  state->settle_refusals();
  check_entries(state->report(), rules);
  out.output = y.detach().clone();
  if (!y.requires_grad()) throw no_dependence(inputs.size());

  if (supervisor) supervisor->begin_backward(state->report().size());

  // One backward pass for all that is asked.
  std::vector<Edges> of_layers, of_inputs;
  for (auto& layer : options.layers) of_layers.push_back(outputs_of(*state, layer));
  if (options.to_input) of_inputs = ends(given, *state);
  Edges wanted;
  for (auto* groups : {&of_layers, &of_inputs})
    for (auto& group : *groups) wanted.insert(wanted.end(), group.begin(), group.end());
  auto found = torch::autograd::Engine::get_default_engine().execute(
      {torch::autograd::impl::gradient_edge(y)}, {attributing::start(options.create_graph ? y : out.output, target)},
      /*keep_graph=*/options.create_graph, options.create_graph, /*accumulate_grad=*/false, wanted);
  if (options.create_graph) ++*state->inactive();  // a second pass is for the layers' own gradients

  auto finished = [&](const at::Tensor& each) {
    return each.defined() && !options.create_graph ? each.detach() : each;
  };
  auto next = found.begin();
  for (std::size_t i = 0; i < of_layers.size(); ++i) {
    auto& calls = out.layers[options.layers[i]];
    calls.clear();  // of a layer that is named twice
    for (std::size_t call = 0; call < of_layers[i].size(); ++call) calls.push_back(finished(*next++));
  }
  out.relevances.resize(inputs.size());
  for (std::size_t i = 0; i < of_inputs.size(); ++i) {
    std::vector<at::Tensor> parts(next, next + static_cast<std::ptrdiff_t>(of_inputs[i].size()));
    next += static_cast<std::ptrdiff_t>(parts.size());
    auto relevance = given.leaves[i].defined() ? parts.front() : of_embeddings(parts, options.sum_embeddings);
    if (!relevance.defined()) continue;
    auto type = inputs[i].is_floating_point() ? inputs[i].scalar_type() : at::kFloat;
    out.relevances[i] = finished(relevance).to(type);
    if (!out.relevance.defined()) out.relevance = out.relevances[i];
  }
  if (options.to_input && !out.relevance.defined()) throw no_dependence(inputs.size());
  out.report = state->report();
  out.warnings = attributing::warnings_of(out.report, rules.bound(), {state->modules().paths(), state->modules().classes()});
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
  at::AutoGradMode record(true);
  auto supervisor = attaching::make_supervisor(options.stop, options.progress);
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
  at::AutoGradMode record(true);
  try {
    auto given = prepared(*model.state().program, inputs, /*keeps_history=*/false);
    auto state = attachment_to(model, rules, {});
    libtorch::Serving attached(state);  // also within a callback, where the mode is off
    libtorch::Observing modules(state->modules());
    (void)model.run(given.tensors);
    state->settle_refusals();
    return state->report();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw Error(libtorch::describe(failure, "the model", Code::model_failed, "failed"));
  }
}

Report layers(const Model& model, const std::vector<at::Tensor>& inputs) {
  static const Composite none(std::make_shared<const language::BoundComposite>());
  return layers(model, none, inputs);
}

}  // namespace ascribe
