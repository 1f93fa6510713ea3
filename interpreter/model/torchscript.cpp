#include "interpreter/model/torchscript.hpp"

#include <fmt/ranges.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/libtorch/module_calls.hpp"
#include "interpreter/libtorch/module_scope.hpp"
#include "interpreter/model/torchscript_calls.hpp"

namespace ascribe::model {
namespace {

at::Tensor find_floating_constant(const torch::jit::Block& block) {
  for (auto* node : block.nodes()) {
    if (node->kind() == c10::prim::Constant && node->hasAttribute(c10::attr::value) &&
        node->kindOf(c10::attr::value) == torch::jit::AttributeKind::t)
      if (auto tensor = node->t(c10::attr::value); tensor.is_floating_point() && tensor.dim() > 0) return tensor;
    for (auto* inner : node->blocks())
      if (auto found = find_floating_constant(*inner); found.defined()) return found;
  }
  return {};
}

Error wrong_model(std::string message, std::string help) {
  return Error({.code = Code::wrong_model, .message = std::move(message), .help = std::move(help)});
}

bool holds_embedding(const torch::jit::Block& block) {
  return std::any_of(block.nodes().begin(), block.nodes().end(), [](auto* node) {
    return node->kind() == c10::aten::embedding || node->kind() == c10::aten::embedding_bag ||
           std::any_of(node->blocks().begin(), node->blocks().end(),
                       [](auto* inner) { return holds_embedding(*inner); });
  });
}

std::shared_ptr<torch::jit::Graph> named_graph(const torch::jit::Module& module) {
  auto method = module.find_method("forward");
  if (!method) throw wrong_model("the model has no `forward`", "save a module that maps tensors to tensors");
  auto graph = method->graph()->copy();
  fill_in_calls(*graph);
  return graph;
}

// ------------------------------------------------------------------------------------------------- inputs and outputs

// How many tensors an argument is made of; `open` where a list takes any number.
struct Count {
  std::size_t tensors = 0;
  bool open = false;
};
std::optional<Count> count_tensors(const c10::Type& type) {
  if (type.isSubtypeOf(*c10::TensorType::get())) return Count{1};
  if (auto* optional = type.castRaw<c10::OptionalType>()) return count_tensors(*optional->getElementType());
  if (auto* sequence = type.castRaw<c10::ListType>())
    return sequence->getElementType()->isSubtypeOf(*c10::TensorType::get()) ? std::optional(Count{0, true})
                                                                            : std::nullopt;
  auto* tuple = type.castRaw<c10::TupleType>();
  if (!tuple) return {};
  Count out;
  for (auto& each : tuple->elements()) {
    auto inside = count_tensors(*each);
    if (!inside || (inside->open && out.open)) return {};
    out.tensors += inside->tensors, out.open |= inside->open;
  }
  return out;
}

// Takes the next inputs, in the form of the type; a list takes `listed`.
c10::IValue take(const c10::TypePtr& type, const at::Tensor*& next, std::size_t listed) {
  if (auto* optional = type->castRaw<c10::OptionalType>()) return take(optional->getElementType(), next, listed);
  if (type->castRaw<c10::ListType>()) {
    c10::List<at::Tensor> out;
    for (; listed > 0; --listed) out.push_back(*next++);
    return out;
  }
  auto tuple = type->cast<c10::TupleType>();
  if (!tuple) return *next++;
  std::vector<c10::IValue> out;
  for (auto& each : tuple->elements()) out.push_back(take(each, next, listed));
  return tuple->schema() ? c10::ivalue::Tuple::createNamed(std::move(out), tuple)
                         : c10::ivalue::Tuple::create(std::move(out));
}

std::string shown(const c10::Argument& argument) {
  return filled("'{}' ({})", argument.name(), argument.type()->repr_str());
}

}  // namespace

TorchScriptGraph::TorchScriptGraph(torch::jit::Module module) : TorchScriptGraph(module, named_graph(module)) {}

TorchScriptGraph::TorchScriptGraph(torch::jit::Module module, const std::shared_ptr<torch::jit::Graph>& graph)
    : module_(std::move(module)),
      state_(*graph),
      code_(graph, "forward"),
      floating_constant_(find_floating_constant(*graph->block())),
      looks_up_integers_(holds_embedding(*graph->block())),
      operators_(count_operators(*graph->block())) {
  bool open = false;
  auto& formals = module_.get_method("forward").function().getSchema().arguments();
  for (auto formal = formals.begin() + 1; formal != formals.end(); ++formal) {
    auto count = count_tensors(*formal->type());
    if (!formal->default_value() && (!count || (count->open && open)))
      throw wrong_model(filled("the model's forward takes {}, which is not made of tensors", shown(*formal)),
                        "wrap it in a module that takes tensors, or tuples of tensors");
    if (count && count->open) open = true;
  }
}

Program::Inputs TorchScriptGraph::inputs() const {
  auto& formals = module_.get_method("forward").function().getSchema().arguments();
  Inputs out{0, 0, {}};
  bool open = false;
  for (auto formal = formals.begin() + 1; formal != formals.end(); ++formal) {
    auto count = count_tensors(*formal->type());
    if (!count) continue;
    out.told.push_back(formal->name());
    out.most += count->tensors, open |= count->open;
    if (!formal->default_value()) out.least += count->tensors;
  }
  if (open) out.most = any_number;
  return out;
}

// Arguments with defaults get inputs only where there are enough; the first ones first.
torch::jit::Stack TorchScriptGraph::arguments(const std::vector<at::Tensor>& inputs) const {
  auto& formals = module_.get_method("forward").function().getSchema().arguments();
  auto [needed, possible, names] = this->inputs();
  bool open = possible == any_number;
  if (inputs.size() < needed || inputs.size() > possible)
    throw Error({.code = Code::wrong_input,
                 .message = filled("the model takes {}{} input{}, not {}",
                                   open                ? "at least "
                                   : needed < possible ? filled("{} to ", needed)
                                                       : "",
                                   open ? needed : possible, (open ? needed : possible) == 1 ? "" : "s", inputs.size()),
                 .help = names.empty() ? "save a model that takes tensors"
                                       : filled("give one tensor for each: {}", fmt::join(names, ", "))});
  torch::jit::Stack stack{state_.of_a_run(module_._ivalue())};
  auto* next = inputs.data();
  auto spare = inputs.size() - needed;
  for (auto formal = formals.begin() + 1; formal != formals.end(); ++formal) {
    auto count = count_tensors(*formal->type());
    if (formal->default_value() && (!count || (count->open ? spare == 0 : spare < count->tensors))) {
      stack.push_back(*formal->default_value());
      continue;
    }
    if (formal->default_value()) spare -= count->tensors;
    auto listed = count->open ? spare : 0;
    spare -= listed;
    stack.push_back(take(formal->type(), next, listed));
  }
  return stack;
}

// The model itself is a module, too.
std::optional<std::vector<at::Tensor>> TorchScriptGraph::hand_over(const std::vector<at::Tensor>& inputs) const {
  auto* observer = libtorch::module_observer();
  libtorch::Callee callee{.path = {}, .class_name = class_name(*module_.type()), .operators = operators_};
  if (!observer || !observer->wants(callee)) return {};
  libtorch::ModuleCall call{.callee = callee, .inputs = inputs};
  for (const auto& each : module_.named_parameters()) call.parameters.emplace_back(each.name, each.value);
  for (const auto& each : module_.named_buffers()) call.parameters.emplace_back(each.name, each.value);
  call.run = [whole = *this](const std::vector<at::Tensor>& given) {
    libtorch::Unobserved within;
    return whole.run(given);
  };
  return observer->call(call);
}

std::vector<at::Tensor> TorchScriptGraph::run(const std::vector<at::Tensor>& inputs) const {
  if (auto answer = hand_over(inputs)) return *answer;
  auto stack = arguments(inputs);
  libtorch::ModuleScope scope;
  torch::jit::InterpreterState(code_).run(stack);
  std::vector<at::Tensor> out;
  for (auto& each : stack) flatten(each, out);
  return out;
}

libtorch::ParameterNames TorchScriptGraph::parameter_names() const {
  libtorch::ParameterNames names;
  for (const auto& each : module_.named_parameters()) names.add(each.name, each.value);
  for (const auto& each : module_.named_buffers()) names.add(each.name, each.value);
  for (const auto& each : module_.named_attributes())  // a state that a module keeps is its own, too
    if (each.value.isTensor() && !names.names.contains(each.name)) names.add(each.name, each.value.toTensor());
  return names;
}

at::TensorOptions TorchScriptGraph::options() const {
  for (const auto& parameter : module_.parameters())
    if (parameter.is_floating_point()) return parameter.options().requires_grad(false);
  for (const auto& buffer : module_.buffers())
    if (buffer.is_floating_point()) return buffer.options().requires_grad(false);
  if (floating_constant_.defined()) return floating_constant_.options().requires_grad(false);
  return {};
}

std::unique_ptr<const Program> TorchScriptGraph::on(c10::Device device) const {
  auto module = module_.clone();
  module.to(device);
  return std::make_unique<TorchScriptGraph>(std::move(module));
}

torch::jit::Module load_torchscript(const std::filesystem::path& path) {
  try {
    auto module = torch::jit::load(path.string());
    module.eval();
    return module;
  } catch (const std::exception& failure) {
    throw Error(libtorch::describe(failure, filled("'{}'", path.string()), Code::wrong_model,
                                   "is no TorchScript model, or is damaged", "save it again with torch.jit.save"));
  }
}

}  // namespace ascribe::model
