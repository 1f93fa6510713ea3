// Tensors that a backward pass will need.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <string>

namespace ascribe::libtorch {

/// A tensor as it was when a layer was called, whatever is written into it afterwards.
///
/// Results of other layers are kept by a lazy clone, which copies only when somebody writes. Parameters and leaves that
/// are the model's inputs are shared between threads and are only referred to: a later change is noticed, and refused.
class KeptTensor {
 public:
  KeptTensor() = default;
  /// Of what belongs to the model or the caller, perhaps to several threads: nothing may touch its memory.
  static KeptTensor copy(const at::Tensor& tensor);
  /// Of what this thread's layers have made, and no other thread has seen yet.
  static KeptTensor result(const at::Tensor& tensor);
  static KeptTensor reference(const at::Tensor& tensor);
  /// Of which only shape and type will be asked: its numbers are not kept, and what get() gives has none of them.
  static KeptTensor shape(const at::Tensor& tensor);

  bool defined() const { return tensor_.defined(); }
  /// Of the numbers that are kept, shared or not.
  std::int64_t bytes() const {
    if (!tensor_.defined()) return 0;
    return static_cast<std::int64_t>(std::min(tensor_.nbytes(), tensor_.storage().nbytes()));
  }
  /// Without history. Throws Error (overwritten_tensor) where a tensor that is referred to has changed; `what()` names
  /// it.
  template <typename What>
  const at::Tensor& get(const What& what) const {
    if (is_overwritten()) refuse(what());
    return tensor_;
  }

 private:
  bool is_overwritten() const { return version_ >= 0 && version_ != static_cast<std::int64_t>(tensor_._version()); }
  [[noreturn]] static void refuse(const std::string& what);

  at::Tensor tensor_;
  std::int64_t version_ = -1;  // -1: a value of our own
};

}  // namespace ascribe::libtorch
