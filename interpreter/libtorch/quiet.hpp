// LibTorch's warnings, which are for programmers of operators: nobody who explains a model can do anything about them.
#pragma once

#include <c10/util/Exception.h>

#include <typeinfo>

namespace ascribe::libtorch {

/// While it lives, what LibTorch would print to stderr on this thread is dropped. Whoever has set a handler of their
/// own (Python, a host program's log) still gets every warning.
class Quiet {
 public:
  Quiet() : guard_(chosen()) {}

 private:
  class Dropped : public c10::WarningHandler {
   public:
    void process(const c10::Warning&) override {}
  };

  static c10::WarningHandler* chosen() {
    static Dropped dropped;
    auto* before = c10::WarningUtils::get_warning_handler();
    return typeid(*before) == typeid(c10::WarningHandler) ? &dropped : before;
  }

  c10::WarningUtils::WarningHandlerGuard guard_;
};

}  // namespace ascribe::libtorch
