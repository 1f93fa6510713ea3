#include "interpreter/libtorch/kept_tensor.hpp"

#include <ATen/ATen.h>
#include <c10/core/impl/COW.h>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"

namespace ascribe::libtorch {

namespace {

// A dense tensor that is nothing but memory: of its copies without history, LibTorch need not be asked through the
// dispatcher, which takes a microsecond for each.
bool is_plain(const at::Tensor& tensor) {
  static const auto plain = c10::DispatchKeySet({c10::DispatchKey::CPU, c10::DispatchKey::CUDA}) |
                            c10::autograd_dispatch_keyset_with_ADInplaceOrView | c10::autocast_dispatch_keyset;
  return (tensor.key_set() | plain) == plain && tensor.has_storage();
}

}  // namespace

KeptTensor KeptTensor::copy(const at::Tensor& tensor) {
  KeptTensor out;
  at::NoGradGuard no_grad;
  out.tensor_ = tensor.detach().clone();
  return out;
}

KeptTensor KeptTensor::result(const at::Tensor& tensor) {
  if (!is_plain(tensor)) return copy(tensor);
  // As at::_lazy_clone does it. A storage with a deleter of its own (memory of somebody else's) has no such clone.
  auto storage = c10::impl::cow::lazy_clone_storage(*tensor.storage().unsafeGetStorageImpl());
  if (!storage) return copy(tensor);
  auto clone = tensor.unsafeGetTensorImpl()->shallow_copy_and_detach(c10::VariableVersion(0),
                                                                     /*allow_tensor_metadata_change=*/true);
  clone->set_storage_keep_dtype(c10::Storage(std::move(storage)));
  KeptTensor out;
  out.tensor_ = at::Tensor(std::move(clone));
  return out;
}

KeptTensor KeptTensor::shape(const at::Tensor& tensor) {
  KeptTensor out;
  at::NoGradGuard no_grad;
  out.tensor_ = at::zeros({}, tensor.options().requires_grad(false)).expand(tensor.sizes());
  return out;
}

KeptTensor KeptTensor::reference(const at::Tensor& tensor) {
  KeptTensor out;
  if (!tensor.defined()) return out;
  // Shares the version counter.
  out.tensor_ = is_plain(tensor) ? at::Tensor(tensor.unsafeGetTensorImpl()->shallow_copy_and_detach(
                                       tensor.unsafeGetTensorImpl()->version_counter(), false))
                                 : tensor.detach();
  if (!tensor.is_inference()) out.version_ = static_cast<std::int64_t>(tensor._version());
  return out;
}

void KeptTensor::refuse(const std::string& what) {
  throw Error({.code = Code::overwritten_tensor,
               .message = filled("{} was changed after the forward pass", what),
               .help = "run the model forward again before the backward pass"});
}

}  // namespace ascribe::libtorch
