// Several copies of the library may meet in one process: a program and its plugins, each with a static copy. LibTorch
// takes one kernel for a dispatch key, so that the copy that comes first registers it, and the others use its stacks of
// interceptors. They find it through an operator of LibTorch's, which all of them share.
#include "interpreter/libtorch/dispatch.hpp"

#include <c10/core/impl/LocalDispatchKeySet.h>
#include <dlfcn.h>
#include <torch/library.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"

namespace ascribe::libtorch {
namespace {

constexpr auto mode = c10::DispatchKey::TESTING_ONLY_GenericMode;  // a key that nothing else in LibTorch uses

// What the copies of the library share. A change of it, or of Interceptor, is another version in the operator's name.
struct Stacks {
  void (*push)(std::shared_ptr<Interceptor> interceptor);
  void (*remove)(const Interceptor* interceptor);
};
constexpr auto stacks_operator = "ascribe::dispatch_mode";
constexpr auto stacks_version = "v3";

// What is on, on this thread. Only that of the copy that has registered the kernel is used.
struct Stack {
  std::vector<std::shared_ptr<Interceptor>> interceptors;
  std::optional<c10::impl::IncludeDispatchKeyGuard> included;
  ~Stack();
};
thread_local Stack stack_of_thread;
// Whoever lives as long as the thread or the program may switch off when the stack is gone already.
thread_local bool stack_is_gone = false;
Stack::~Stack() { stack_is_gone = true; }

void remove(const Interceptor* interceptor) {
  if (stack_is_gone) return;
  auto& [interceptors, included] = stack_of_thread;
  std::erase_if(interceptors, [&](auto& each) { return each.get() == interceptor || each->ended(); });
  if (interceptors.empty()) included.reset();
}

void push(std::shared_ptr<Interceptor> interceptor) {
  remove(nullptr);  // what other threads have ended
  if (stack_is_gone) return;
  stack_of_thread.interceptors.push_back(std::move(interceptor));
  if (!stack_of_thread.included) stack_of_thread.included.emplace(mode);
}

void intercept(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack* stack) {
  Pause pause;
  // What an operator's kernel is made of runs below autograd, and is nobody's layer.
  bool below_autograd = c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutogradCPU);
  auto& interceptors = stack_of_thread.interceptors;
  auto found = std::find_if(interceptors.rbegin(), interceptors.rend(), [](auto& each) { return each->active(); });
  if (found == interceptors.rend() || below_autograd) return op.callBoxed(stack);
  auto serving = *found;  // kept alive while it works
  serving->call(op, keys & c10::DispatchKeySet(c10::DispatchKeySet::FULL_AFTER, mode), *stack);
}

std::int64_t address_of_stacks() {
  static const Stacks own{&push, &remove};
  return static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(&own));
}

// A plugin that is closed must not take the kernel with it, which others use.
void stay_loaded() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&intercept), &info) && info.dli_fname)
    (void)dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

// Whether this copy's are the process's now; if not, another copy is about to make its own so.
bool register_stacks() {
  auto shared = std::make_unique<torch::Library>(torch::Library::FRAGMENT, "ascribe", std::nullopt, "ascribe", 0);
  try {
    shared->def(filled("dispatch_mode.{}() -> int", stacks_version).c_str(), &address_of_stacks);
  } catch (const c10::Error&) {  // somebody was faster
    return false;
  }
  stay_loaded();
  auto kernel = std::make_unique<torch::Library>(torch::Library::IMPL, "_", mode, "ascribe", 0);
  kernel->fallback(torch::CppFunction::makeFromBoxedFunction<&intercept>());
  (void)shared.release(), (void)kernel.release();  // as long as the process lives
  return true;
}

// Null where no copy has registered them, or one has begun to.
const Stacks* find_stacks() {
  auto& dispatcher = c10::Dispatcher::singleton();
  auto found = dispatcher.findSchema({stacks_operator, stacks_version});
  if (!found || !found->hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd) ||
      !dispatcher.hasBackendFallbackForDispatchKey(mode))
    return nullptr;
  Pause pause;
  return reinterpret_cast<const Stacks*>(static_cast<std::intptr_t>(found->typed<std::int64_t()>().call()));
}

const Stacks& shared_stacks() {
  if (auto* found = find_stacks()) return *found;
  auto& dispatcher = c10::Dispatcher::singleton();
  bool begun = dispatcher.findSchema({stacks_operator, stacks_version}).has_value();
  if (!begun && dispatcher.hasBackendFallbackForDispatchKey(mode))
    throw Error({.code = Code::internal_fault,
                 .message =
                     "another library in this process has taken the dispatch key that rules need, perhaps another "
                     "version of Ascribe",
                 .help = "let the whole process use one version of Ascribe"});
  if (!begun) register_stacks();
  for (int patience = 0; patience < 10'000; ++patience) {
    if (auto* found = find_stacks()) return *found;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  throw Error({.code = Code::internal_fault,
               .message = "another copy of Ascribe in this process has failed to register its kernel",
               .help = "this is a fault of Ascribe's; please report it"});
}

const Stacks& stacks() {
  static const Stacks& found = shared_stacks();
  return found;
}

}  // namespace

Pause::Pause() : guard_(mode) {}

Opening::Opening() : was_paused_(paused()) { c10::impl::tls_set_dispatch_key_excluded(mode, false); }
Opening::~Opening() { c10::impl::tls_set_dispatch_key_excluded(mode, was_paused_); }

void open(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack) {
  Opening opening;
  op.redispatchBoxed(keys, &stack);
}

bool paused() { return c10::impl::tls_is_dispatch_key_excluded(mode); }

void switch_on(std::shared_ptr<Interceptor> interceptor) { stacks().push(std::move(interceptor)); }
void switch_off(const Interceptor* interceptor) { stacks().remove(interceptor); }

Serving::Serving(std::shared_ptr<Interceptor> interceptor) : interceptor_(interceptor.get()), was_paused_(paused()) {
  switch_on(std::move(interceptor));
  c10::impl::tls_set_dispatch_key_excluded(mode, false);
}

Serving::~Serving() {
  c10::impl::tls_set_dispatch_key_excluded(mode, was_paused_);
  switch_off(interceptor_);
}

}  // namespace ascribe::libtorch
