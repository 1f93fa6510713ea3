// Nodes of autograd's graph, which LibTorch holds by an intrusive pointer from 2.13 on, and by a shared one before.
#pragma once

#include <torch/csrc/autograd/function.h>

#include <memory>
#include <type_traits>
#include <utility>

namespace ascribe::libtorch {

/// A node that edges and tensors can hold.
template <typename Node, typename... Arguments>
auto make_node(Arguments&&... arguments) {
  if constexpr (std::is_base_of_v<c10::intrusive_ptr_target, torch::autograd::Node>)
    return c10::make_intrusive<Node>(std::forward<Arguments>(arguments)...);
  else
    return std::shared_ptr<Node>(new Node(std::forward<Arguments>(arguments)...),
                                 [](auto* node) { deleteNode(node); });  // torch::autograd's, where there is one
}

}  // namespace ascribe::libtorch
