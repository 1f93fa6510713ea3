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
    if (kept_roots && normalises(op, stack)) return normalise(op, stack);
    op.callBoxed(stack);
    if (!kept_roots || op.operator_name().name != "aten::rsqrt") return;
    auto& root = libtorch::output_of(op, stack);
    root = kept_roots->visit(root.toTensor());
  }

 private:
  // Batch norm by its input's own statistics: what decomposed programs have for instance norm.
  static bool normalises(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
    auto training = op.schema().argumentIndexWithName("training");
    constexpr std::size_t results = 3;  // those with more learn statistics
    if (op.operator_name().name.find("batch_norm") == std::string::npos || !training ||
        op.schema().returns().size() != results)
      return false;
    auto arguments = libtorch::arguments_of(op, stack);
    return arguments[static_cast<std::size_t>(*training)].toBool();
  }
  static void normalise(const c10::OperatorHandle& op, torch::jit::Stack& stack) {
    auto arguments = libtorch::arguments_of(op, stack);
    auto argument = [&](const char* name) {
      return arguments[static_cast<std::size_t>(op.schema().argumentIndexWithName(name).value())];
    };
    auto x = arguments[0].toTensor();
    std::vector<std::int64_t> dimensions, channels(static_cast<std::size_t>(x.dim()), 1);
    for (std::int64_t d = 0; d < x.dim(); ++d)
      if (d != 1) dimensions.push_back(d);
    channels.at(1) = -1;
    auto mean = at::mean(x, dimensions, /*keepdim=*/true);
    auto variance = at::var(x, dimensions, /*unbiased=*/false, /*keepdim=*/true);
    auto root = kept_roots->visit(at::rsqrt(variance + argument("eps").toDouble()));
    auto y = (x - mean) * root;
    if (auto weight = argument("weight"); is_tensor(weight)) y = y * weight.toTensor().reshape(channels);
    if (auto bias = argument("bias"); is_tensor(bias)) y = y + bias.toTensor().reshape(channels);
    torch::jit::drop(stack, arguments.size());
    for (auto& each : {y, mean.flatten(), root.flatten()}) stack.emplace_back(each);
  }

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

at::Tensor KeptRoots::visit(const at::Tensor& root) {
  if (!recording) return kept_.at(next_++);
  kept_.push_back(root);
  return root;
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
