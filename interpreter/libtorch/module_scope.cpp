#include "interpreter/libtorch/module_scope.hpp"

namespace ascribe::libtorch {

std::string& current_module() {
  thread_local std::string name;
  return name;
}

}  // namespace ascribe::libtorch
