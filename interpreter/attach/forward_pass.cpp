#include "interpreter/attach/forward_pass.hpp"

#include <ATen/SequenceNumber.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <atomic>

#include "interpreter/attach/own_derivative.hpp"
#include "interpreter/attach/rule_node.hpp"

namespace ascribe::attaching {

using namespace libtorch;  // NOLINT: the room below

std::shared_ptr<ForwardPass> whole(std::shared_ptr<ForwardPass> pass) {
  while (pass && pass->joined) pass = pass->joined;
  return pass;
}

ForwardPasses::ForwardPasses(std::unordered_set<const c10::TensorImpl*> parameters)
    : first_node_(at::sequence_number::peek()), parameters_(std::move(parameters)) {
  static std::atomic<std::uint64_t> count = 0;
  attachment_ = ++count;
}

std::shared_ptr<ForwardPass> ForwardPasses::join(std::shared_ptr<ForwardPass> a, std::shared_ptr<ForwardPass> b) {
  a = whole(std::move(a)), b = whole(std::move(b));
  if (!a || !b || a == b) return a ? a : b;
  add_counts(a->counts, b->counts);
  for (auto& [kind, count] : b->calls_of_kind) a->calls_of_kind[kind] += count;
  b->joined = a;
  return a;
}

ForwardPass* ForwardPasses::pass_of(torch::autograd::Node* node) const {
  auto* own = RuleNode::of(node);
  return own && own->pass()->attachment == attachment_ ? own->pass().get() : nullptr;
}

// From the tensor back through autograd's graph, until `visit` says that it is enough. The walk ends at nodes of ours,
// which come with their pass, so that it is short wherever rules are at work.
template <typename Visit>
void ForwardPasses::walk(const at::Tensor& tensor, const Visit& visit) const {
  auto* last = tensor.grad_fn().get();
  if (!last) return;
  if (auto* pass = pass_of(last)) return void(visit(last, pass));  // mostly
  std::vector<torch::autograd::Node*> open{last};
  std::unordered_set<torch::autograd::Node*> seen(open.begin(), open.end());
  while (!open.empty()) {
    auto* node = open.back();
    open.pop_back();
    auto* pass = pass_of(node);
    if (!visit(node, pass)) return;
    if (pass) continue;
    for (auto& edge : node->next_edges())
      if (edge.function && seen.insert(edge.function.get()).second) open.push_back(edge.function.get());
  }
}

std::shared_ptr<ForwardPass> ForwardPasses::of(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.requires_grad()) return nullptr;
  auto of_leaf = [this](const at::Tensor& leaf) {
    return parameters_.contains(leaf.unsafeGetTensorImpl()) ? nullptr : of_source(leaf);
  };
  if (!tensor.grad_fn()) return of_leaf(tensor);
  if (auto found = noted(tensor)) return found;
  std::shared_ptr<ForwardPass> found;
  std::vector<std::string> own;
  walk(tensor, [&](torch::autograd::Node* node, ForwardPass* pass) {
    if (pass)
      found = join(found, static_cast<RuleNode*>(node)->pass());
    else if (auto* leaf = dynamic_cast<torch::autograd::AccumulateGrad*>(node))
      found = join(found, of_leaf(leaf->variable));
    else if (auto name = node->sequence_nr() >= first_node_ ? own_derivative(*node) : std::nullopt)
      own.push_back(std::move(*name));
    return true;
  });
  if (!found) return found;  // of parameters only
  for (auto& name : own)
    if (std::find(own_derivatives_.begin(), own_derivatives_.end(), name) == own_derivatives_.end())
      own_derivatives_.push_back(std::move(name));
  return found;
}

void ForwardPasses::note(const at::Tensor& result, const std::shared_ptr<ForwardPass>& pass) {
  if (!result.defined() || !result.requires_grad()) return;
  auto* node = result.grad_fn().get();
  if (!node || pass_of(node)) return;
  if (noted_.size() >= next_purge_) {
    std::erase_if(noted_, [](auto& each) { return each.second.tensor.expired(); });
    next_purge_ = std::max<std::size_t>(256, noted_.size() * 2);
  }
  noted_.insert_or_assign(result.unsafeGetTensorImpl(),
                          Noted{c10::weak_intrusive_ptr<c10::TensorImpl>(result.getIntrusivePtr()), node, pass});
}

std::shared_ptr<ForwardPass> ForwardPasses::noted(const at::Tensor& tensor) const {
  auto found = noted_.find(tensor.unsafeGetTensorImpl());
  if (found == noted_.end() || found->second.tensor.expired() || found->second.node != tensor.grad_fn().get())
    return {};
  auto pass = whole(found->second.pass);
  return pass->over ? nullptr : pass;
}

bool ForwardPasses::depends(const at::Tensor& tensor) const {
  if (!tensor.defined() || !tensor.requires_grad()) return false;
  if (!tensor.grad_fn()) return !parameters_.contains(tensor.unsafeGetTensorImpl());
  if (noted(tensor)) return true;
  bool found = false;
  walk(tensor, [&](torch::autograd::Node* node, ForwardPass* pass) {
    auto* leaf = dynamic_cast<torch::autograd::AccumulateGrad*>(node);
    return !(found = pass || (leaf && !parameters_.contains(leaf->variable.unsafeGetTensorImpl())));
  });
  return found;
}

bool ForwardPasses::made_here(const at::Tensor& tensor) const {
  bool found = false;
  walk(tensor, [&](torch::autograd::Node*, ForwardPass* pass) { return !(found = pass != nullptr); });
  return found;
}

std::shared_ptr<ForwardPass> ForwardPasses::of_source(const at::Tensor& source) {
  auto* key = source.unsafeGetTensorImpl();
  std::erase_if(inputs_, [](auto& each) { return each.second.tensor.expired(); });
  auto fresh = [&] {
    auto pass = std::make_shared<ForwardPass>();
    pass->attachment = attachment_;
    return pass;
  };
  auto found = inputs_.find(key);
  if (found == inputs_.end())
    found =
        inputs_.emplace(key, Input{c10::weak_intrusive_ptr<c10::TensorImpl>(source.getIntrusivePtr()), fresh()}).first;
  auto pass = whole(found->second.pass);
  if (pass->over) pass = found->second.pass = fresh();
  return pass;
}

}  // namespace ascribe::attaching
