#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

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

// A composite that is for no layer of the model is for another model.
void check_entries(const Report& report, const Composite& rules) {
  std::vector<std::string> kinds;
  for (auto& row : report) {
    if (!row.entry.empty()) return;
    if (std::find(kinds.begin(), kinds.end(), row.kind) == kinds.end()) kinds.push_back(row.kind);
  }
  if (report.empty()) return;  // a model without layers is what it is
  throw Error({.code = Code::no_layer_matched,
               .message = fmt::format("no layer of the model has an entry in `{}`", rules.description()),
               .note = fmt::format("the model's layers are {}", fmt::join(kinds, ", ")),
               .help = "end the composite with an entry for all others: `any => epsilon_plus`"});
}

Attribution attribution(const Model& model, const Composite& rules, const at::Tensor& input, const Target& target) {
  if (c10::InferenceMode::is_enabled())
    throw Error({.code = Code::gradient_disabled,
                 .message = "relevance needs gradients, which InferenceMode disables",
                 .help = "call it outside of InferenceMode"});
  at::AutoGradMode record(true);
  if (!input.defined() || input.layout() != at::kStrided || input.is_complex() || input.dim() == 0)
    throw Error({.code = Code::wrong_input,
                 .message = "the input is no dense tensor with a batch",
                 .help = "dimension 0 counts samples"});
  auto leaf = input.detach().to(model.options(), /*non_blocking=*/false, /*copy=*/true).requires_grad_();
  auto x = leaf.clone();  // a model may write into its input
  Attribution out;
  auto names = std::make_shared<const ParameterNames>(model.state().graph.parameter_names());
  Attachment attached(attaching::make_state(rules, std::move(names), {.sums = true, .has_input = true}));
  auto y = model.forward(x);
  attached.remove();
  check_entries(attached.report(), rules);
  out.output = y.detach().clone();
  if (!y.requires_grad())
    throw Error({.code = Code::wrong_model,
                 .message = "the model's output does not depend on its input",
                 .help = "save a model that computes with its input"});
  auto relevance = start(out.output, target);
  out.relevance = torch::autograd::grad({y}, {leaf}, {relevance}, {}, false, /*allow_unused=*/true).front();
  if (!out.relevance.defined())
    throw Error({.code = Code::wrong_model,
                 .message = "the model's output does not depend on its input",
                 .help = "save a model that computes with its input"});
  out.relevance = out.relevance.detach().to(input.is_floating_point() ? input.scalar_type() : at::kFloat);
  out.report = attached.report();
  return out;
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

Attribution attribute(const Model& model, const Composite& rules, const at::Tensor& input, const Target& target) {
  try {
    return attribution(model, rules, input, target);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw Error(evaluate::describe(failure, "the attribution", Code::model_failed, "failed"));
  }
}

}  // namespace ascribe
