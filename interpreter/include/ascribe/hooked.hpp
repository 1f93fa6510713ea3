// A rule on one module: a module of its own, which computes what the module computes, and whose backward pass is the
// rule.
//
//     auto layer = ascribe::hooked(pack.rule("pass"), torch::nn::ReLU());
//     torch::nn::Sequential model(torch::nn::Linear(4, 3), layer, ascribe::hooked(zplus, torch::nn::Linear(3, 2)));
//     model->forward(x).backward(R);              // x.grad() is the relevance
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ascribe/attach.hpp"
#include "ascribe/pack.hpp"

namespace ascribe {

/// A module with a rule. To the rule, the module's whole forward is f, and its own parameters (not its children's) are
/// θ; modified ones take their place while f runs, and are never written into the module. Rules attached to a model
/// around it see its result only.
///
/// The module is shared, not copied, and is this one's child `module`: `to()`, `eval()` and `parameters()` reach it.
/// As safe on several threads as the module itself. Where gradients are disabled, or x needs none, it is the module and
/// nothing else.
class ASCRIBE_EXPORT HookedImpl : public torch::nn::Module {
 public:
  /// Calls the module's forward; the module is of the type that it was made for.
  using Forward = std::function<at::Tensor(torch::nn::Module& module, const at::Tensor& x)>;
  /// Throws Error (wrong_model) where there is no module or no forward.
  HookedImpl(Rule rule, std::shared_ptr<torch::nn::Module> module, Forward forward);

  /// What the module computes, or the rule's `forward` in its place. Dimension 0 of x is the batch. Throws Error:
  /// wrong_input (an undefined tensor), rule_does_not_fit, training_mode (batch norm or dropout inside of the module),
  /// model_failed (what the module itself refuses), too_large. The backward pass throws what an attachment's does.
  at::Tensor forward(const at::Tensor& x);

  /// With a copy of the module, under the same rule.
  std::shared_ptr<torch::nn::Module> clone(const std::optional<at::Device>& device = std::nullopt) const override;

  /// While it lives, the module is as if it had no rule, and backward passes that were recorded answer with its own
  /// gradient.
  [[nodiscard]] Inactive inactive() const;

 private:
  at::Tensor run(const at::Tensor& x);

  Rule rule_;
  std::shared_ptr<torch::nn::Module> module_;
  Forward forward_;
  std::string name_;
  std::shared_ptr<std::atomic<int>> inactive_ = std::make_shared<std::atomic<int>>(0);
};
TORCH_MODULE(Hooked);

/// Any module whose forward maps one tensor to one tensor. Throws Error (wrong_model) for an empty pointer or holder.
template <typename Module>
[[nodiscard]] Hooked hooked(const Rule& rule, std::shared_ptr<Module> module) {
  return Hooked(rule, std::move(module), [](torch::nn::Module& own, const at::Tensor& x) -> at::Tensor {
    return dynamic_cast<Module&>(own).forward(x);
  });
}

template <typename Contained>
[[nodiscard]] Hooked hooked(const Rule& rule, const torch::nn::ModuleHolder<Contained>& module) {
  return hooked(rule, module.is_empty() ? nullptr : module.ptr());
}

}  // namespace ascribe
