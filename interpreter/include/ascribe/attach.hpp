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

#include "ascribe/pack.hpp"
#include "ascribe/report.hpp"

namespace ascribe {

/// A pause of an attachment, from its construction to the end of its scope. Pauses may overlap.
class Inactive {
 public:
  explicit Inactive(std::shared_ptr<std::atomic<int>> count);
  Inactive(Inactive&& other) noexcept;
  Inactive& operator=(Inactive&&) = delete;
  ~Inactive();

 private:
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
/// the one made last serves. They may end in any order, but on the thread that made them.
///
/// What is recorded keeps its rules: the backward pass may run after the attachment is gone, and on any thread, several
/// times at once where the graph is retained. Until relevance goes through, all that is computed from one input tensor
/// is one forward pass: where one thread records while others run backward passes, each pass takes an input of its own;
/// and who predicts first and explains then, predicts under NoGradGuard.
class Attachment {
 public:
  Attachment(Attachment&& other) noexcept;
  Attachment& operator=(Attachment&&) = delete;
  ~Attachment();

  /// Ends it. A second call does nothing.
  void remove();
  /// The layers that were called so far. What their relevance sums to is in it if `sums` asked for it.
  Report report() const;

  /// While it lives, the attachment is as if it were not there: nothing is intercepted, and what was recorded answers
  /// with the layers' own gradients, on every thread. This is what gradients of the relevance need:
  ///
  ///     auto y = model->forward(x);
  ///     auto R = torch::autograd::grad({y}, {x}, {start}, /*retain_graph=*/true, /*create_graph=*/true)[0];
  ///     auto pause = attached.inactive();
  ///     auto g = torch::autograd::grad({R.pow(2).sum()}, {x})[0];   // through every rule, with respect to x
  [[nodiscard]] Inactive inactive() const;

  class State;
  explicit Attachment(std::shared_ptr<State> state);

 private:
  std::shared_ptr<State> state_;
};

/// Attaches a composite, or a rule for all linear and convolution layers, to a model. The model is read for its
/// parameters' names only, and may end before the attachment does. Errors, all of them `ascribe::Error`: gradients are
/// disabled (NoGradGuard, InferenceMode). From the model's forward: a rule that a layer cannot be served by, a layer
/// that the rules refuse, a convolution or pooling without a batch dimension, batch norm in training mode, and what a
/// layer's own operator refuses (model_failed) or finds no memory for (too_large). What fails between layers is what it
/// would be without rules.
[[nodiscard]] Attachment attach(const Composite& rules, const torch::nn::Module& model, AttachOptions options = {});

template <typename Contained>
[[nodiscard]] Attachment attach(const Composite& rules, const torch::nn::ModuleHolder<Contained>& model,
                                AttachOptions options = {}) {
  return attach(rules, static_cast<const torch::nn::Module&>(*model), options);
}

}  // namespace ascribe
