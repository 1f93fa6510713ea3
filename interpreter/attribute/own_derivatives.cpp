#include "interpreter/attribute/own_derivatives.hpp"

#include <torch/csrc/autograd/function.h>

#include <algorithm>
#include <unordered_set>

namespace ascribe::attributing {
namespace {

// LibTorch's nodes are called `AddBackward0`, or by the names of their classes; Python's functions `ScaledBackward`,
// and those of C++ by the class that they are an argument of.
bool is_own(const std::string& name) {
  return name.starts_with("torch::autograd::CppNode<") ||
         (name.ends_with("Backward") && name.find("::") == std::string::npos);
}

std::string without_wrapping(std::string name) {
  constexpr std::string_view begin = "torch::autograd::CppNode<";
  if (name.starts_with(begin)) return name.substr(begin.size(), name.size() - begin.size() - 1);
  return name.substr(0, name.size() - std::string_view("Backward").size());
}

}  // namespace

std::vector<std::string> own_derivatives(const at::Tensor& output) {
  std::vector<std::string> out;
  std::vector<torch::autograd::Node*> waiting{output.grad_fn().get()};
  std::unordered_set<torch::autograd::Node*> seen{nullptr};
  while (!waiting.empty()) {
    auto* node = waiting.back();
    waiting.pop_back();
    if (!seen.insert(node).second) continue;
    if (auto name = node->name(); is_own(name)) {
      name = without_wrapping(std::move(name));
      if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
    }
    for (auto& edge : node->next_edges()) waiting.push_back(edge.function.get());
  }
  return out;
}

}  // namespace ascribe::attributing
