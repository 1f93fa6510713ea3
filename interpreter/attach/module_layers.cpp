#include "interpreter/attach/module_layers.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/attach/selection.hpp"
#include "interpreter/layers/coefficients.hpp"
#include "interpreter/layers/module_operation.hpp"
#include "interpreter/layers/table.hpp"

namespace ascribe::attaching {

namespace {

std::string_view own_kind(const libtorch::Callee& callee) {
  if (!callee.is_function) return layering::kind_of_class(callee.class_name);
  auto patterns = layering::find_patterns(callee.class_name, "");
  return patterns.empty() ? std::string_view() : patterns.front().kind;
}

}  // namespace

bool ModuleLayers::wants(const libtorch::Callee& callee) {
  if (!callee.is_function) {
    paths_.insert(callee.path);  // the model itself has an empty one
    classes_.insert(callee.class_name);
  }
  if (!serving_.active() || !at::GradMode::is_enabled()) return false;
  if (selects_module(*server_.rules, callee)) return true;
  auto kind = own_kind(callee);
  // Within a module that interpolates is the function, which tells its weights.
  return callee.operators > 1 && !kind.empty() && (kind != "interpolate" || callee.is_function);
}

std::vector<at::Tensor> ModuleLayers::call(const libtorch::ModuleCall& module) {
  if (!server_.samples.wanted()) return serve(module);
  Samples::Calling calling(server_.samples, nullptr, /*moves_indices=*/false,
                           std::vector<c10::IValue>(module.inputs.begin(), module.inputs.end()));
  auto results = serve(module);
  calling.returned(results);
  return results;
}

std::vector<at::Tensor> ModuleLayers::serve(const libtorch::ModuleCall& module) {
  auto shown = filled("module '{}' ({})", module.callee.path, module.callee.class_name);
  Pass pass;
  layering::Call found;
  for (auto& each : module.inputs) {
    auto of_input = server_.passes.of(each);
    pass = ForwardPasses::join(pass, of_input);
    found.inputs.push_back(each);
    found.gets_relevance.push_back(of_input != nullptr);
  }
  auto* own = language::find_kind(own_kind(module.callee));
  bool by_entry = selects_module(*server_.rules, module.callee);
  if (!pass || (!by_entry && own->name == "interpolate" && layering::only_moves_indices(module.run, module.inputs)))
    return module.run(module.inputs);
  server_.begin_layer(/*may_be_part=*/false);
  OverAfterFailure over_after_failure{pass};
  found.module = module.callee.path;
  found.parameters = module.parameters;
  auto one = [run = module.run, shown, path = module.callee.path](const layering::Tensors& inputs) {
    auto results = run(inputs);
    if (results.size() == 1) return results.front();
    throw Error({.code = Code::rule_does_not_fit,
                 .message = filled("{} gives {} tensors, so that it cannot be one layer", shown, results.size()),
                 .help = filled("give its parts an entry: `any \"{}.*\" => norm`", path)});
  };
  auto operation =
      std::make_shared<layering::Operation>(*layering::module_operation(module.callee.path, one, module.parameters));
  operation->kind = own ? own : language::find_kind("operator");
  if (operation->kind->name == "interpolate") {
    operation->coefficient = layering::coefficient_of_interpolation(module.callee.class_name, module.inputs.front());
    found.parameters = {{"coefficient", operation->coefficient.value}};
  }
  found.kind_name = own && !by_entry ? own->name : std::string_view("module");
  found.operation = operation;
  auto& row =
      server_.ledger.add(pass, module.callee.is_function ? name_of(found, *pass) : module.callee.path, found.kind_name);
  row.report->inputs =
      static_cast<std::size_t>(std::count(found.gets_relevance.begin(), found.gets_relevance.end(), true));
  auto call = server_.recorder.begin(row, found, server_.rules);
  call.choices = by_entry ? select_module(*server_.rules, module.callee, row.number, pass->counts)
                          : select(*server_.rules, *operation->kind, module.callee.path, row.number, pass->counts);
  if (by_entry && !call.choices.empty() && !call.choices.front().conditions.empty()) {
    auto& entry = *call.choices.front().entry;
    throw Error({.code = Code::rule_does_not_fit,
                 .message = filled("{}: `last` is settled after the forward pass, and a module is one layer from its "
                                   "beginning",
                                   shown),
                 .primary = {entry.place.source, entry.place.span, ""},
                 .help = filled("name the module: `module \"{}\"`", module.callee.path)});
  }
  if (!call.choices.empty() && call.choices.front().conditions.empty() && is_stop(*call.choices.front().entry))
    return server_.recorder.stop([&] { return module.run(module.inputs); }, found, *call.choices.front().entry, row);
  if (call.choices.empty() && by_entry) {  // `first n` has taken others
    server_.ledger.take_back(row.number);
    return module.run(module.inputs);
  }
  if (call.choices.empty())
    return server_.recorder.keep_gradient(
        [&](const layering::Tensors& inputs) {
          libtorch::Pause pause;
          return module.run(inputs);
        },
        found, row);
  return {server_.recorder.run_rule(row, std::move(call), found, pass, [&] {
    at::NoGradGuard no_grad;
    layering::Tensors plain, theta;
    for (auto& each : module.inputs) plain.push_back(each.detach());
    for (auto& [name, parameter] : found.parameters) theta.push_back(parameter);
    return operation->run(plain, theta).clone();
  })};
}

void refuse_module_entries(const language::BoundComposite& rules) {
  for (auto& entry : rules.entries)
    for (auto& condition : entry.conditions)
      for (auto& selector : condition.layers) {
        if (selector.selects == language::LayerSelector::Selects::layers) continue;
        throw Error(
            {.code = Code::wrong_model,
             .message = filled("`{} \"{}\"` is for modules of saved models, and this one was built in place",
                               selector.selects == language::LayerSelector::Selects::module ? "module" : "class",
                               *selector.glob),
             .primary = {entry.place.source, entry.place.span, ""},
             .help = "give the module its rule when it is built: `ascribe::hooked(rule, module)`"});
      }
}

}  // namespace ascribe::attaching
