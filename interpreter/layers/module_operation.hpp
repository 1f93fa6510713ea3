// A module as one layer: its whole forward is f, with other tensors in the place of its parameters.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "interpreter/layers/operation.hpp"
#include "interpreter/libtorch/dispatch.hpp"

namespace ascribe::layering {

/// Puts `theta` in the place of `parameters`, wherever an operator is given one of these, and refuses what is in
/// training mode. Where `theta` is empty, it only does the latter. `name` is the module's, for messages.
std::shared_ptr<libtorch::Interceptor> substitution(std::string name, const NamedTensors& parameters,
                                                    const Tensors& theta);

/// f(x; θ) of a module that computes `forward`. It must be callable several times, on any thread.
std::shared_ptr<const Operation> module_operation(std::string name, std::function<at::Tensor(const Tensors&)> forward,
                                                  NamedTensors parameters);

/// Whether running it on these inputs only moves numbers about, so that it is no layer: nearest upsampling, however it
/// is written.
bool only_moves_indices(const std::function<Tensors(const Tensors&)>& run, const Tensors& inputs);

/// What a module that is a norm divides by, where a program has it as operators: the results of rsqrt in one run, and
/// the deviations of batch norm by the input's own statistics, which stand for those of the next.
class KeptRoots {
 public:
  /// What counts: the root itself while recording, and then the one that was recorded at this place.
  at::Tensor visit(const at::Tensor& root);
  bool recording = true;

 private:
  std::vector<at::Tensor> kept_;
  std::size_t next_ = 0;
};
/// Those of the module operations that run on this thread; null: none are kept.
extern thread_local KeptRoots* kept_roots;

}  // namespace ascribe::layering
