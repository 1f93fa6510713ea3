#include "interpreter/model/torchscript_calls.hpp"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/library.h>

#include <algorithm>
#include <mutex>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/layers/table.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/libtorch/module_calls.hpp"
#include "interpreter/libtorch/module_scope.hpp"
#include "interpreter/model/archive.hpp"
#include "interpreter/model/torchscript_memory.hpp"

namespace ascribe::model {
namespace {

using torch::jit::Node;

void enter_module(const std::string& name) { libtorch::current_module() = name; }

// LibTorch knows operators by their names, and there may be several copies of this library in a process: each has its
// own, which goes with it.
std::string own_name(const char* name) {
  return filled("ascribe::{}_{:x}", name, reinterpret_cast<std::uintptr_t>(&enter_module));
}

// The operator that enters a module. It sets a variable of this copy of the library.
c10::Symbol mark() {
  static const auto name = own_name("enter_module");
  static const auto library = [] {
    torch::Library out(torch::Library::FRAGMENT, "ascribe", std::nullopt, "ascribe", 0);
    out.def((name + "(str name) -> ()").c_str(), &enter_module);
    return out;
  }();
  return c10::Symbol::fromQualString(name);
}

// ------------------------------------------------------------------------------------------------------ whole modules

// A value with other tensors in it. Containers are new ones: nobody else changes them.
template <typename Replace>
c10::IValue rebuilt(const c10::IValue& value, const Replace& replace) {
  if (value.isTensor()) return value.toTensor().defined() ? c10::IValue(replace(value.toTensor())) : value;
  if (value.isTuple()) {
    std::vector<c10::IValue> elements;
    for (auto& each : value.toTupleRef().elements()) elements.push_back(rebuilt(each, replace));
    auto type = value.type()->cast<c10::TupleType>();
    return type && type->schema() ? c10::ivalue::Tuple::createNamed(std::move(elements), type)
                                  : c10::ivalue::Tuple::create(std::move(elements));
  }
  if (value.isList()) {
    auto list = value.toList();
    c10::impl::GenericList out(list.elementType());
    for (const auto& each : value.toListRef()) out.push_back(rebuilt(each, replace));
    return out;
  }
  if (value.isGenericDict()) {
    auto dict = value.toGenericDict();
    c10::impl::GenericDict out(dict.keyType(), dict.valueType());
    for (auto& each : dict) out.insert(each.key(), rebuilt(each.value(), replace));
    return out;
  }
  return value;
}

// How many tensors a result consists of; nothing where it may be something else.
std::optional<std::size_t> count_results(const c10::Type& type) {
  if (type.isSubtypeOf(*c10::TensorType::get())) return 1;
  auto* tuple = type.castRaw<c10::TupleType>();
  if (!tuple) return {};
  std::size_t out = 0;
  for (auto& each : tuple->elements()) {
    auto inside = count_results(*each);
    if (!inside) return {};
    out += *inside;
  }
  return out;
}

c10::IValue assembled(const c10::TypePtr& type, const at::Tensor*& next) {
  auto tuple = type->cast<c10::TupleType>();
  if (!tuple) return *next++;
  std::vector<c10::IValue> elements;
  for (auto& each : tuple->elements()) elements.push_back(assembled(each, next));
  return tuple->schema() ? c10::ivalue::Tuple::createNamed(std::move(elements), tuple)
                         : c10::ivalue::Tuple::create(std::move(elements));
}

// One call of a module's forward, wherever the graph that it is in is run.
struct Method : torch::CustomClassHolder {
  libtorch::Callee callee;
  std::shared_ptr<torch::jit::Graph> graph;  // of the method, with all calls filled in
  c10::TypePtr result;
  std::vector<bool> written;         // which arguments it writes into
  std::vector<std::string> weights;  // what arguments are called that are attributes: tracing hands tied weights over
  std::string obstacle;              // why it cannot be handed over; empty: it can

  torch::jit::Code code() {
    std::call_once(compiled_, [&] { code_.emplace(graph, callee.path); });
    return *code_;
  }

