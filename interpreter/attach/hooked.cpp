#include "ascribe/hooked.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/functions/utils.h>

#include "grammar/filled_text.hpp"
#include "interpreter/attach/rule_node.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/layers/module_operation.hpp"
#include "interpreter/libtorch/dispatch.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/libtorch/graph_node.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe {

using namespace libtorch;   // NOLINT
using namespace layering;   // NOLINT
using namespace attaching;  // NOLINT: as in attachment.cpp

namespace {

// `ReLU` of `torch::nn::ReLUImpl`.
std::string short_name(const torch::nn::Module& module) {
  auto name = module.name();
  if (auto colon = name.rfind(':'); colon != std::string::npos) name = name.substr(colon + 1);
  if (name.ends_with("Impl")) name.resize(name.size() - 4);
  return name;
}

Error misfit(const LayerCall& call, std::string message, std::string help) {
  return at_layer(
      call, {.code = Code::rule_does_not_fit, .message = std::move(message), .primary = {}, .help = std::move(help)});
}

}  // namespace

HookedImpl::HookedImpl(Rule rule, std::shared_ptr<torch::nn::Module> module, Forward forward)
    : rule_(std::move(rule)), module_(std::move(module)), forward_(std::move(forward)) {
  if (!module_ || !forward_)
    throw Error({.code = Code::wrong_model,
                 .message = "there is no module to give a rule to",
                 .help = "hooked(rule, torch::nn::ReLU())"});
  name_ = short_name(*module_);
  register_module("module", module_);
}

Inactive HookedImpl::inactive() const { return Inside::make<Inactive>(inactive_); }

std::shared_ptr<torch::nn::Module> HookedImpl::clone(const std::optional<at::Device>& device) const {
  return std::make_shared<HookedImpl>(rule_, module_->clone(device), forward_);
}

at::Tensor HookedImpl::forward(const at::Tensor& x) {
  try {
    return run(x);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw Error(libtorch::describe(failure, filled("module '{}'", name_), Code::model_failed, "cannot run",
                                   "give it the shape and type that it was made for"));
  }
}

at::Tensor HookedImpl::run(const at::Tensor& x) {
  if (!x.defined())
    throw Error({.code = Code::wrong_input,
                 .message = filled("module '{}' is given an undefined tensor", name_),
                 .help = "give it an input"});
  if (!at::GradMode::is_enabled() || !x.requires_grad() || *inactive_ > 0) return forward_(*module_, x);
  layering::NamedTensors parameters;
  for (auto& each : module_->named_parameters(/*recurse=*/false))
    if (each.value().defined()) parameters.emplace_back(each.key(), each.value());

  LayerCall call;
  call.report = std::make_shared<LayerReport>();
  call.report->name = name_;
  call.report->kind = "module";
  call.report_mutex = std::make_shared<std::mutex>();
  call.owner = std::make_shared<const Rule>(rule_);
  call.inactive = inactive_;
  call.gets_relevance = {true};
  call.inputs = {is_leaf_or_view_of_one(x) ? KeptTensor::reference(x) : KeptTensor::copy(x)};
  for (auto& [name, parameter] : parameters) call.parameters.emplace_back(name, KeptTensor::reference(parameter));
  call.operation = layering::module_operation(
      name_,
      [module = module_, forward = forward_](const layering::Tensors& inputs) { return forward(*module, inputs[0]); },
      parameters);
  call.take(Inside::bound(rule_));

  auto run_module = [&](const at::Tensor& input) {
    try {
      return forward_(*module_, input);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& failure) {
      throw Error(libtorch::describe(failure, call.shown(), Code::model_failed, "cannot run",
                                     "give it the shape and type that it was made for"));
    }
  };
  at::Tensor output;
  auto given = x.detach();
  auto version = given._version();
  {
    at::NoGradGuard no_grad;
    Serving checks(layering::substitution(name_, parameters, {}));
    output = run_module(given);
    if (!output.defined()) throw misfit(call, "the module gives no tensor", "hook a module that computes one");
  }
  bool in_place = given._version() != version;
  if (in_place && x.is_leaf())
    throw misfit(call, "the module writes into its input, which is a leaf that requires a gradient",
                 "give it a copy: x.clone()");
  if (in_place && !output.is_same(given))
    throw misfit(call, "the module writes into its input, and gives something else",
                 "build it so that it leaves its input as it is");

  Pause pause;
  evaluate::Layer layer{call.operation, {given}, call.gets_relevance, parameters, {}};
  try {
    call.execution->check_fit(layer, output.sizes());
  } catch (const Error& error) {
    throw at_layer(call, error.diagnostics().front());
  }
  if (!in_place) {
    at::AutoDispatchBelowADInplaceOrView below;
    output = output.is_alias_of(given) ? output.clone() : at::alias(output);
  }
  auto replaced = take_output(call, layer, output);
  auto edge = torch::autograd::impl::gradient_edge(x);
  auto node = libtorch::make_node<RuleNode>(std::move(call), std::make_shared<ForwardPass>());
  node->set_next_edges({edge});
  if (in_place) {
    at::Tensor written = x;
    if (!replaced.is_same(output)) {
      at::NoGradGuard no_grad;
      given.copy_(replaced);
    }
    auto number = node->add_input_metadata(written);
    torch::autograd::impl::rebase_history(written, {node, number});
    return written;
  }
  torch::autograd::set_history(replaced, node);
  return replaced;
}

}  // namespace ascribe
