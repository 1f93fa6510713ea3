// The arguments and results of an operator's call on LibTorch's stack.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <optional>
#include <string_view>
#include <vector>

namespace ascribe::libtorch {

/// An operator's result, to be known again: as it was made, and while somebody still holds it.
class Made {
 public:
  explicit Made(const at::Tensor& tensor)
      : tensor_(tensor.getIntrusivePtr()), version_(static_cast<std::int64_t>(tensor._version())) {}
  bool is(const at::Tensor& tensor) const {
    return tensor_.lock().get() == tensor.unsafeGetTensorImpl() &&
           version_ == static_cast<std::int64_t>(tensor._version());
  }
  bool expired() const { return tensor_.expired(); }

 private:
  c10::weak_intrusive_ptr<c10::TensorImpl> tensor_;
  std::int64_t version_;
};

inline bool is_tensor(const c10::IValue& value) { return value.isTensor() && value.toTensor().defined(); }

/// Whether it stands for others, or for a level of derivatives of its own: of torch.func's transforms, and of autograd
/// with many starts.
inline bool is_transformed(const at::Tensor& tensor) {
  return tensor.key_set().has_any(c10::DispatchKeySet(
      {c10::DispatchKey::FuncTorchGradWrapper, c10::DispatchKey::FuncTorchBatched, c10::DispatchKey::Batched}));
}

inline bool is_leaf_or_view_of_one(const at::Tensor& tensor) {
  return tensor.is_leaf() || (tensor.is_view() && tensor._base().is_leaf());
}

inline std::vector<c10::IValue> arguments_of(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  return {stack.end() - static_cast<std::ptrdiff_t>(op.schema().arguments().size()), stack.end()};
}

/// The number that a constant tensor is, however often: `torch.zeros_like(x)` is 0.
inline std::optional<double> number_in(const at::Tensor& tensor) {
  if (tensor.requires_grad() || tensor.is_complex() || tensor.numel() == 0 || !tensor.device().is_cpu() ||
      tensor.layout() != c10::kStrided || tensor.is_quantized())
    return {};
  auto flat = tensor.flatten();
  auto first = flat[0].item<double>();
  // Most are told by their ends; only what may be one number is read as a whole.
  if (tensor.numel() > 1 && (flat[-1].item<double>() != first || !flat.eq(first).all().item<bool>())) return {};
  return first;
}

/// The tensors in an argument or result: itself, or the elements of a list.
template <typename Visit>
void for_each_tensor(const c10::IValue& value, const Visit& visit) {
  if (is_tensor(value)) return visit(value.toTensor());
  if (value.isTensorList())
    for (const at::Tensor& each : value.toTensorVector())
      if (each.defined()) visit(each);
  // Of tensors that may be missing. TorchScript makes types of its own for such lists, so that it is not asked for.
  if (value.isList() && !value.isTensorList() && !value.isIntList() && !value.isDoubleList() && !value.isBoolList())
    for (const c10::IValue& each : value.toListRef())
      if (is_tensor(each)) visit(each.toTensor());
}

// Operators with several results (pooling with indices): the first is the layer's output, the others are data.
inline c10::IValue& output_of(const c10::OperatorHandle& op, torch::jit::Stack& stack) {
  return stack[stack.size() - op.schema().returns().size()];
}

/// `relu_` of `aten::relu_`.
inline std::string_view base_name(std::string_view name) {
  constexpr std::string_view prefix = "aten::";
  if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  return name;
}

/// Whether an operator writes into its first argument: `aten::mul_`.
inline bool writes_in_place(std::string_view name) { return name.ends_with('_') && !name.ends_with("__"); }

/// `mul` of `aten::mul_`.
inline std::string_view functional_name(std::string_view name) {
  name = base_name(name);
  if (writes_in_place(name)) name.remove_suffix(1);
  return name;
}

/// The operator that gives what this one writes into its first argument: itself, where it writes nothing. Empty: there
/// is none.
inline std::optional<c10::OperatorHandle> functional(const c10::OperatorHandle& op) {
  auto& name = op.operator_name().name;
  if (!writes_in_place(name)) return op;
  return c10::Dispatcher::singleton().findSchema({name.substr(0, name.size() - 1), op.operator_name().overload_name});
}

}  // namespace ascribe::libtorch
