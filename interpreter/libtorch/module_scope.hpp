// Where in a model the thread is: saved models say it while they run.
#pragma once

#include <string>

namespace ascribe::libtorch {

/// The module that the running model is in, for operators without parameters of their own. Empty: unknown.
std::string& current_module();

/// Restores the module when a model's run is over, or left by an exception.
class ModuleScope {
 public:
  ModuleScope() : before_(current_module()) {}
  ModuleScope(const ModuleScope&) = delete;
  ModuleScope& operator=(const ModuleScope&) = delete;
  ~ModuleScope() { current_module() = before_; }

 private:
  std::string before_;
};

}  // namespace ascribe::libtorch
