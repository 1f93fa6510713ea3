#include "interpreter/libtorch/kept_tensor.hpp"

#include <ATen/ATen.h>
#include <c10/core/impl/COW.h>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"

namespace ascribe::libtorch {

KeptTensor KeptTensor::copy(const at::Tensor& tensor) {
  KeptTensor out;
  at::NoGradGuard no_grad;
  out.tensor_ = tensor.detach().clone();
  return out;
}

KeptTensor KeptTensor::result(const at::Tensor& tensor) {
  KeptTensor out;
  at::NoGradGuard no_grad;
  auto plain = tensor.detach();
  // A storage with a deleter of its own (memory of somebody else's) cannot be cloned lazily.
  auto& storage = *plain.storage().unsafeGetStorageImpl();
  bool lazy = c10::impl::cow::has_simple_data_ptr(storage) || c10::impl::cow::is_cow_data_ptr(storage.data_ptr());
  out.tensor_ = lazy ? at::_lazy_clone(plain) : plain.clone();
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
  out.tensor_ = tensor.detach();  // shares the version counter
  if (!tensor.is_inference()) out.version_ = static_cast<std::int64_t>(tensor._version());
  return out;
}

void KeptTensor::refuse(const std::string& what) {
  throw Error({.code = Code::overwritten_tensor,
               .message = filled("{} was changed after the forward pass", what),
               .help = "run the model forward again before the backward pass"});
}

}  // namespace ascribe::libtorch
