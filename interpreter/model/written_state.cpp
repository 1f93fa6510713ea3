#include "interpreter/model/written_state.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/constants.h>

#include "interpreter/libtorch/dispatch.hpp"

namespace ascribe::model {
namespace {

std::string name_of(const c10::Type& type) {
  auto* found = type.castRaw<c10::ClassType>();
  return found && found->name() ? found->name()->qualifiedName() : "";
}

// An argument's or result's memory, that of a list's elements included.
template <typename Visit>
void for_each_memory(const c10::AliasInfo* info, const Visit& visit) {
  if (!info) return;
  visit(*info);
  for (auto& each : info->containedTypes()) for_each_memory(&each, visit);
}

// Whether a result may share memory with an argument, as the operator's schema says.
bool may_share(const c10::FunctionSchema& schema, std::size_t result, std::size_t argument) {
  bool out = false;
  for_each_memory(schema.returns()[result].alias_info(), [&](const c10::AliasInfo& of_result) {
    out = out || of_result.isWildcardAfter();  // the element of a list, and the like
    for_each_memory(schema.arguments()[argument].alias_info(), [&](const c10::AliasInfo& of_argument) {
      for (auto& set : of_result.afterSets()) out = out || of_argument.beforeSets().contains(set);
    });
  });
  return out;
}

bool writes(const c10::Argument& argument) {
  bool out = false;
  for_each_memory(argument.alias_info(), [&](const c10::AliasInfo& info) { out = out || info.isWrite(); });
  return out;
}

// Whether a condition is known not to hold: models are in evaluation mode. What scripted batch norm counts in training
// is no state.
bool is_false(const torch::jit::Value* value) {
  auto* node = value->node();
  if (node->kind() == c10::prim::GetAttr) return node->s(c10::attr::name) == "training";
  if (auto constant = torch::jit::toIValue(value)) return constant->isBool() && !constant->toBool();
  if (node->kind() != c10::prim::If) return false;
  auto place = value->offset();
  return (is_false(node->input(0)) || is_false(node->blocks()[0]->outputs()[place])) &&
         is_false(node->blocks()[1]->outputs()[place]);
}

// Batch norm that was saved in training mode keeps its statistics up to date, which its schema does not say.
bool learns_statistics(const torch::jit::Node& node) {
  if (node.kind() != c10::aten::batch_norm && node.kind() != c10::aten::instance_norm) return false;
  auto training = torch::jit::toIValue(node.input(5));
  return training && training->isBool() && training->toBool();
}

}  // namespace

WrittenState::WrittenState(torch::jit::Graph& graph) {
  find_writes(*graph.block());
  for (auto* node : constants_) {
    torch::jit::WithInsertPoint here(node->next());
    auto* copy = graph.insert(c10::aten::clone, {node->output()});
    node->output()->replaceAllUsesAfterNodeWith(copy->node(), copy);
  }
  seen_.clear(), constants_.clear();
}

void WrittenState::find_writes(torch::jit::Block& block) {
  for (auto* node : block.nodes()) {
    for (auto* inner : node->blocks())
      if (node->kind() != c10::prim::If || inner != node->blocks()[0] || !is_false(node->input(0))) find_writes(*inner);
    if (node->kind() == c10::prim::SetAttr) any_ = true;
    if (learns_statistics(*node))
      for (std::size_t i : {3u, 4u}) trace(node->input(i));
    if (node->kind() == c10::prim::CallMethod || node->kind() == c10::prim::CallFunction) any_ = everything_ = true;
    auto* schema = node->maybeSchema();
    if (!schema) continue;
    for (std::size_t i = 0; i < schema->arguments().size() && i < node->inputs().size(); ++i)
      if (writes(schema->arguments()[i])) trace(node->input(i));
  }
}

// From a value that is written into back to where its memory may come from.
void WrittenState::trace(torch::jit::Value* value) {
  if (!seen_.insert(value).second) return;
  auto* node = value->node();
  auto place = value->offset();
  if (node->kind() == c10::prim::GetAttr) {
    any_ = true;
    overwritten_.emplace(name_of(*node->input(0)->type()), node->s(c10::attr::name));
    return;
  }
  if (node->kind() == c10::prim::Constant) {
    if (value->type()->isSubtypeOf(*c10::TensorType::get())) constants_.insert(node);
    return;
  }
  if (node->kind() == c10::prim::Param) {
    auto* owner = node->owningBlock()->owningNode();
    if (!owner || owner->kind() != c10::prim::Loop || place == 0) return;  // what the caller gives is the caller's copy
    trace(owner->input(place + 1));
    trace(node->owningBlock()->outputs()[place]);
    return;
  }
  for (auto* block : node->blocks()) {
    if (node->kind() == c10::prim::If) trace(block->outputs()[place]);
    if (node->kind() == c10::prim::Loop) trace(block->outputs()[place + 1]);
  }
  if (node->kind() == c10::prim::Loop) trace(node->input(place + 2));
  if (!node->blocks().empty()) return;
  auto* schema = node->maybeSchema();
  for (std::size_t i = 0; i < node->inputs().size(); ++i)
    if (!schema || node->kind().is_prim() ||
        (i < schema->arguments().size() && place < schema->returns().size() && may_share(*schema, place, i)))
      trace(node->input(i));
}

torch::jit::ModulePtr WrittenState::copy(const torch::jit::ModulePtr& object,
                                         std::map<const void*, c10::IValue>& copied) const {
  if (auto found = copied.find(object.get()); found != copied.end()) return found->second.toObject();
  auto out = object->copy();
  copied.emplace(object.get(), out);
  auto type = object->type();
  auto name = name_of(*type);
  for (std::size_t i = 0; i < object->slots().size() && i < type->numAttributes(); ++i) {
    auto& value = object->slots()[i];
    if (value.isObject()) {
      out->setSlot(i, copy(value.toObject(), copied));
      continue;
    }
    bool written = overwritten_.contains({name, type->getAttributeName(i)}) || (everything_ && !type->is_parameter(i));
    if (!written) continue;
    if (!value.isTensor()) {
      out->setSlot(i, value.deepcopy());
    } else if (auto tensor = value.toTensor(); tensor.defined()) {
      auto& own = copied[tensor.unsafeGetTensorImpl()];
      if (own.isNone()) own = tensor.detach().clone();
      out->setSlot(i, own);
    }
  }
  return out;
}

torch::jit::ModulePtr WrittenState::of_a_run(const torch::jit::ModulePtr& module) const {
  if (!any_) return module;
  libtorch::Pause pause;  // copies are nobody's layers
  at::NoGradGuard no_grad;
  std::map<const void*, c10::IValue> copied;
  return copy(module, copied);
}

}  // namespace ascribe::model
