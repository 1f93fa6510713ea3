// Attaching rules to a model: while an attachment lives, the backward pass of what the model computes is relevance.
//
//     {
//       auto attached = ascribe::attach(pack.composite("epsilon_plus"), model);
//       auto y = model->forward(x);                 // x requires a gradient
//       y.index({0, 3}).backward();                 // x.grad() is the relevance of the input
//     }
//
// Nothing of the model changes: operators are intercepted on their way through LibTorch's dispatcher, on this thread
// only. Other threads, with other rules or none, may use the same model at the same time.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <atomic>
#include <memory>
#include <stop_token>
#include <vector>

#include "ascribe/error.hpp"
#include "ascribe/pack.hpp"
#include "ascribe/report.hpp"

namespace ascribe {

/// A pause of an attachment or a hooked module, from its construction to the end of its scope. Pauses may overlap, may
/// end on another thread, and may outlive what they pause.
class ASCRIBE_EXPORT Inactive {
 public:
  Inactive(Inactive&& other) noexcept;
  Inactive& operator=(Inactive&&) = delete;
  ~Inactive();

 private:
  friend struct Inside;
  explicit Inactive(std::shared_ptr<std::atomic<int>> count);
  std::shared_ptr<std::atomic<int>> count_;
};

struct AttachOptions {
  /// Whether reports say what each layer's relevance sums to, and what bias and stabilizer took. It costs time in the
  /// backward pass.
  bool sums = false;
  /// Once it is requested, every operator of this thread while the attachment lives, and every recorded rule that
  /// relevance has not reached yet, throws Error (stopped). A stop that comes too late changes nothing.
  std::stop_token stop{};
};

/// Rules at work on this thread, from its construction until `remove()` or the end of its scope. Several may be there;
/// the one made last serves. They may end in any order. Whatever thread ends one, it serves no more; but its place on
/// the thread that made it is given back by that thread only, when it ends one itself, or attaches the next.
///
/// What is recorded keeps its rules: the backward pass may run after the attachment is gone, and on any thread, several
/// times at once where the graph is retained. Until relevance goes through, all that is computed from one input tensor
/// is one forward pass: where one thread records while others run backward passes, each pass takes an input of its own;
/// and who predicts first and explains then, predicts under NoGradGuard.
class ASCRIBE_EXPORT Attachment {
 public:
  Attachment(Attachment&& other) noexcept;
  Attachment& operator=(Attachment&&) = delete;
  ~Attachment();

  /// Ends it. A second call does nothing, nor does one of an attachment that was moved from.
  void remove();
  /// The layers that were called so far, also after remove(). Once a pass is over (relevance has gone through it, or
  /// its graph is gone), its rows go when the first layer of another pass is called, so that an attachment may stay for
  /// any number of passes. What their relevance sums to is in it once a backward pass has gone through, if `sums` asked
  /// for it; of several, the last one counts. On the attachment's thread; backward passes may run on others meanwhile.
  /// Empty where it was moved from.
  Report report() const;
  /// What is no mistake, and hardly meant, of the layers in report(): entries by name or class that none of them had,
  /// operators of several inputs and functions with a derivative of their own that keep their gradient, so that what
  /// arrives below them is no relevance; with `sums`, once relevance has gone through, also where it went to padding or
  /// is not finite. Attribution::warnings has the same. On the attachment's thread.
  std::vector<Diagnostic> warnings() const;

  /// While it lives, the attachment is as if it were not there: nothing is intercepted, and what was recorded answers
  /// with the layers' own gradients, on every thread. This is what gradients of the relevance need:
  ///
  ///     auto y = model->forward(x);
  ///     auto R = torch::autograd::grad({y}, {x}, {start}, /*retain_graph=*/true, /*create_graph=*/true)[0];
  ///     auto pause = attached.inactive();
  ///     auto g = torch::autograd::grad({R.pow(2).sum()}, {x})[0];   // through every rule, with respect to x
  [[nodiscard]] Inactive inactive() const;

  class State;

 private:
  friend struct Inside;
  explicit Attachment(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

/// Attaches a composite, or a rule for all linear and convolution layers, to a model. The model is read for its
/// parameters' names only, and may end before the attachment does; rules and parameters are kept alive by what is
/// recorded. Relevance starts as the gradient that backward() is given, and arrives in the input's grad(), which the
/// input has to ask for (requires_grad_()). No parameter gets one.
///
/// Throws Error: gradient_disabled (under NoGradGuard or InferenceMode, within a backward pass or a progress callback),
/// wrong_model (an empty holder).
///
/// From the model's forward, by codes: rule_does_not_fit, a rule that a layer cannot be served by; refused_layer, where
/// the rules say so; no_batch, a convolution or pooling without a batch dimension; training_mode, batch norm or dropout
/// that is not in evaluation mode; wrong_input; model_failed, what a layer's own operator refuses; too_large, what it
/// finds no memory for; stopped. What fails between layers is what it would be without rules, an exception of
/// LibTorch's.
///
/// From backward(): rule_does_not_fit, refused_layer (where `last` has chosen), released_graph, overwritten_tensor,
/// too_large, stopped.
[[nodiscard]] ASCRIBE_EXPORT Attachment attach(const Composite& rules, const torch::nn::Module& model,
                                               AttachOptions options = {});

template <typename Contained>
[[nodiscard]] Attachment attach(const Composite& rules, const torch::nn::ModuleHolder<Contained>& model,
                                AttachOptions options = {}) {
  if (model.is_empty())
    throw Error({.code = Code::wrong_model,
                 .message = "there is no module to attach rules to",
                 .help = "attach(rules, torch::nn::Linear(3, 2))"});
  return attach(rules, static_cast<const torch::nn::Module&>(*model), options);
}

}  // namespace ascribe
