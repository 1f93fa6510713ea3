// Calls of operators as recognition is told of them.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "interpreter/layers/recognition.hpp"
#include "tests/catch.hpp"

namespace test {
using namespace ascribe;

inline c10::OperatorHandle find(const std::string& name, const std::string& overload = "") {
  return c10::Dispatcher::singleton().findSchemaOrThrow(("aten::" + name).c_str(), overload.c_str());
}

/// An operator with arguments in order; what is left out has its default. Tensors that require a gradient are what
/// depends on the input.
struct Called {
  c10::OperatorHandle op;
  std::vector<c10::IValue> arguments;
  libtorch::ParameterNames names{};
  std::string module{};

  Called(const std::string& name, const std::string& overload, std::vector<c10::IValue> given)
      : op(find(name, overload)), arguments(std::move(given)) {
    auto& formals = op.schema().arguments();
    for (auto i = arguments.size(); i < formals.size(); ++i)
      arguments.push_back(formals[i].default_value().value_or(c10::IValue()));
  }

  layering::OperatorCall call() const {
    auto dependence = [this](const at::Tensor& tensor) {
      if (names.find(tensor) || !tensor.requires_grad()) return layering::Dependence::none;
      return tensor.is_leaf() ? layering::Dependence::leaf : layering::Dependence::input;
    };
    return {op,         arguments, layering::find_patterns(op.operator_name().name, op.operator_name().overload_name),
            dependence, names,     module};
  }
  std::optional<layering::Recognized> recognized() const { return layering::recognize(call()); }
  std::string kind() const {
    auto found = recognized();
    return !found ? "none" : found->call ? std::string(found->call->kind_name) : "no layer";
  }
  at::Tensor run() const {
    torch::jit::Stack stack(arguments.begin(), arguments.end());
    op.callBoxed(stack);
    return stack.front().toTensor();
  }
};

/// A tensor that depends on the model's input.
inline at::Tensor computed(at::IntArrayRef shape) { return at::randn(shape, at::kDouble).requires_grad_() * 1; }
inline at::Tensor constant(at::IntArrayRef shape) { return at::randn(shape, at::kDouble); }

}  // namespace test
