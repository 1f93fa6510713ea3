// The dispatch mode: while an interceptor is on, every call of an operator on this thread goes through it. All that
// touches LibTorch's dispatcher is in this room's dispatch.cpp.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <memory>

namespace ascribe::libtorch {

class Interceptor {
 public:
  virtual ~Interceptor() = default;
  /// Answers the call: takes the operator's arguments from the stack and leaves its results there. The mode is off
  /// meanwhile.
  /// `keys`: what is left of the call's dispatch keys, for `open`.
  virtual void call(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack) = 0;
  /// Otherwise the one that was switched on before it serves.
  virtual bool active() const { return true; }
  /// It will never be active again: what another thread wanted to switch off, which cannot.
  virtual bool ended() const { return false; }
};

/// Switches an interceptor on for this thread. The active one that was switched on last serves.
void switch_on(std::shared_ptr<Interceptor> interceptor);
/// Switches it off again, in whatever order. Does nothing where it is not on; that is, on another thread, too.
void switch_off(const Interceptor* interceptor);

/// An interceptor at work while it lives, also where the mode is off or another one serves.
class Serving {
 public:
  explicit Serving(std::shared_ptr<Interceptor> interceptor);
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;
  ~Serving();

 private:
  Interceptor* interceptor_;
  bool was_paused_;
};

/// While it lives, operators on this thread run as if nothing were attached. Backward passes need it: autograd takes
/// the mode of the forward pass along.
class Pause {
 public:
  Pause();

 private:
  c10::impl::ExcludeDispatchKeyGuard guard_;
};

/// While it lives, the operators that an interceptor calls by itself come to it, too.
class Opening {
 public:
  Opening();
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;
  ~Opening();

 private:
  bool was_paused_;
};

/// Runs an operator that LibTorch makes of others such that these come to the interceptor. `keys` are those that `call`
/// was given.
void open(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack);

/// Whether one lives on this thread: then what is switched on does not work.
bool paused();

}  // namespace ascribe::libtorch
