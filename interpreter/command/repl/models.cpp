// What a session's rules are tried on: models, what they are given, and what they say.
#include <ATen/ATen.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/attribute/target.hpp"
#include "interpreter/command/parsed_number.hpp"
#include "interpreter/command/repl/evaluator.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/model/model_state.hpp"
#include "interpreter/testing/built_program.hpp"

namespace ascribe::repl {
namespace {

// A session builds larger models than a test: it has limits of its own on time and memory.
constexpr testing::Allowance allowance{.multiplications = 1e12, .whose = "a session"};

// What the model takes of an input: as attribution has it, floating numbers in the model's type.
at::Tensor as_input(const ModelValue& model, const at::Tensor& x, std::size_t index) {
  auto& program = *Inside::state(model.model).program;
  auto declared = program.declared_type(index);
  if (!x.is_floating_point() && (program.looks_up_integers() || (declared && !at::isFloatingType(*declared))))
    return declared ? x.to(*declared) : x;
  auto options = program.options();
  return x.to(options.has_dtype() || x.is_floating_point() ? options : options.dtype(at::kFloat));
}

}  // namespace

std::optional<std::size_t> input_number(std::string_view name) {
  if (!name.starts_with('x')) return {};
  auto number = command::parsed_number<std::size_t>(name.substr(1));
  return number && *number > 1 && name[1] != '0' ? number : std::nullopt;
}

std::size_t most_inputs(const ModelValue& model) { return Inside::state(model.model).program->inputs().most; }

bool Evaluator::is_model(const syntax::Expression& written) const {
  if (auto* group = std::get_if<syntax::Group>(&written.node)) return is_model(*group->inner);
  if (auto* list = std::get_if<syntax::List>(&written.node)) {
    if (list->elements.empty()) return false;
    auto* call = as_call(list->elements.front());
    if (!call || call->path.qualifier) return false;
    auto& name = call->path.name.text;
    auto found = state_.values.find(name);
    if (!call->has_arguments && found != state_.values.end()) return std::holds_alternative<ModelValue>(found->second);
    return language::find_buildable_layer(name) != nullptr;
  }
  auto* call = as_call(written);
  if (!call || call->path.qualifier) return false;
  auto& name = call->path.name.text;
  if (!call->has_arguments)
    if (auto found = state_.values.find(name); found != state_.values.end())
      return std::holds_alternative<ModelValue>(found->second);
  // `sum(x)` is the function, `sigmoid` by itself the layer.
  if (call->has_arguments && (language::find_builtin(name) || view_->is_function(name))) return false;
  return language::find_buildable_layer(name) != nullptr;
}

ModelValue Evaluator::model(const syntax::Expression& written) {
  if (auto* group = std::get_if<syntax::Group>(&written.node)) return model(*group->inner);
  auto* call = as_call(written);
  if (call && !call->path.qualifier && !call->has_arguments)
    if (auto found = state_.values.find(call->path.name.text); found != state_.values.end()) {
      if (auto* named = std::get_if<ModelValue>(&found->second)) return *named;
      throw refusal(Code::wrong_type, call->span,
                    filled("`{}` is {}, not a model", call->path.name.text, type_of(found->second)),
                    "a model is a layer, a list of layers, or loaded: `load(\"net.pt2\")`");
    }
  return located(written.span, [&] { return built(written); });
}

ModelValue Evaluator::built(const syntax::Expression& written) {
  std::vector<testing::LayerDescription> layers;
  diagnostics_.clear();
  auto add = [&](const syntax::Expression& each) {
    auto* call = as_call(each);
    auto found = call && !call->has_arguments && !call->path.qualifier ? state_.values.find(call->path.name.text)
                                                                       : state_.values.end();
    auto* named = found == state_.values.end() ? nullptr : std::get_if<ModelValue>(&found->second);
    auto is_a_tensor = [&](const syntax::Argument& argument) {
      auto* value = argument.name ? nullptr : as_call(*argument.value);
      if (!value || value->has_arguments || value->path.qualifier) return false;
      auto known = state_.values.find(value->path.name.text);
      return value->path.name.text == "y" ||
             (known != state_.values.end() && std::holds_alternative<TensorValue>(known->second));
    };
    if (call && std::any_of(call->arguments.begin(), call->arguments.end(), is_a_tensor))
      throw refusal(Code::wrong_type, call->span, filled("`{}` is a layer, which is not called", call->path.name.text),
                    "a model takes x by itself: `model = [linear(3, 2), relu]` is one, and `y` what it gives");
    if (!named) {
      if (auto layer = expressions_.layer(each)) layers.push_back(evaluation_.layer(*layer));
      return;
    }
    if (named->layers.empty())
      throw refusal(Code::wrong_type, each.span,
                    filled("`{}` was loaded, and is no layer of another model", found->first),
                    "a list holds layers that are built: `[linear(3, 2), relu]`");
    layers.insert(layers.end(), named->layers.begin(), named->layers.end());
  };
  language::until_stopped(diagnostics_, [&] {
    if (auto* list = std::get_if<syntax::List>(&written.node))
      for (auto& each : list->elements) add(each);
    else
      add(written);
  });
  if (has_errors(diagnostics_)) throw Error(diagnostics_);
  return {testing::as_model(std::make_shared<const testing::BuiltModel>(layers, allowance)), layers, ""};
}

ModelValue Evaluator::current_model() const {
  if (auto found = state_.values.find(state_.model); found != state_.values.end())
    return std::get<ModelValue>(found->second);
  throw Error({.code = Code::unknown_name,
               .message = "there is no model yet",
               .help = "build one, `layer = linear(3, 2)`, or load one: `model = load(\"net.pt2\")`"});
}

at::Tensor Evaluator::x() const {
  if (auto found = state_.values.find("x"); found != state_.values.end())
    return std::get<TensorValue>(found->second).tensor;
  throw Error({.code = Code::unknown_name,
               .message = "there is no x yet",
               .help = "give the model an input: `x = random(1, 3, seed = 1)`, or `x = image(\"cat.png\")`"});
}

std::vector<at::Tensor> Evaluator::inputs(const ModelValue& model, std::optional<at::Tensor> x) const {
  std::vector<at::Tensor> out{x ? *x : this->x()};
  auto takes = Inside::state(model.model).program->inputs();
  for (auto i = out.size() + 1; i <= takes.most; ++i) {
    auto name = filled("x{}", i);
    auto found = state_.values.find(name);
    auto* tensor = found == state_.values.end() ? nullptr : std::get_if<TensorValue>(&found->second);
    if (tensor) {
      out.push_back(tensor->tensor);
      continue;
    }
    if (i > takes.least) break;
    throw Error({.code = Code::wrong_input,
                 .message = filled("the model takes {} inputs, and there is no {} yet", takes.least, name),
                 .help = filled("`{} = load(\"mask.npy\")` gives it; `:model` tells which inputs there are", name)});
  }
  return out;
}

std::optional<at::Tensor> Evaluator::R(const at::Tensor& y, const ModelValue& model) {
  auto found = state_.values.find("R");
  if (found == state_.values.end()) return {};
  if (auto* number = std::get_if<double>(&found->second)) return at::full_like(y, *number);
  auto& given = std::get<TensorValue>(found->second);
  auto& origin = given.origin;
  if (given.tensor.sizes() != y.sizes())
    throw Error({.code = Code::bad_target,
                 .message = filled("R has the shape {}, the model's output {}", shown_shape(given.tensor.sizes()),
                                   shown_shape(y.sizes())),
                 .note = origin && !origin->is(model) ? filled("R came from another model, {}", called(*origin)) : "",
                 .help = "give one value for each output, one number for all, or `:reset R`"});
  note_origin("R", given, &model);
  return given.tensor.to(y.options());
}

at::Tensor Evaluator::y(const ModelValue& model, const std::vector<at::Tensor>& inputs,
                        std::optional<std::size_t> output) {
  auto known = [&] {
    return output_ && output_->model.is(model) &&
           std::equal(inputs.begin(), inputs.end(), output_->inputs.begin(), output_->inputs.end(),
                      [](auto& a, auto& b) { return a.is_same(b); });
  };
  if (!output && known()) return output_->y;
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> given;
  for (std::size_t i = 0; i < inputs.size(); ++i) given.push_back(as_input(model, inputs[i], i));
  auto target = Target::all();
  auto found = attributing::chosen_output(model.model.run(given), output ? target.of_output(*output) : target);
  if (!output) output_ = std::make_shared<const Output>(Output{model, inputs, found});
  return found;
}

}  // namespace ascribe::repl
