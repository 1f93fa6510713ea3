#include "interpreter/libtorch/module_calls.hpp"

namespace ascribe::libtorch {

ModuleObserver*& module_observer() {
  thread_local ModuleObserver* observer = nullptr;
  return observer;
}

}  // namespace ascribe::libtorch
