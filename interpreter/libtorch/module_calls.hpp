// The modules of a running saved model: whoever watches may take the call of one as a whole.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace ascribe::libtorch {

/// A module that is called, or a function of PyTorch's within one, where a program has only its operators.
struct Callee {
  std::string path;           ///< of the module: `encoder.0.act`
  std::string class_name;     ///< `Hardswish`, without what stands before the last dot; of a function the operator
                              ///< that it was: `aten::upsample_linear1d`
  std::size_t operators = 0;  ///< how many are in it that do not only move indices, as the program has them
  bool is_function = false;
};

struct ModuleCall {
  Callee callee;
  /// The tensors that enter, each once; others (numbers, lists of them) are fixed.
  std::vector<at::Tensor> inputs{};
  /// Parameters and buffers of the module and of those within it, by their names there: `weight`, `0.weight`.
  std::vector<std::pair<std::string, at::Tensor>> parameters{};
  /// The module's part of the program, on other tensors in the place of `inputs`: all tensors that leave it. May be
  /// called several times, also after the model's run, and from another thread; operators go through the dispatcher as
  /// they do when the model runs.
  std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& inputs)> run{};
};

class ModuleObserver {
 public:
  virtual ~ModuleObserver() = default;
  /// Whether this call is to be handed over.
  virtual bool wants(const Callee& callee) = 0;
  /// Answers the call: what `run(inputs)` would give, one tensor for each of its results.
  virtual std::vector<at::Tensor> call(const ModuleCall& call) = 0;
};

/// The one that watches on this thread; null: none.
ModuleObserver*& module_observer();

/// Lets one watch while it lives.
class Observing {
 public:
  explicit Observing(ModuleObserver& observer) : before_(module_observer()) { module_observer() = &observer; }
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;
  ~Observing() { module_observer() = before_; }

 private:
  ModuleObserver* before_;
};

/// While it lives, nobody watches on this thread: what is within a module that was taken is not asked about.
class Unobserved {
 public:
  Unobserved() : before_(std::exchange(module_observer(), nullptr)) {}
  Unobserved(const Unobserved&) = delete;
  Unobserved& operator=(const Unobserved&) = delete;
  ~Unobserved() { module_observer() = before_; }

 private:
  ModuleObserver* before_;
};

}  // namespace ascribe::libtorch
