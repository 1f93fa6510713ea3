// The part of an attachment that tells which calls are a layer's, and which layer's.
#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/attach/attachment.hpp"
#include "interpreter/layers/batch_norm.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe {

using namespace libtorch;   // NOLINT
using namespace layering;   // NOLINT
using namespace attaching;  // NOLINT: as in attachment.cpp
using Form = LayerOperator::Form;

namespace {

// The kind that a call is of, which for some operators depends on the arguments.
const language::Kind* kind_of(const LayerOperator& row, const std::vector<c10::IValue>& arguments) {
  std::string name(row.kind);
  if (row.form == Form::convolution) {
    bool transposed = row.transposed >= 0 && arguments[static_cast<std::size_t>(row.transposed)].toBool();
    name = filled("{}{}d", transposed ? "conv_transpose" : "conv", arguments[1].toTensor().dim() - 2);
  } else if (row.form == Form::hardtanh && arguments[1].toScalar().toDouble() == 0 &&
             arguments[2].toScalar().toDouble() == 6) {
    name = "relu6";
  }
  return language::find_kind(name);
}

// Whether the arguments are those of a layer: a product with a weight, a scaling by a constant, and nothing else.
bool is_layer(const LayerOperator& row, const std::vector<c10::IValue>& arguments, const std::vector<bool>& depends) {
  for (auto& [place, name] : row.parameters)
    if (depends[place]) return false;  // computed from the input: no parameter
  // A bag whose weights come from an input has more than indices.
  if (row.form == Form::lookup && std::find(depends.begin(), depends.end(), true) != depends.end()) return false;
  if (row.form == Form::matrix) {
    auto weight = row.parameters.front().first;
    return arguments[weight].toTensor().dim() == 2 && arguments[row.inputs[0]].toTensor().dim() >= 1;
  }
  if (row.form == Form::product && row.inputs.size() > 1) {
    bool division = row.name.starts_with("div");
    return depends[0] != depends[1] && !(division && depends[1]);
  }
  return true;
}

// Whether a convolution reads beyond its input's border, where batch norm's shift is missing.
bool pads(const LayerOperator& row, const std::vector<c10::IValue>& arguments) {
  constexpr std::size_t padding = 4;  // of every convolution but the transposed ones
  if (row.form != Form::convolution && !row.kind.starts_with("conv")) return false;
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

// f, the operator itself, with inputs and parameters put in their places.
auto make_apply(const c10::OperatorHandle& op, const LayerOperator& row, std::vector<c10::IValue> arguments,
                std::vector<std::size_t> inputs, std::vector<std::size_t> parameters) {
  auto transposed = row.form == Form::matrix ? static_cast<std::ptrdiff_t>(row.parameters.front().first) : -1;
  bool in_place = row.name.ends_with("_");
  for (auto i : inputs) arguments[i] = {};
  for (auto i : parameters) arguments[i] = {};
  if (in_place && arguments[0].isTensor())
    arguments[0] = arguments[0].toTensor().detach().clone();  // before it is written into
  // Whatever else is a tensor (a constant factor, batch norm's statistics) belongs to the layer as it is now.
  std::vector<std::pair<std::size_t, KeptTensor>> constants;
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (is_tensor(arguments[i])) constants.emplace_back(i, KeptTensor::reference(arguments[i].toTensor()));
  return [=](const std::vector<at::Tensor>& x, const std::vector<at::Tensor>& theta) {
    torch::jit::Stack stack(arguments.begin(), arguments.end());
    for (auto& [i, constant] : constants)
      stack[i] = in_place && i == 0 ? constant.get("a constant").clone() : constant.get("a constant of the layer");
    // An in-place operator needs something that it may write into, and that is no leaf of the graph.
    for (std::size_t i = 0; i < inputs.size(); ++i) stack[inputs[i]] = in_place && inputs[i] == 0 ? x[i].clone() : x[i];
    for (std::size_t i = 0; i < parameters.size(); ++i)
      stack[parameters[i]] = transposed == static_cast<std::ptrdiff_t>(parameters[i]) ? theta[i].t() : theta[i];
    op.callBoxed(&stack);
    return stack.front().toTensor();
  };
}

// Where a model's layer was called with nothing that depends on an input.
class NoInputNode : public torch::autograd::Node {
 public:
  NoInputNode(std::shared_ptr<std::atomic<bool>> has_input, std::string layer)
      : has_input_(std::move(has_input)), layer_(std::move(layer)) {}
  torch::autograd::variable_list apply(torch::autograd::variable_list&&) override {
    if (*has_input_) return {};
    throw Error(
        {.code = Code::no_input,
         .message = filled("{}: nothing that it was called with depends on an input that requires a gradient", layer_),
         .help = "call x.requires_grad_() before the model"});
  }
  std::string name() const override { return "NoInput"; }

 private:
  std::shared_ptr<std::atomic<bool>> has_input_;
  std::string layer_;
};

}  // namespace

std::optional<Attachment::State::Candidate> Attachment::State::candidate(const c10::OperatorHandle& op, const Row& row,
                                                                         const std::vector<c10::IValue>& arguments) {
  Candidate out{};
  // A module outside of the model is part of what runs, too: its weights are leaves that the model does not know. A
  // bare product of two leaves may as well be one of two inputs.
  auto* first = row.parameters.empty() || !is_tensor(arguments[row.parameters.front().first])
                    ? nullptr
                    : &arguments[row.parameters.front().first].toTensor();
  bool product = row.form == Form::matrix && row.name != "addmm";
  bool foreign = first && !product && first->requires_grad() && is_leaf_or_view_of_one(*first) && !names_->find(*first);
  std::vector<bool> depends(arguments.size());
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!is_tensor(arguments[i])) continue;
    bool parameter =
        std::any_of(row.parameters.begin(), row.parameters.end(), [&](auto& each) { return each.first == i; });
    if (parameter && (foreign || names_->find(arguments[i].toTensor()))) continue;
    auto found = passes_.of(arguments[i].toTensor());
    depends[i] = found != nullptr;
    out.pass = ForwardPasses::join(out.pass, found);
  }
  if (row.form == Form::lookup && !out.pass && is_tensor(arguments[row.inputs[0]]))
    out.pass = passes_.of_source(arguments[row.inputs[0]].toTensor());
  if (!out.pass || !is_layer(row, arguments, depends)) return {};
  out.kind = row.form == Form::dropout ? nullptr : kind_of(row, arguments);
  if (!out.kind && row.form != Form::dropout) return {};
  out.kind_name = out.kind ? out.kind->name : row.kind;
  out.module = module_name(arguments);
  out.name = name_of(out);
  if (!out.kind) return out;
  out.in_place = row.name.ends_with("_");
  for (auto i : row.inputs) {
    if (row.form == Form::product && !depends[i]) continue;  // the constant belongs to the layer
    out.input_places.push_back(i);
    bool constant = row.form == Form::addition && !depends[i] && !(out.in_place && i == 0);
    out.inputs.push_back(constant ? summand(arguments[i], arguments[1 - i].toTensor()) : arguments[i].toTensor());
    out.gets_relevance.push_back(depends[i]);
  }
  for (auto& [place, name] : row.parameters) {
    if (!is_tensor(arguments[place])) continue;
    auto parameter = arguments[place].toTensor();
    if (row.form == Form::matrix && name == "weight") parameter = parameter.t();
    out.parameter_places.push_back(place);
    out.parameters.emplace_back(std::string(name), parameter);
  }
  auto tensors = op;  // which takes all inputs as tensors
  if (row.form == Form::addition && row.overload == "Scalar")
    tensors = c10::Dispatcher::singleton().findSchemaOrThrow(op.operator_name().name.c_str(), "Tensor");
  out.apply = make_apply(tensors, row, arguments, out.input_places, out.parameter_places);
  out.pads = pads(row, arguments);
  // addmm(bias, x, weight, beta, alpha)
  out.scaled = row.name == "addmm" && !(arguments[3].toScalar().equal(1) && arguments[4].toScalar().equal(1));
  if (row.form == Form::matrix && out.parameters.size() == 1)
    if (auto* weight = names_->find(out.parameters[0].second)) {
      out.bias_follows = names_->names.contains(sibling(*weight, "bias"));
      out.bias_may_follow = !out.bias_follows;
    }
  return out;
}

