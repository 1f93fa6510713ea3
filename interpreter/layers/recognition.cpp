#include "interpreter/layers/recognition.hpp"

#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>

#include <algorithm>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/layers/batch_norm.hpp"
#include "interpreter/layers/coefficients.hpp"
#include "interpreter/libtorch/operator_call.hpp"
#include "interpreter/libtorch/random_numbers.hpp"

namespace ascribe::layering {
namespace {

using Form = Pattern::Form;
using libtorch::is_tensor;
using libtorch::KeptTensor;

bool is_number(const c10::IValue& argument, double wanted) {
  if (argument.isScalar()) return argument.toScalar().toDouble() == wanted;
  if (!is_tensor(argument)) return false;
  return libtorch::number_in(argument.toTensor()) == wanted;
}

// Products of two bare tensors: which of two leaves is the input, nobody can say.
bool is_bare_product(const Pattern& pattern) {
  return pattern.parameters.size() == 1 && (pattern.form == Form::weight_left || pattern.form == Form::weight_right);
}

std::vector<Dependence> dependences(const OperatorCall& call) {
  std::vector<Dependence> out;
  out.reserve(call.arguments.size());
  for (auto& argument : call.arguments)
    out.push_back(is_tensor(argument) ? call.dependence(argument.toTensor()) : Dependence::none);
  return out;
}

bool fits(const Pattern& pattern, const std::vector<c10::IValue>& arguments, const std::vector<Dependence>& depends,
          bool of_model) {
  // A module outside of the model is part of what runs, too: its weights are leaves that the model does not know.
  bool foreign = !pattern.parameters.empty() && !is_bare_product(pattern) &&
                 depends[pattern.parameters.front().first] == Dependence::leaf;
  for (auto& [place, name] : pattern.parameters)
    if (depends[place] == Dependence::input || (!foreign && depends[place] == Dependence::leaf)) return false;
  if (pattern.constant >= 0 && depends[static_cast<std::size_t>(pattern.constant)] != Dependence::none) return false;
  auto depending = [&](std::size_t place) { return depends[place] != Dependence::none; };
  if (pattern.form == Form::sum) return std::any_of(pattern.inputs.begin(), pattern.inputs.end(), depending);
  // A bag whose weights come from an input has more than indices.
  if (pattern.form == Form::lookup)
    return is_tensor(arguments[pattern.inputs[0]]) && std::all_of(depends.begin(), depends.end(), [](auto each) {
             return each == Dependence::none || each == Dependence::leaf;
           });
  if (!std::all_of(pattern.inputs.begin(), pattern.inputs.end(), depending)) return false;
  switch (pattern.form) {
    case Form::clamp: {
      auto low = arguments[1], high = arguments[2];
      bool numbers = (low.isScalar() || low.isNone()) && (high.isScalar() || high.isNone());
      return numbers && !low.isNone() && (!high.isNone() || is_number(low, 0));
    }
    case Form::beside_zero:
      return is_number(arguments[pattern.inputs[0] == 0 ? 1 : 0], 0);
    case Form::inverse:
      return arguments[1].toScalar().toDouble() < 0;
    case Form::spread:
      return of_model || (arguments[1].isIntList() && !arguments[1].toIntVector().empty());
    case Form::weight_right:
    case Form::weight_left:
      return is_tensor(arguments[pattern.parameters[0].first]) && arguments[pattern.inputs[0]].toTensor().dim() >= 1 &&
             arguments[pattern.parameters[0].first].toTensor().dim() >= 1;
    case Form::plain:
    case Form::convolution:
    case Form::sum:
    case Form::factor:
    case Form::lookup:
    case Form::dropout:
      return true;
  }
  return true;
}

// Whether a convolution reads beyond its input's border, where batch norm's shift is missing.
bool pads(const language::Kind& kind, const std::vector<c10::IValue>& arguments) {
  constexpr std::size_t padding = 4;  // of every convolution but the transposed ones
  if (!language::covers("convolution", kind)) return false;
  if (arguments[padding].isString()) return arguments[padding].toStringRef() != "valid";
  auto sizes = arguments[padding].toIntVector();
  return std::any_of(sizes.begin(), sizes.end(), [](auto size) { return size != 0; });
}

// A constant summand as an input of the layer, in the sum's shape, so that rules see it as they see the others.
at::Tensor summand(const c10::IValue& constant, const at::Tensor& other) {
  at::NoGradGuard no_grad;
  if (!constant.isTensor()) return at::scalar_tensor(constant.toScalar(), other.options()).expand(other.sizes());
  return constant.toTensor().detach().expand(at::infer_size(constant.toTensor().sizes(), other.sizes()));
}

// f's operator, with everything that is neither input nor parameter filled in.
Step step_of(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments, std::vector<Slot> slots,
             bool in_place) {
  Step step{op, arguments, std::move(slots), {}, in_place};
  auto is_slot = [&](std::size_t place) {
    return std::any_of(step.slots.begin(), step.slots.end(),
                       [&](auto& slot) { return slot.argument == place && slot.element < 0; });
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (is_slot(i)) {
      step.arguments[i] = {};
    } else if (is_tensor(arguments[i])) {
      auto tensor = arguments[i].toTensor();
      step.arguments[i] = {};
      // What is written into, or was computed on the way, is kept as it was; weights and statistics are shared.
      step.constants.emplace_back(i, in_place && i == 0                         ? KeptTensor::copy(tensor)
                                     : libtorch::is_leaf_or_view_of_one(tensor) ? KeptTensor::reference(tensor)
                                                                                : KeptTensor::result(tensor));
    }
  }
  return step;
}

std::string name_of_module(const OperatorCall& call) {
  return call.module.empty() ? module_by_parameters(call.names, call.arguments) : call.module;
}

Call layer_call(const OperatorCall& call, const Pattern& pattern, const language::Kind& kind,
                const std::vector<Dependence>& depends) {
  Call out;
  auto operation = std::make_shared<Operation>();
  operation->kind = &kind;
  out.kind_name = kind.name;
  out.module = name_of_module(call);
  out.in_place = libtorch::writes_in_place(pattern.name);
  auto& arguments = call.arguments;
  std::vector<Slot> slots;
  slots.reserve(pattern.inputs.size() + pattern.parameters.size());
  auto inputs = pattern.inputs;
  if (kind.name == "quotient") inputs.resize(1);  // a / b is a · (1 / b), with b as it is
  for (auto place : inputs) {
    slots.push_back({place, Slot::From::input, out.inputs.size()});
    bool relevant = pattern.form == Form::lookup || depends[place] != Dependence::none;
    bool constant = pattern.form == Form::sum && !relevant && !(out.in_place && place == 0);
    out.inputs.push_back(constant ? summand(arguments[place], arguments[1 - place].toTensor())
                                  : arguments[place].toTensor());
    out.gets_relevance.push_back(relevant && pattern.form != Form::lookup);
  }
  bool transposes = false, spread = false;  // the weight, as it stands or for each sample
  out.parameters.reserve(pattern.parameters.size());
  for (auto& [place, name] : pattern.parameters) {
    if (!is_tensor(arguments[place])) continue;
    auto parameter = arguments[place].toTensor();
    bool transposed = pattern.form == Form::weight_right && name == "weight" && parameter.dim() == 2;
    transposes = transposes || transposed;
    spread = spread || (pattern.form == Form::weight_right && name == "weight" && parameter.dim() == 3);
    slots.push_back({place, Slot::From::parameter, out.parameters.size(), -1, transposed});
    out.parameters.emplace_back(std::string(name), transposed ? parameter.t() : parameter);
  }
  auto tensors = call.op;  // which takes all inputs as tensors
  if (pattern.form == Form::sum && pattern.overload == "Scalar")
    tensors = c10::Dispatcher::singleton().findSchemaOrThrow(call.op.operator_name().name.c_str(), "Tensor");
  auto step = step_of(tensors, arguments, std::move(slots), out.in_place);
  if (kind.name == "scale")  // a factor may be written into, as a state is: here it is as it was
    for (auto& [place, constant] : step.constants)
      constant = KeptTensor::copy(constant.get([] { return "the factor"; }));
  operation->steps.push_back(std::move(step));
  operation->coefficient = coefficient_of(kind, call.op, arguments,
                                          out.inputs[depends[inputs[0]] == Dependence::none ? inputs.size() - 1 : 0]);
  if (operation->coefficient.of != Coefficient::Of::none)
    out.parameters.emplace_back("coefficient", operation->coefficient.value);

  // addmm(bias, x, weight, beta, alpha)
  bool scaled = pattern.name.starts_with("add") && pattern.parameters.size() == 2 &&
                !(arguments[3].toScalar().equal(1) && arguments[4].toScalar().equal(1));
  if (is_linear(kind)) {
    bool weight_stands = pattern.form == Form::plain || pattern.form == Form::convolution || transposes;
    out.merges_behind = weight_stands && !scaled;
    out.merges_before = out.merges_behind && !pads(kind, arguments);
  }
  if ((transposes || spread) && out.parameters.size() == 1)
    if (auto* weight = call.names.find(out.parameters[0].second)) {
      out.bias_follows = call.names.names.contains(libtorch::sibling(*weight, "bias"));
      out.bias_may_follow = !out.bias_follows;
    }
  if (out.bias_follows) out.merges_before = false;
  auto& factor = operation->coefficient.value;
  out.sum_may_follow = pattern.name == "mul" && factor.defined() && factor.dim() == 1 && factor.numel() > 1 &&
                       out.inputs[0].dim() > 0 && out.inputs[0].size(-1) == factor.numel();
  out.operation = std::move(operation);
  return out;
}

}  // namespace

namespace {

// What a decomposed program has for instance norm: batch norm with the statistics of a batch of one, whose channels are
// those of all samples.
bool normalises_instances(const Pattern& pattern, const std::vector<c10::IValue>& arguments) {
  if (pattern.kind != "batch_norm" || pattern.training < 0) return false;
  constexpr int running_mean = 3;
  auto& training = arguments[static_cast<std::size_t>(pattern.training)];
  bool own_statistics = pattern.training != running_mean && is_tensor(arguments[running_mean]);
  return training.isBool() && training.toBool() && !own_statistics && arguments[0].toTensor().dim() > 2 &&
         arguments[0].toTensor().size(0) == 1;
}

}  // namespace

const language::Kind* kind_of(const Pattern& pattern, const std::vector<c10::IValue>& arguments) {
  if (pattern.form == Form::dropout) return nullptr;
  std::string name(pattern.kind);
  if (normalises_instances(pattern, arguments)) name = "instance_norm";
  if (pattern.form == Form::convolution) {
    bool transposed = pattern.transposed >= 0 && arguments[static_cast<std::size_t>(pattern.transposed)].toBool();
    name = filled("{}{}d", transposed ? "conv_transpose" : "conv", arguments[1].toTensor().dim() - 2);
  } else if (pattern.form == Form::clamp && is_number(arguments[1], 0)) {
    if (arguments[2].isNone()) name = "relu";
    if (is_number(arguments[2], 6)) name = "relu6";
  }
  return language::find_kind(name);
}

std::optional<Recognized> recognize(const OperatorCall& call) {
  auto& patterns = call.patterns;
  if (patterns.empty()) return {};
  auto depends = dependences(call);
  auto found = std::find_if(patterns.begin(), patterns.end(),
                            [&](auto& each) { return fits(each, call.arguments, depends, call.of_model); });
  if (found == patterns.end()) return {};
  if (found->form == Form::dropout) return Recognized{&*found, {}};
  auto* kind = kind_of(*found, call.arguments);
  if (!kind) return {};
  return Recognized{&*found, layer_call(call, *found, *kind, depends)};
}

bool moves_indices(const OperatorCall& call) {
  std::string_view name = call.op.operator_name().name;
  // What users write behind the model, to start from: a sum of everything, samples included, is no layer.
  if (name == "aten::sum" || name == "aten::mean") return true;
  if (!follows_indices(name)) return false;
  auto accumulate = call.op.schema().argumentIndexWithName("accumulate");  // of index_put: a sum
  return !accumulate || !call.arguments[static_cast<std::size_t>(*accumulate)].toBool();
}

bool puts_constants(const OperatorCall& call) {
  constexpr std::string_view beside[] = {"cat",       "concat",      "concatenate",   "stack",
                                         "hstack",    "vstack",      "dstack",        "where",
                                         "index_put", "masked_fill", "slice_scatter", "select_scatter"};
  constexpr std::string_view writing_numbers[] = {"fill", "zero", "masked_fill", "where"};
  constexpr std::int64_t constant_mode = 3;  // LibTorch's number for it
  auto name = libtorch::functional_name(call.op.operator_name().name);
  auto one_of = [&](auto& names) { return std::find(std::begin(names), std::end(names), name) != std::end(names); };
  auto mode = call.arguments.size() > 2 ? call.arguments[2] : c10::IValue();
  bool pads = name == "constant_pad_nd" || (name == "pad" && mode.isString() && mode.toStringRef() == "constant") ||
              (name == "_pad_enum" && mode.isInt() && mode.toInt() == constant_mode);
  // What is written over as a whole was nothing before.
  bool a_part = libtorch::writes_in_place(call.op.operator_name().name) &&
                (name != "copy" || call.arguments[0].toTensor().is_view());
  auto is_number = [](auto& argument) { return argument.isScalar(); };
  bool numbers = one_of(writing_numbers) &&
                 (name == "zero" || std::any_of(call.arguments.begin(), call.arguments.end(), is_number));
  if (!pads && !numbers && !a_part && !one_of(beside)) return false;  // most: a view asks nothing of its arguments
  bool depends = false, constants = false;
  for (auto& argument : call.arguments)
    libtorch::for_each_tensor(argument, [&](const at::Tensor& tensor) {
      bool relevant = call.dependence(tensor) != Dependence::none;
      depends = depends || relevant;
      constants = constants || (!relevant && tensor.is_floating_point());
    });
  return depends && (pads || numbers || constants);
}

Call whole_operator(const OperatorCall& call) {
  Call out;
  auto operation = std::make_shared<Operation>();
  operation->kind = language::find_kind("operator");
  out.kind_name = libtorch::functional_name(call.op.operator_name().name);
  out.in_place = libtorch::writes_in_place(call.op.operator_name().name);
  out.module = name_of_module(call);
  std::vector<Slot> slots;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    auto& argument = call.arguments[i];
    std::ptrdiff_t element = argument.isList() ? 0 : -1;
    auto add = [&](const at::Tensor& tensor) {
      if (tensor.defined() && call.dependence(tensor) != Dependence::none) {
        slots.push_back({i, Slot::From::input, out.inputs.size(), element});
        out.inputs.push_back(tensor);
        out.gets_relevance.push_back(true);
      }
      if (element >= 0) ++element;
    };
    if (is_tensor(argument)) add(argument.toTensor());
    if (argument.isTensorList())
      for (const at::Tensor& each : argument.toTensorVector()) add(each);
    if (argument.isOptionalTensorList())
      for (const std::optional<at::Tensor>& each : argument.toOptionalTensorList()) add(each.value_or(at::Tensor()));
  }
  operation->steps.push_back(step_of(call.op, call.arguments, std::move(slots), out.in_place));
  out.operation = std::move(operation);
  return out;
}

