// Which element of a model's integer inputs each element of an integer tensor comes from.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <map>
#include <optional>
#include <vector>

namespace ascribe::attributing {

/// Autograd follows floating numbers only; this follows integers, as far as it is plain: through views, copies,
/// conversions, selections, and what is worked out of each element for itself. Places count from 1 through all integer
/// inputs, one after the other. They are kept for each memory, so that every view of it finds its own.
class Places {
 public:
  static constexpr std::int64_t nowhere = 0;   ///< of what comes from no input
  static constexpr std::int64_t unknown = -1;  ///< of what comes from several elements, or by an unknown way

  /// Of the inputs that are not floating; the others have no places.
  explicit Places(const std::vector<at::Tensor>& inputs);

  /// Whether any of the tensor's memory comes from an input.
  bool known(const at::Tensor& tensor) const;
  /// In the tensor's shape.
  at::Tensor of(const at::Tensor& tensor) const;
  /// Those of the result of an operator that works on each element for itself: of its arguments, broadcast.
  at::Tensor combined(const std::vector<c10::IValue>& arguments, const at::Tensor& result) const;

  /// After an operator that was given what is known: its results are on the stack.
  void follow(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments, const torch::jit::Stack& stack);

 private:
  void set(const at::Tensor& tensor, const at::Tensor& places);
  std::vector<at::Tensor> moved(const c10::OperatorHandle& op, std::vector<c10::IValue> arguments) const;

  struct Memory {
    at::Storage held;  // an address of the past would be mistaken for it
    std::size_t item_size;
    at::Tensor places;  // one for each item
  };
  std::map<const c10::StorageImpl*, Memory> memories_;
};

/// Whether an operator works on each element for itself, or copies them one by one.
bool works_elementwise(const c10::OperatorHandle& op);
/// Which argument it writes into: the first one of in-place operators.
std::optional<std::size_t> written_argument(const c10::OperatorHandle& op);
/// Whether an operator takes nothing but shape and type of its argument: `zeros_like`.
bool takes_shape_only(const c10::OperatorHandle& op);

}  // namespace ascribe::attributing
