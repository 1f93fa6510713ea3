#include "interpreter/model/torchscript.hpp"

#include <fmt/ranges.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/library.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/libtorch/module_scope.hpp"

namespace ascribe::model {
namespace {

void enter_module(const std::string& name) { libtorch::current_module() = name; }

// The operator that enters a module. It sets a variable of this copy of the library, of which there may be several in a
// process, and LibTorch knows operators by their names: so each copy has its own, which goes with it.
c10::Symbol mark() {
  static const auto name = filled("enter_module_{:x}", reinterpret_cast<std::uintptr_t>(&enter_module));
  static const auto library = [] {
    torch::Library out(torch::Library::FRAGMENT, "ascribe", std::nullopt, "ascribe", 0);
    out.def((name + "(str name) -> ()").c_str(), &enter_module);
    return out;
  }();
  return c10::Symbol::fromQualString("ascribe::" + name);
}

// The name of the module that a value is: the chain of attributes that leads to it from the graph's own module.
std::optional<std::string> path_of(const torch::jit::Value* value, const torch::jit::Value* self,
                                   const std::string& prefix) {
  std::string path;
  while (value != self) {
    auto* node = value->node();
    if (node->kind() != c10::prim::GetAttr) return {};
    path = path.empty() ? node->s(c10::attr::name) : node->s(c10::attr::name) + "." + path;
    value = node->input(0);
  }
  return prefix.empty() || path.empty() ? prefix + path : prefix + "." + path;
}

// Frozen files have no calls left, but may still say where each operator came from.
std::string with_call_stack(std::string path, const torch::jit::Node& node) {
  if (!node.callstack()) return path;
  for (auto& frame : (*node.callstack())->vec())
    if (auto& module = std::get<2>(frame);
        module && module->instance_name() != "SELF" && module->instance_name() != "UNKNOWN_INSTANCE")
      path += (path.empty() ? "" : ".") + module->instance_name();
  return path;
}

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

// Puts a mark before every operator and fills every call in. Names come from the calls, so that modules in lists and
// modules without parameters keep theirs.
void inline_with_names(torch::jit::Graph& graph, torch::jit::Block* block, const torch::jit::Value* self,
                       const std::string& prefix) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    auto* node = *it++;
    for (auto* inner : node->blocks()) inline_with_names(graph, inner, self, prefix);
    std::shared_ptr<torch::jit::Graph> callee;
    std::string inside = prefix;
    std::vector<torch::jit::Value*> inputs;
    if (node->kind() == c10::prim::CallMethod) {
      auto type = node->input(0)->type()->cast<c10::ClassType>();
      if (!type) continue;  // a module interface: which module it is, only the run will tell
      callee = torch::jit::toGraphFunction(type->getMethod(node->s(c10::attr::name))).graph()->copy();
      inputs = node->inputs().vec();
      inside = path_of(node->input(0), self, prefix).value_or(prefix);
    } else if (node->kind() == c10::prim::CallFunction) {
      auto* function = node->input(0)->type()->expect<c10::FunctionType>()->function();
      callee = torch::jit::toGraphFunction(*function).graph()->copy();
      inputs.assign(node->inputs().begin() + 1, node->inputs().end());
    } else {
      if (node->kind().is_aten()) {
        torch::jit::WithInsertPoint here(node);
        auto* name = graph.insertConstant(with_call_stack(prefix, *node));
        graph.insertNode(graph.create(mark(), {name}, 0));
      }
      continue;
    }
    auto* own_self = callee->inputs().empty() ? nullptr : callee->inputs()[0];
    inline_with_names(*callee, callee->block(), node->kind() == c10::prim::CallMethod ? own_self : nullptr, inside);
    torch::jit::WithInsertPoint here(node);
    auto outputs = torch::jit::insertGraph(graph, *callee, inputs);
    for (std::size_t i = 0; i < outputs.size(); ++i) node->output(i)->replaceAllUsesWith(outputs[i]);
    node->destroy();
  }
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
  inline_with_names(*graph, graph->block(), graph->inputs()[0], "");
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

void flatten(const c10::IValue& value, std::vector<at::Tensor>& into) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) into.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (auto& each : value.toTupleRef().elements()) flatten(each, into);
  } else if (value.isList()) {
    for (const auto& each : value.toListRef()) flatten(each, into);
  } else if (value.isGenericDict()) {
    for (auto& each : value.toGenericDict()) flatten(each.value(), into);
  }
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
      looks_up_integers_(holds_embedding(*graph->block())) {
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

// Arguments with defaults get inputs only where there are enough; the first ones first.
torch::jit::Stack TorchScriptGraph::arguments(const std::vector<at::Tensor>& inputs) const {
  auto& formals = module_.get_method("forward").function().getSchema().arguments();
  std::size_t needed = 0, possible = 0;
  bool open = false;
  std::vector<std::string> names;
  for (auto formal = formals.begin() + 1; formal != formals.end(); ++formal) {
    auto count = count_tensors(*formal->type());
    if (!count) continue;
    names.push_back(formal->name());
    possible += count->tensors, open |= count->open;
    if (!formal->default_value()) needed += count->tensors;
  }
  if (inputs.size() < needed || (inputs.size() > possible && !open))
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

std::vector<at::Tensor> TorchScriptGraph::run(const std::vector<at::Tensor>& inputs) const {
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
  return names;
}

at::TensorOptions TorchScriptGraph::options() const {
  for (const auto& parameter : module_.parameters())
    if (parameter.is_floating_point()) return parameter.options().requires_grad(false);
  if (floating_constant_.defined()) return floating_constant_.options().requires_grad(false);
  return at::TensorOptions().dtype(at::kFloat);
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