namespace {

std::optional<Call> with_bias(const OperatorCall& call, const Call& product, const libtorch::Made& output) {
  auto name = libtorch::base_name(call.op.operator_name().name);
  auto& arguments = call.arguments;
  if (!name.starts_with("add") || name.starts_with("addm") || arguments.size() != 3 || !is_tensor(arguments[0]) ||
      !is_tensor(arguments[1]) || !arguments[2].toScalar().equal(1))
    return {};
  auto sum = arguments[0].toTensor(), bias = arguments[1].toTensor();
  auto* found = call.names.find(bias);
  // "bias", "in_proj_bias", "bias_ih_l0"
  bool is_bias = found && found->find("bias", found->rfind('.') + 1) != std::string::npos;
  if (!output.is(sum) || !is_bias || bias.dim() != 1 || bias.size(0) != sum.size(-1)) return {};
  auto out = product;
  auto operation = std::make_shared<Operation>(*product.operation);
  operation->steps.push_back(
      step_of(call.op, arguments,
              {{0, Slot::From::step, operation->steps.size() - 1}, {1, Slot::From::parameter, out.parameters.size()}},
              libtorch::writes_in_place(name)));
  out.operation = std::move(operation);
  out.parameters.emplace_back("bias", bias);
  out.bias_follows = out.bias_may_follow = false;
  out.merges_before = out.merges_behind;
  if (call.module.empty()) out.module = libtorch::module_of(*found);
  out.in_place = libtorch::writes_in_place(name);
  return out;
}

std::optional<Call> with_sum(const OperatorCall& call, const Call& product, const libtorch::Made& output) {
  auto& arguments = call.arguments;
  if (libtorch::base_name(call.op.operator_name().name) != "sum" || !is_tensor(arguments[0])) return {};
  auto summed = arguments[0].toTensor();
  if (!output.is(summed)) return {};
  bool everything = arguments.size() == 2 || !arguments[1].isIntList() || arguments[1].toIntVector().empty();
  bool keeps = arguments.size() > 2 && arguments[2].toBool();
  auto last = everything ? std::vector<std::int64_t>{summed.dim() - 1} : arguments[1].toIntVector();
  bool over_the_vector = last.size() == 1 && at::maybe_wrap_dim(last[0], summed.dim()) == summed.dim() - 1 && !keeps;
  if (!over_the_vector || (everything && (summed.dim() != 1 || !call.of_model)) || !arguments.back().isNone())
    return {};
  auto out = product;
  auto operation = std::make_shared<Operation>();
  operation->kind = language::find_kind("linear");
  operation->steps = product.operation->steps;
  auto& times = operation->steps.front();
  times.slots.push_back({times.constants.front().first, Slot::From::parameter, 0});
  times.constants.clear();
  operation->steps.push_back(step_of(call.op, arguments, {{0, Slot::From::step, 0}}, false));
  out.operation = std::move(operation);
  out.kind_name = "linear";
  out.parameters.front().first = "weight";
  out.sum_may_follow = false;
  if (out.module.empty()) out.module = call.module;
  return out;
}

}  // namespace