// A linear layer or convolution of the model before anything that depends on an input. Perhaps the model begins with
// such; if no input ever comes, relevance that arrives here is the caller's mistake.
bool Attachment::State::without_input(const c10::OperatorHandle& op, const Row& row, torch::jit::Stack& stack) {
  if (*has_input_ || row.parameters.empty() || row.form == Form::dropout) return false;
  auto arguments = arguments_of(op, stack);
  auto* kind = kind_of(row, arguments);
  auto weight = row.parameters.front().first;
  if (!kind || !is_linear(*kind) || !is_tensor(arguments[weight])) return false;
  auto* name = names_->find(arguments[weight].toTensor());
  if (!name) return false;
  {
    at::NoGradGuard no_grad;
    at::AutoDispatchBelowADInplaceOrView below;
    op.callBoxed(stack);
  }
  auto module = module_of(*name);
  torch::autograd::set_history(
      output_of(op, stack).toTensor(),
      c10::make_intrusive<NoInputNode>(has_input_,
                                       filled("layer '{}' ({})", module.empty() ? kind->name : module, kind->name)));
  return true;
}

std::optional<Attachment::State::Candidate> Attachment::State::with_bias(const Row& row,
                                                                         const std::vector<c10::IValue>& arguments,
                                                                         const Product& product) {
  if (!row.name.starts_with("add") || row.inputs.size() != 2 || !is_tensor(arguments[0]) || !is_tensor(arguments[1]) ||
      !arguments[2].toScalar().equal(1))
    return {};
  auto sum = arguments[0].toTensor(), bias = arguments[1].toTensor();
  auto* name = names_->find(bias);
  if (!product.output->is(sum) || !name || !name->ends_with("bias") || bias.dim() != 1) return {};
  if (bias.size(0) != sum.size(-1)) return {};
  auto out = product.candidate;
  if (product.keeps_gradient) return out;
  out.pass->counts = product.counts;
  --out.pass->calls_of_kind[std::string(out.kind->name)];
  reports_.resize(product.reports);
  out.bias_follows = out.bias_may_follow = false;
  if (current_module().empty()) out.module = module_of(*name);
  out.name = name_of(out);
  if (!out.kind) return out;
  out.in_place = row.name.ends_with("_");
  out.parameters.emplace_back("bias", bias);
  out.apply = [multiply = std::move(out.apply)](const std::vector<at::Tensor>& x,
                                                const std::vector<at::Tensor>& theta) {
    return multiply(x, {theta[0]}) + theta[1];
  };
  return out;
}

std::string Attachment::State::name_of(const Candidate& candidate) {
  return candidate.module.empty()
             ? filled("{}#{}", candidate.kind_name, candidate.pass->calls_of_kind[std::string(candidate.kind_name)] + 1)
             : candidate.module;
}

std::string Attachment::State::module_name(const std::vector<c10::IValue>& arguments) const {
  if (!current_module().empty()) return current_module();
  std::string module;
  for (auto& argument : arguments)
    for_each_tensor(argument, [&](const at::Tensor& tensor) {
      if (!module.empty()) return;
      if (auto* found = names_->find(tensor)) module = module_of(*found);
    });
  return module;
}

}  // namespace ascribe