 private:
  std::once_flag compiled_;
  std::optional<torch::jit::Code> code_;
};
using MethodPointer = c10::intrusive_ptr<Method>;

// A method with its arguments as they were, whenever and on whatever thread it runs.
struct Kept {
  MethodPointer method;
  std::vector<c10::IValue> arguments;
  std::vector<at::Tensor> inputs;  // those among the arguments

  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& given) const {
    if (given.size() != inputs.size())
      throw std::invalid_argument(filled("a module that takes {} tensors is given {}", inputs.size(), given.size()));
    libtorch::ModuleScope scope;
    libtorch::Unobserved whole;
    torch::jit::Stack stack;
    for (std::size_t i = 0; i < arguments.size(); ++i)
      stack.push_back(rebuilt(arguments[i], [&](const at::Tensor& tensor) {
        auto found = std::find_if(inputs.begin(), inputs.end(), [&](auto& each) { return each.is_same(tensor); });
        auto& value = found == inputs.end() ? tensor : given[static_cast<std::size_t>(found - inputs.begin())];
        return method->written[i] ? value.clone() : value;
      }));
    torch::jit::InterpreterState(method->code()).run(stack);
    std::vector<at::Tensor> out;
    for (auto& each : stack) flatten(each, out);
    return out;
  }
};

void hand_module_over(const MethodPointer& method, torch::jit::Stack& stack) {
  if (!method->obstacle.empty())
    throw Error({.code = Code::rule_does_not_fit,
                 .message = filled("module {} ({}) {}, so that it cannot be one layer", shown_name(method->callee.path),
                                   method->callee.class_name, method->obstacle),
                 .help = "name the modules within it instead"});
  libtorch::current_module() = method->callee.path;
  auto count = method->graph->inputs().size();
  libtorch::ModuleCall call{.callee = method->callee};
  Kept kept{.method = method, .arguments = {}, .inputs = {}};
  for (auto& each : torch::jit::pop(stack, count)) {
    auto& weight = method->weights[kept.arguments.size()];
    auto add = [&](const at::Tensor& tensor) {
      if (!weight.empty())
        call.parameters.emplace_back(weight, tensor);
      else if (std::none_of(kept.inputs.begin(), kept.inputs.end(), [&](auto& other) { return other.is_same(tensor); }))
        kept.inputs.push_back(tensor);
      return tensor;
    };
    kept.arguments.push_back(rebuilt(each, add));
  }
  torch::jit::Module module(kept.arguments.at(0).toObject());
  for (const auto& each : module.named_parameters()) call.parameters.emplace_back(each.name, each.value);
  for (const auto& each : module.named_buffers()) call.parameters.emplace_back(each.name, each.value);
  call.inputs = kept.inputs;
  call.run = std::move(kept);
  auto results = libtorch::module_observer()->call(call);
  if (results.size() != count_results(*method->result))
    throw std::runtime_error(filled("module {} was answered with {} tensors, not {}", shown_name(method->callee.path),
                                    results.size(), *count_results(*method->result)));
  const auto* next = results.data();
  stack.push_back(assembled(method->result, next));
}

// TorchScript's interpreter makes an exception of its own of what goes through it.
template <typename Body>
void remember_errors(const Body& body) {
  try {
    body();
  } catch (const Error&) {
    libtorch::last_error() = std::current_exception();
    throw;
  }
}

MethodPointer method_of(const Node* node) {
  return c10::static_intrusive_pointer_cast<Method>(node->ival(c10::attr::value).toCapsule());
}

torch::jit::Operation ask(const Node* node) {
  return [method = method_of(node)](torch::jit::Stack& stack) {
    auto* observer = libtorch::module_observer();
    bool wanted = false;
    if (observer) remember_errors([&] { wanted = observer->wants(method->callee); });
    stack.emplace_back(wanted);
  };
}

torch::jit::Operation run_whole(const Node* node) {
  return [method = method_of(node)](torch::jit::Stack& stack) {
    remember_errors([&] { hand_module_over(method, stack); });
  };
}

// Operators of TorchScript's alone, which go past the dispatcher: what observes there does not see them.
struct OwnOperator {
  c10::Symbol name;
  torch::jit::Operator op;
  OwnOperator(const char* plain, torch::jit::OperationCreator creator)
      : name(c10::Symbol::fromQualString(own_name(plain))), op(name, creator, c10::AliasAnalysisKind::CONSERVATIVE) {
    torch::jit::registerOperator(torch::jit::Operator(op));
  }
  OwnOperator(const OwnOperator&) = delete;
  OwnOperator& operator=(const OwnOperator&) = delete;
  ~OwnOperator() { torch::jit::deregisterOperator(op.schema()); }
};
c10::Symbol asking() {
  static const OwnOperator own("wants_module", &ask);
  return own.name;
}
c10::Symbol handing_over() {
  static const OwnOperator own("call_module", &run_whole);
  return own.name;
}

// ----------------------------------------------------------------------------------------------------------- filling
// in

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
std::string with_call_stack(std::string path, const Node& node) {
  if (!node.callstack()) return path;
  for (auto& frame : (*node.callstack())->vec())
    if (auto& module = std::get<2>(frame);
        module && module->instance_name() != "SELF" && module->instance_name() != "UNKNOWN_INSTANCE")
      path += (path.empty() ? "" : ".") + module->instance_name();
  return path;
}

// `forward`; traced modules that are called several times have forward1, forward2, …
bool is_forward(std::string_view name) {
  constexpr std::string_view forward = "forward";
  return name.starts_with(forward) && name.find_first_not_of("0123456789", forward.size()) == std::string_view::npos;
}

bool assigns(const torch::jit::Block& block) {
  return std::any_of(block.nodes().begin(), block.nodes().end(), [](auto* node) {
    return node->kind() == c10::prim::SetAttr ||
           std::any_of(node->blocks().begin(), node->blocks().end(), [](auto* inner) { return assigns(*inner); });
  });
}

MethodPointer method_for(const std::shared_ptr<torch::jit::Graph>& graph, const c10::ClassType& type,
                         const std::string& path) {
  auto method = c10::make_intrusive<Method>();
  method->callee = {.path = path, .class_name = class_name(type), .operators = count_operators(*graph->block())};
  method->graph = graph;
  method->result = graph->outputs().at(0)->type();
  method->written = written_inputs(*graph);
  method->weights.resize(graph->inputs().size());
  if (!count_results(*method->result).value_or(0))
    method->obstacle = filled("gives {}, not tensors", method->result->repr_str());
  else if (assigns(*graph->block()))
    method->obstacle = "assigns to attributes";
  return method;
}

// `if wants: result = call(...) else: result = what the call was`.
std::vector<torch::jit::Value*> insert_choice(torch::jit::Graph& graph, const MethodPointer& method,
                                              const std::vector<torch::jit::Value*>& inputs) {
  auto create = [&](c10::Symbol name, at::ArrayRef<torch::jit::Value*> given, const c10::TypePtr& type) {
    auto* node = graph.create(name, given, 1);
    node->ival_(c10::attr::value, c10::IValue::make_capsule(method));
    node->output()->setType(type);
    return graph.insertNode(node)->output();
  };
  auto* wanted = create(asking(), {}, c10::BoolType::get());
  auto* choice = graph.insertNode(graph.create(c10::prim::If, {wanted}, 0));
  {
    torch::jit::WithInsertPoint within(choice->addBlock());
    choice->blocks()[0]->registerOutput(create(handing_over(), inputs, method->result));
  }
  {
    torch::jit::WithInsertPoint within(choice->addBlock());
    choice->blocks()[1]->registerOutput(torch::jit::insertGraph(graph, *method->graph, inputs).at(0));
  }
  choice->addOutput()->setType(method->result);
  return choice->outputs().vec();
}

void fill_in(torch::jit::Graph& graph, torch::jit::Block* block, const torch::jit::Value* self,
             const std::string& prefix) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    auto* node = *it++;
    for (auto* inner : node->blocks()) fill_in(graph, inner, self, prefix);
    std::shared_ptr<torch::jit::Graph> callee;
    c10::ClassTypePtr module;  // whose forward it is
    std::string inside = prefix;
    std::vector<torch::jit::Value*> inputs;
    if (node->kind() == c10::prim::CallMethod) {
      auto type = node->input(0)->type()->cast<c10::ClassType>();
      if (!type) continue;  // a module interface: which module it is, only the run will tell
      callee = torch::jit::toGraphFunction(type->getMethod(node->s(c10::attr::name))).graph()->copy();
      inputs = node->inputs().vec();
      auto path = path_of(node->input(0), self, prefix);
      inside = path.value_or(prefix);
      if (path && node->input(0) != self && type->is_module() && is_forward(node->s(c10::attr::name))) module = type;
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
    fill_in(*callee, callee->block(), node->kind() == c10::prim::CallMethod ? own_self : nullptr, inside);
    torch::jit::WithInsertPoint here(node);
    auto outputs = module && callee->outputs().size() == 1
                       ? insert_choice(graph, method_for(callee, *module, inside), inputs)
                       : torch::jit::insertGraph(graph, *callee, inputs);
    for (std::size_t i = 0; i < outputs.size(); ++i) node->output(i)->replaceAllUsesWith(outputs[i]);
    node->destroy();
  }
}