std::optional<Call> with_product(const OperatorCall& call, const Call& product, const libtorch::Made& output) {
  return product.sum_may_follow ? with_sum(call, product, output) : with_bias(call, product, output);
}

std::optional<Call> with_view(const OperatorCall& call, const Call& product, const libtorch::Made& output,
                              const at::Tensor& result) {
  if (call.arguments.empty() || !is_tensor(call.arguments[0]) || product.sum_may_follow) return {};
  auto whole = call.arguments[0].toTensor();
  bool reshapes = output.is(whole) && whole.is_contiguous() && result.is_contiguous() && result.is_alias_of(whole) &&
                  result.numel() == whole.numel() && result.dim() > 0 && result.size(-1) == whole.size(-1);
  if (!reshapes) return {};
  auto out = product;
  auto operation = std::make_shared<Operation>(*product.operation);
  operation->steps.push_back(
      step_of(call.op, call.arguments, {{0, Slot::From::step, operation->steps.size() - 1}}, /*in_place=*/false));
  out.operation = std::move(operation);
  out.merges_before = out.merges_behind = false;
  return out;
}

std::string module_by_parameters(const libtorch::ParameterNames& names, const std::vector<c10::IValue>& arguments) {
  std::string module;
  for (auto& argument : arguments)
    libtorch::for_each_tensor(argument, [&](const at::Tensor& tensor) {
      if (!module.empty()) return;
      if (auto* found = names.find(tensor)) module = libtorch::module_of(*found);
    });
  return module;
}

