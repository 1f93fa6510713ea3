#include "interpreter/attach/dispatch.hpp"

#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

#include <algorithm>
#include <optional>

namespace ascribe::attaching {
namespace {

constexpr auto mode = c10::DispatchKey::TESTING_ONLY_GenericMode;  // a key that nothing else in LibTorch uses

thread_local std::vector<std::shared_ptr<Interceptor>> interceptors;
thread_local std::optional<c10::impl::IncludeDispatchKeyGuard> included;

void intercept(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  Pause pause;
  // What an operator's kernel is made of runs below autograd, and is nobody's layer.
  bool below_autograd = c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutogradCPU);
  auto found = std::find_if(interceptors.rbegin(), interceptors.rend(), [](auto& each) { return each->active(); });
  if (found == interceptors.rend() || below_autograd) return op.callBoxed(stack);
  auto serving = *found;  // kept alive while it works
  serving->call(op, *stack);
}

}  // namespace

Pause::Pause() : guard_(mode) {}

void switch_on(std::shared_ptr<Interceptor> interceptor) {
  interceptors.push_back(std::move(interceptor));
  if (!included) included.emplace(mode);
}

void switch_off(const Interceptor* interceptor) {
  std::erase_if(interceptors, [&](auto& each) { return each.get() == interceptor; });
  if (interceptors.empty()) included.reset();
}

Serving::Serving(std::shared_ptr<Interceptor> interceptor)
    : interceptor_(interceptor.get()), was_paused_(c10::impl::tls_is_dispatch_key_excluded(mode)) {
  switch_on(std::move(interceptor));
  c10::impl::tls_set_dispatch_key_excluded(mode, false);
}

Serving::~Serving() {
  c10::impl::tls_set_dispatch_key_excluded(mode, was_paused_);
  switch_off(interceptor_);
}

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&intercept>());
}

}  // namespace ascribe::attaching
