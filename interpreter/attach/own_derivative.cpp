#include "interpreter/attach/own_derivative.hpp"

#include <algorithm>
#include <string_view>

namespace ascribe::attaching {

// PyTorch's own functions that hand down what they get: those of hooks on modules, and of models on several machines.
constexpr std::string_view identities[] = {"BackwardHookFunction", "_DDPSink"};

// LibTorch's nodes are called `AddBackward0`, or by the names of their classes; Python's functions `ScaledBackward`,
// and those of C++ by the class that they are an argument of.
std::optional<std::string> own_derivative(const torch::autograd::Node& node) {
  constexpr std::string_view of_class = "torch::autograd::CppNode<", behind = "Backward";
  auto name = node.name();
  if (name.starts_with(of_class)) return name.substr(of_class.size(), name.size() - of_class.size() - 1);
  if (!name.ends_with(behind) || name.find("::") != std::string::npos) return {};
  name.resize(name.size() - behind.size());
  if (std::find(std::begin(identities), std::end(identities), name) != std::end(identities)) return {};
  return name;
}

}  // namespace ascribe::attaching