void refuse_training_mode(const Pattern& pattern, const c10::OperatorHandle& op,
                          const std::vector<c10::IValue>& arguments, const std::string& name) {
  if (pattern.training < 0) return;
  auto& training = arguments[static_cast<std::size_t>(pattern.training)];
  if (!training.isBool() || !training.toBool() || normalises_instances(pattern, arguments)) return;
  auto mean = op.schema().argumentIndexWithName("running_mean");
  bool own_statistics = !mean || is_tensor(arguments[static_cast<std::size_t>(*mean)]);
  if (pattern.kind == "batch_norm" && !mean) own_statistics = false;
  // Instance norm takes the statistics of each sample, as it should; unless it learns them.
  if (pattern.kind == "instance_norm" && !own_statistics) return;
  throw Error({.code = Code::training_mode,
               .message = filled("layer '{}' ({}) {}", name, pattern.kind,
                                 own_statistics ? "is in training mode"
                                                : "takes the statistics of the batch: it has none of its own"),
               .help = own_statistics ? "call eval() on the model first"
                                      : "build it with track_running_stats, and train it so"});
}

// Operators that drop out on the way say so by name: lstm's `dropout` and `train`, attention's `dropout_p`. Others
// draw.
void refuse_random_numbers(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments,
                           const std::string& name) {
  auto find = [&](const char* argument) -> const c10::IValue* {
    auto place = op.schema().argumentIndexWithName(argument);
    return place ? &arguments[static_cast<std::size_t>(*place)] : nullptr;
  };
  auto* chance = find("dropout") ? find("dropout") : find("dropout_p");
  auto* training = find("train") ? find("train") : find("training");
  if (training && training->isBool() && !training->toBool()) return;
  auto refuse = [&](const char* why, const char* help) {
    throw Error({.code = Code::training_mode,
                 .message = filled("layer '{}' ({}) {}", name, libtorch::base_name(op.operator_name().name), why),
                 .help = help});
  };
  if (chance && chance->isDouble()) {
    if (chance->toDouble() == 0) return;
    refuse("is in training mode: it drops out", "call eval() on the model first");
  }
  if (libtorch::draws_random_numbers(op))
    refuse("draws random numbers: the model is in training mode, or explains something else each time",
           "call eval() on the model before it is saved");
}

}  // namespace ascribe::layering
