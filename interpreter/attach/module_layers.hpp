// Modules of a saved model that are one layer: because an entry says so, or because of their class.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "interpreter/attach/layer_server.hpp"
#include "interpreter/libtorch/dispatch.hpp"
#include "interpreter/libtorch/module_calls.hpp"

namespace ascribe::attaching {

class ModuleLayers : public libtorch::ModuleObserver {
 public:
  /// `serving`: whose rules these are, which may be inactive.
  ModuleLayers(const libtorch::Interceptor& serving, LayerServer& server) : serving_(serving), server_(server) {}

  bool wants(const libtorch::Callee& callee) override;
  std::vector<at::Tensor> call(const libtorch::ModuleCall& module) override;

  /// All that were asked about.
  const std::set<std::string>& paths() const { return paths_; }
  const std::set<std::string>& classes() const { return classes_; }

 private:
  std::vector<at::Tensor> serve(const libtorch::ModuleCall& module);

  const libtorch::Interceptor& serving_;
  LayerServer& server_;
  std::set<std::string> paths_, classes_;
};

/// Throws Error where an entry is for modules of a saved model, and the model is none.
void refuse_module_entries(const language::BoundComposite& rules);

}  // namespace ascribe::attaching
