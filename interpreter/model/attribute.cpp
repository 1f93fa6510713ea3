#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>

#include "interpreter/attach/attachment.hpp"
#include "interpreter/model/failure.hpp"
#include "interpreter/model/model_state.hpp"

namespace ascribe {
namespace {

Error bad_target(std::string message, std::string help) {
  return Error({.code = Code::bad_target, .message = std::move(message), .help = std::move(help)});
}

std::string shown(at::IntArrayRef shape) { return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", ")); }

// The relevance of the output: zero but for the target.
at::Tensor start(const at::Tensor& output, const Target& target) {
  if (target.starts_from_tensor()) {
    if (!target.relevance().defined())
      throw bad_target("the start is an undefined tensor", "give one value for each output");
    if (target.relevance().sizes() != output.sizes())
      throw bad_target(fmt::format("the start has the shape {}, the model's output {}",
                                   shown(target.relevance().sizes()), shown(output.sizes())),
                       "give one value for each output");
    return target.relevance().detach().to(output.options().requires_grad(false), /*non_blocking=*/false, /*copy=*/true);
  }
  if (output.dim() < 2)
    throw bad_target(
        fmt::format("the model's output has the shape {}, without a dimension to choose from", shown(output.sizes())),
        "give a start of the output's shape");
  auto chosen = at::zeros_like(output);
  if (target.index()) {
    auto index = *target.index(), count = output.size(1);
    if (index < 0 || index >= count)
      throw bad_target(fmt::format("target {} is out of range: the model has {} outputs", index, count),
                       count == 0 ? "give a start of the output's shape" : fmt::format("choose 0 to {}", count - 1));
    chosen.select(1, index).fill_(1);
  } else {
    if (output.dim() != 2 || output.size(1) == 0)
      throw bad_target(fmt::format("the model's output has the shape {}: which target?", shown(output.sizes())),
                       "choose one by its index");
    chosen.scatter_(1, output.argmax(1, /*keepdim=*/true), 1);
  }
  return target.starts_from_one() ? chosen : at::where(chosen == 1, output, chosen);
}

// The inputs as the model takes them, and the leaves among them: where relevance arrives.
struct Inputs {
  std::vector<at::Tensor> inputs, leaves;
  std::vector<std::size_t> places;  ///< of the leaves, among the inputs
};

Inputs leaves(const model::Program& program, const std::vector<at::Tensor>& given) {
  Inputs out;
  auto options = program.options();
  for (std::size_t i = 0; i < given.size(); ++i) {
    auto& input = given[i];
    if (!input.defined() || input.layout() != at::kStrided || input.is_complex() ||
        (given.size() == 1 && input.dim() == 0))
      throw Error({.code = Code::wrong_input,
                   .message = given.size() == 1 ? std::string("the input is no dense tensor with a batch")
                                                : fmt::format("input {} is no dense tensor", i),
                   .help = "dimension 0 counts samples"});
    auto declared = program.declared_type(i);
    bool stays = !input.is_floating_point() &&
                 (given.size() > 1 || program.looks_up_integers() || (declared && !at::isFloatingType(*declared)));
    auto type = stays                                       ? declared.value_or(input.scalar_type())
                : declared && at::isFloatingType(*declared) ? *declared
                                                            : c10::typeMetaToScalarType(options.dtype());
    auto x = input.detach().to(options.dtype(type), /*non_blocking=*/false, /*copy=*/true);
    if (at::isFloatingType(type)) {
      out.leaves.push_back(x.requires_grad_());
      out.places.push_back(i);
      x = x.clone();  // a model may write into its input
    }
    out.inputs.push_back(std::move(x));
  }
  if (out.leaves.empty() && given.size() == 1)
    throw Error({.code = Code::wrong_input,
                 .message = "relevance of integer input is not supported: no gradient goes through integers",
                 .help = "save the model from its embedding on, so that it takes what the embedding gives"});
  if (out.leaves.empty())
    throw Error({.code = Code::wrong_input,
                 .message = fmt::format("none of the {} inputs is of a floating type, so that none can get relevance",
                                        given.size()),
                 .help = "give the input that shall get relevance as floating numbers"});
  return out;
}

at::Tensor chosen_output(const std::vector<at::Tensor>& outputs, const Target& target) {
  if (outputs.empty())
    throw Error({.code = Code::wrong_model,
                 .message = "the model returns no tensor",
                 .help = "save a model that returns what it computes"});
  if (!target.output() && outputs.size() > 1)
    throw bad_target(fmt::format("the model has {} outputs: which one?", outputs.size()),
                     fmt::format("choose one, 0 to {}: `Target(…).of_output(0)`", outputs.size() - 1));
  auto place = target.output().value_or(0);
  if (place >= outputs.size())
    throw bad_target(fmt::format("output {} is out of range: the model has {} output{}", place, outputs.size(),
                                 outputs.size() == 1 ? "" : "s"),
                     fmt::format("choose 0 to {}", outputs.size() - 1));
  return outputs[place];
}

}  // namespace

Target Target::from_one() const {
  auto out = *this;
  out.one_ = true;
  return out;
}

Target Target::from(at::Tensor relevance) {
  Target out;
  out.from_tensor_ = true;
  out.relevance_ = std::move(relevance);
  return out;
}

Target Target::of_output(std::size_t output) const {
  auto out = *this;
  out.output_ = output;
  return out;
}

Attribution attribute(const Model& model, const Composite& rules, const at::Tensor& input, const Target& target) {
  return attribute(model, rules, std::vector<at::Tensor>{input}, target);
}

Attribution attribute(const Model& model, const Composite& rules, const std::vector<at::Tensor>& inputs,
                      const Target& target) {
  if (c10::InferenceMode::is_enabled())
    throw Error({.code = Code::gradient_disabled,
                 .message = "relevance needs gradients, which InferenceMode disables",
                 .help = "call it outside of InferenceMode"});
  at::AutoGradMode record(true);
  auto& program = *model.state().program;
  auto given = leaves(program, inputs);
  Attribution out;
  auto attached = attaching::attach_with_names(rules, program.parameter_names(), /*has_input=*/true);
  auto y = chosen_output(model.run(given.inputs), target);
  attached.remove();
  out.output = y.detach().clone();
  auto no_dependence = [&] {
    return Error(
        {.code = Code::wrong_model,
         .message = fmt::format("the model's output does not depend on its input{}", inputs.size() == 1 ? "" : "s"),
         .help = "save a model that computes with its input"});
  };
  if (!y.requires_grad()) throw no_dependence();
  auto relevance = start(out.output, target);
  std::vector<at::Tensor> found;
  try {
    found = torch::autograd::grad({y}, given.leaves, {relevance}, {}, false, /*allow_unused=*/true);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw Error(
        {.code = Code::model_failed, .message = fmt::format("the backward pass failed: {}", model::reason(failure))});
  }
  out.relevances.resize(inputs.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    auto place = given.places[i];
    if (!found[i].defined()) continue;
    auto type = inputs[place].is_floating_point() ? inputs[place].scalar_type() : at::kFloat;
    out.relevances[place] = found[i].detach().to(type);
    if (!out.relevance.defined()) out.relevance = out.relevances[place];
  }
  if (!out.relevance.defined()) throw no_dependence();
  out.report = attached.report();
  return out;
}

}  // namespace ascribe
