#include "interpreter/model/torchscript.hpp"

#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/library.h>

#include <fstream>

#include "interpreter/model/failure.hpp"

namespace ascribe::model {
namespace {

void enter_module(const std::string& name) { attaching::current_module() = name; }

const auto mark = c10::Symbol::fromQualString("ascribe::enter_module");

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
        graph.insertNode(graph.create(mark, {name}, 0));
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

std::shared_ptr<torch::jit::Graph> named_graph(const torch::jit::Module& module) {
  auto method = module.find_method("forward");
  if (!method)
    throw Error({.code = Code::wrong_model,
                 .message = "the model has no `forward`",
                 .help = "save a module that maps a tensor to a tensor"});
  auto graph = method->graph()->copy();
  if (graph->inputs().size() != 2 || !graph->inputs()[1]->type()->isSubtypeOf(*c10::TensorType::get()))
    throw Error({.code = Code::wrong_model,
                 .message = fmt::format("the model's forward takes {} arguments; one tensor is supported",
                                        graph->inputs().size() - 1),
                 .help = "wrap it in a module that takes one tensor"});
  inline_with_names(*graph, graph->block(), graph->inputs()[0], "");
  return graph;
}

}  // namespace

TORCH_LIBRARY(ascribe, library) { library.def("enter_module(str name) -> ()", &enter_module); }

TorchScriptGraph::TorchScriptGraph(torch::jit::Module module) : TorchScriptGraph(module, named_graph(module)) {}

TorchScriptGraph::TorchScriptGraph(torch::jit::Module module, const std::shared_ptr<torch::jit::Graph>& graph)
    : module_(std::move(module)),
      code_(graph, "forward"),
      floating_constant_(find_floating_constant(*graph->block())) {}

at::Tensor TorchScriptGraph::run(const at::Tensor& input) const {
  struct Leave {
    ~Leave() { attaching::current_module().clear(); }
  } leave;
  torch::jit::Stack stack{module_._ivalue(), input};
  torch::jit::InterpreterState(code_).run(stack);
  if (stack.size() != 1 || !stack.front().isTensor())
    throw Error({.code = Code::wrong_model,
                 .message = fmt::format("the model returns a {}; one tensor is supported",
                                        stack.empty() ? "nothing" : stack.front().tagKind()),
                 .help = "wrap it in a module that returns one tensor"});
  return stack.front().toTensor();
}

ParameterNames TorchScriptGraph::parameter_names() const {
  ParameterNames names;
  for (const auto& each : module_.named_parameters()) names.add(each.name, each.value);
  return names;
}

torch::jit::Module load_torchscript(const std::filesystem::path& path) {
  auto refuse = [&](Code code, std::string message, std::string help) {
    return Error({.code = code, .message = std::move(message), .help = std::move(help)});
  };
  std::error_code error;
  auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status))
    throw refuse(Code::unreadable_file, fmt::format("cannot read model '{}': no such file", path.string()),
                 "give the path of a TorchScript file (.pt)");
  if (!std::filesystem::is_regular_file(status))
    throw refuse(Code::unreadable_file, fmt::format("cannot read model '{}': it is no file", path.string()),
                 "give the path of a TorchScript file (.pt)");
  if (!std::ifstream(path, std::ios::binary))
    throw refuse(Code::unreadable_file, fmt::format("cannot read model '{}': permission denied", path.string()),
                 "check its permissions");
  if (std::filesystem::file_size(path, error) == 0)
    throw refuse(Code::wrong_model, fmt::format("model '{}' is empty", path.string()),
                 "save it again with torch.jit.save");
  try {
    caffe2::serialize::PyTorchStreamReader archive(path.string());
    if (!archive.hasRecord("constants.pkl"))
      throw refuse(Code::wrong_model, fmt::format("'{}' holds no TorchScript model", path.string()),
                   archive.hasRecord("data.pkl")
                       ? "it was written by torch.save; save the model with torch.jit.trace(model, x).save(…)"
                       : "save the model with torch.jit.trace(model, x).save(…)");
    auto module = torch::jit::load(path.string());
    module.eval();
    return module;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw Error(evaluate::describe(failure, fmt::format("'{}'", path.string()), Code::wrong_model,
                                   "is no TorchScript model, or is damaged", "save it again with torch.jit.save"));
  }
}

}  // namespace ascribe::model
