#include "interpreter/layers/module_operation.hpp"

#include <ATen/ATen.h>

#include "interpreter/layers/recognition.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::layering {

thread_local KeptRoots* kept_roots = nullptr;

namespace {

using libtorch::is_tensor;

class Substitution : public libtorch::Interceptor {
 public:
  Substitution(std::string name, const NamedTensors& parameters, const Tensors& theta) : name_(std::move(name)) {
    for (std::size_t i = 0; i < theta.size(); ++i)
      if (theta[i].unsafeGetTensorImpl() != parameters[i].second.unsafeGetTensorImpl())
        others_.emplace_back(parameters[i].second, theta[i]);
  }

  void call(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack& stack) override {
    auto count = op.schema().arguments().size();
    for (auto& pattern : find_patterns(op.operator_name().name, op.operator_name().overload_name))
      refuse_training_mode(pattern, op, libtorch::arguments_of(op, stack), name_);
    for (auto i = stack.size() - count; i < stack.size(); ++i) stack[i] = replaced(stack[i]);
    op.callBoxed(stack);
    if (kept_roots && op.operator_name().name == "aten::rsqrt") kept_roots->visit(libtorch::output_of(op, stack));
  }

 private:
  at::Tensor replaced(const at::Tensor& tensor) const {
    for (auto& [parameter, other] : others_)
      if (parameter.is_same(tensor)) return other;
    return tensor;
  }
  c10::IValue replaced(const c10::IValue& argument) const {
    if (others_.empty()) return argument;
    if (is_tensor(argument)) return replaced(argument.toTensor());
    if (!argument.isTensorList()) return argument;
    Tensors list;
    for (const at::Tensor& each : argument.toTensorVector()) list.push_back(replaced(each));
    return list;
  }

  std::string name_;
  std::vector<std::pair<at::Tensor, at::Tensor>> others_;
};

// Notices an operator that computes with what requires a gradient.
class Computing : public libtorch::Interceptor {
 public:
  void call(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack& stack) override {
    if (!follows_indices(op.operator_name().name))
      for (auto& argument : libtorch::arguments_of(op, stack))
        libtorch::for_each_tensor(argument, [&](const at::Tensor& tensor) { found = found || tensor.requires_grad(); });
    op.callBoxed(stack);
  }
  bool found = false;
};

}  // namespace

bool only_moves_indices(const std::function<Tensors(const Tensors&)>& run, const Tensors& inputs) {
  auto computing = std::make_shared<Computing>();
  libtorch::Serving serving(computing);
  Tensors leaves;
  for (auto& each : inputs) {
    auto copy = each.detach().clone();
    leaves.push_back(copy.is_floating_point() ? copy.requires_grad_() * 1 : copy);  // so that it may be written into
  }
  computing->found = false;
  (void)run(leaves);
  return !computing->found;
}

void KeptRoots::visit(c10::IValue& root) {
  if (recording)
    kept_.push_back(root.toTensor());
  else
    root = kept_.at(next_++);
}

std::shared_ptr<libtorch::Interceptor> substitution(std::string name, const NamedTensors& parameters,
                                                    const Tensors& theta) {
  return std::make_shared<Substitution>(std::move(name), parameters, theta);
}

std::shared_ptr<const Operation> module_operation(std::string name, std::function<at::Tensor(const Tensors&)> forward,
                                                  NamedTensors parameters) {
  return as_operation([name = std::move(name), forward = std::move(forward), parameters = std::move(parameters)](
                          const Tensors& inputs, const Tensors& theta) {
    libtorch::Serving serving(substitution(name, parameters, theta));
    // A module that writes into its input needs something that it may write into, and that is no leaf of the graph.
    Tensors copies;
    for (auto& each : inputs) copies.push_back(each.clone());
    return forward(copies);
  });
}

}  // namespace ascribe::layering
