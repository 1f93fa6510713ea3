#include "interpreter/model/torchscript_memory.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace ascribe::model {
namespace {

using torch::jit::Node;
using torch::jit::Value;
using GraphValues = std::vector<const Value*>;
using ValueSet = std::unordered_set<const Value*>;

bool shares(const c10::Argument& given, const c10::Argument& result) {
  if (!result.alias_info()) return false;
  if (result.alias_info()->isWildcardBefore()) return true;  // an element of a list
  if (!given.alias_info()) return false;
  auto &sets = given.alias_info()->beforeSets(), &others = result.alias_info()->beforeSets();
  return std::any_of(sets.begin(), sets.end(), [&](auto& each) { return others.contains(each); });
}

// The values that this one may be a view of, or a container of, one step back.
GraphValues sources(const Value* value) {
  auto* node = value->node();
  GraphValues out;
  if (node->kind() == c10::prim::Param) {
    auto* loop = node->owningBlock()->owningNode();
    if (loop && loop->kind() == c10::prim::Loop && value->offset() > 0) {
      out.push_back(loop->input(value->offset() + 1));
      out.push_back(node->owningBlock()->outputs()[value->offset()]);
    }
  } else if (node->kind() == c10::prim::If) {
    for (auto* block : node->blocks()) out.push_back(block->outputs()[value->offset()]);
  } else if (node->kind() == c10::prim::Loop) {
    out.push_back(node->input(value->offset() + 2));
    out.push_back(node->blocks()[0]->outputs()[value->offset() + 1]);
  } else if (node->kind().is_prim()) {
    // Containers share what is in them; other operators of this sort give nothing new either.
    if (node->kind() != c10::prim::Constant && node->kind() != c10::prim::GetAttr)
      out.assign(node->inputs().begin(), node->inputs().end());
  } else if (auto* schema = node->maybeSchema()) {
    // Dropout out of training answers with its input, which its schema does not say.
    bool is_dropout = std::string_view(node->kind().toUnqualString()).find("dropout") != std::string_view::npos;
    for (std::size_t i = 0; i < std::min(node->inputs().size(), schema->arguments().size()); ++i)
      if ((is_dropout && i == 0) || (value->offset() < schema->returns().size() &&
                                     shares(schema->arguments()[i], schema->returns()[value->offset()])))
        out.push_back(node->input(i));
  }
  return out;
}

// What is behind all that a value may share memory with. The results of `cut` count as new.
ValueSet origins(const Value* value, const Node* cut = nullptr) {
  ValueSet out, seen;
  GraphValues pending{value};
  while (!pending.empty()) {
    auto* each = pending.back();
    pending.pop_back();
    if (!seen.insert(each).second) continue;
    auto before = each->node() == cut ? GraphValues() : sources(each);
    if (before.empty()) out.insert(each);
    pending.insert(pending.end(), before.begin(), before.end());
  }
  return out;
}

// What a node may hand on: its results, and those of the blocks that it begins or ends.
GraphValues handed_on(const Node* node) {
  GraphValues out(node->outputs().begin(), node->outputs().end());
  auto add_parameters = [&](const Node* loop) {
    for (auto* block : loop->blocks()) out.insert(out.end(), block->inputs().begin(), block->inputs().end());
  };
  add_parameters(node);
  if (auto* around = node->owningBlock()->owningNode(); around && node->kind() == c10::prim::Return) {
    out.insert(out.end(), around->outputs().begin(), around->outputs().end());
    add_parameters(around);
  }
  return out;
}

template <typename Visit>
void for_each_node(const torch::jit::Block& block, const Visit& visit) {
  for (auto* node : block.nodes()) {
    visit(node);
    for (auto* inner : node->blocks()) for_each_node(*inner, visit);
  }
}

bool is_within(const Node* node, const Node& other) {
  for (; node; node = node->owningBlock()->owningNode())
    if (node == &other) return true;
  return false;
}

}  // namespace

std::vector<bool> written_inputs(const torch::jit::Graph& graph) {
  ValueSet written;
  for_each_node(*graph.block(), [&](const Node* node) {
    auto* schema = node->maybeSchema();
    if (!schema || !schema->is_mutable()) return;
    for (std::size_t i = 0; i < std::min(node->inputs().size(), schema->arguments().size()); ++i)
      if (auto* alias = schema->arguments()[i].alias_info(); alias && alias->isWrite())
        for (auto* origin : origins(node->input(i))) written.insert(origin);
  });
  std::vector<bool> out;
  for (auto* input : graph.inputs()) out.push_back(written.contains(input));
  return out;
}

bool is_read_behind(const Value* value, const Node& node) {
  const Node* loop = nullptr;  // what stands before in it may run behind
  for (auto* around = node.owningBlock()->owningNode(); around; around = around->owningBlock()->owningNode())
    if (around->kind() == c10::prim::Loop) loop = around;
  auto found = origins(value, &node);
  GraphValues pending(found.begin(), found.end());
  ValueSet seen;
  while (!pending.empty()) {
    auto* each = pending.back();
    pending.pop_back();
    if (each->node() == &node || !seen.insert(each).second) continue;
    for (auto& use : each->uses()) {
      auto* user = use.user;
      if (is_within(user, node)) continue;
      if (user->isAfter(&node) || (loop && is_within(user, *loop))) {
        // Blocks that end here only hand on what they are given.
        if (user->kind() != c10::prim::Return || !user->owningBlock()->owningNode()) return true;
      }
      for (auto* result : handed_on(user)) {
        auto before = sources(result);
        if (std::find(before.begin(), before.end(), each) != before.end()) pending.push_back(result);
      }
    }
  }
  return false;
}

}  // namespace ascribe::model