// Where arguments come from, and who else reads them: only the whole graph tells.
void complete_calls(const torch::jit::Block& block) {
  for (auto* node : block.nodes()) {
    for (auto* inner : node->blocks()) complete_calls(*inner);
    if (node->kind() != handing_over()) continue;
    auto method = method_of(node);
    for (std::size_t i = 1; i < node->inputs().size(); ++i) {
      auto* value = node->input(i);
      if (value->node()->kind() == c10::prim::GetAttr && value->type()->isSubtypeOf(*c10::TensorType::get()))
        method->weights[i] = value->node()->s(c10::attr::name);
      if (method->written[i] && method->obstacle.empty() && is_read_behind(value, *node->owningBlock()->owningNode()))
        method->obstacle = "writes into its input, which is read again";
    }
  }
}

}  // namespace

void fill_in_calls(torch::jit::Graph& graph) {
  fill_in(graph, graph.block(), graph.inputs()[0], "");
  complete_calls(*graph.block());
}

std::size_t count_operators(const torch::jit::Block& block) {
  auto holds_tensors = [](const torch::jit::Value* value) {
    auto* type = value->type()->castRaw<c10::ListType>();
    return (type ? type->getElementType() : value->type())->isSubtypeOf(*c10::TensorType::get());
  };
  std::size_t out = 0;
  for (auto* node : block.nodes()) {
    std::size_t inside = 0;
    for (auto* inner : node->blocks()) inside = std::max(inside, count_operators(*inner));
    out += inside;
    out += node->kind().is_aten() && !layering::follows_indices(node->kind().toQualString()) &&
           std::any_of(node->outputs().begin(), node->outputs().end(), holds_tensors);
  }
  return out;
}

std::string class_name(const c10::ClassType& type) { return type.name() ? type.name()->name() : std::string(); }

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

}  // namespace ascribe::model
