// A forward pass: the calls that are connected through data, from an input of the model.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "interpreter/attach/selection.hpp"

namespace ascribe::attaching {

struct ForwardPass {
  std::uint64_t attachment = 0;  ///< whose pass it is: attachments that nest count for themselves
  Counts counts{};
  std::map<std::string, std::size_t> calls_of_kind{};  ///< for names such as `relu#3`
  std::shared_ptr<ForwardPass> joined{};               ///< the pass that this one turned out to be part of
  std::atomic<bool> over = false;  ///< relevance has gone through it, on any thread: what follows is another pass
};

/// The pass that a pass turned out to be part of; itself mostly.
std::shared_ptr<ForwardPass> whole(std::shared_ptr<ForwardPass> pass);

/// Which forward pass each tensor belongs to. Belongs to one attachment.
class ForwardPasses {
 public:
  /// `parameters`: tensors of the model that require gradients and are no input.
  explicit ForwardPasses(std::unordered_set<const c10::TensorImpl*> parameters);

  /// The pass that a tensor's history leads to; null where it depends on no input. Passes that meet in it become one.
  std::shared_ptr<ForwardPass> of(const at::Tensor& tensor);
  /// The pass that begins at a tensor: an input of the model, or indices that are looked up.
  std::shared_ptr<ForwardPass> of_source(const at::Tensor& source);
  /// Notes whose an operator's result is, so that nobody walks back through all that has no rules to find it once more.
  void note(const at::Tensor& result, const std::shared_ptr<ForwardPass>& pass);
  /// Whether a tensor depends on any input.
  bool depends(const at::Tensor& tensor) const;
  /// Whether a tensor was made by what this attachment serves: its memory is nobody else's yet.
  bool made_here(const at::Tensor& tensor) const;
  /// The functions with a derivative of their own in the history of tensors that were asked about, as far as it was
  /// made on this thread since this began; each once, by autograd's names for them.
  const std::vector<std::string>& own_derivatives() const { return own_derivatives_; }
  /// Two passes that meet in a layer are one.
  static std::shared_ptr<ForwardPass> join(std::shared_ptr<ForwardPass> a, std::shared_ptr<ForwardPass> b);

 private:
  /// Of a node of this attachment's; else null.
  ForwardPass* pass_of(torch::autograd::Node* node) const;
  /// The pass that was noted of a tensor; null where nothing was, or it is not what it was then.
  std::shared_ptr<ForwardPass> noted(const at::Tensor& tensor) const;
  template <typename Visit>
  void walk(const at::Tensor& tensor, const Visit& visit) const;

  std::uint64_t attachment_, first_node_;
  std::unordered_set<const c10::TensorImpl*> parameters_;
  struct Input {
    c10::weak_intrusive_ptr<c10::TensorImpl> tensor;
    std::shared_ptr<ForwardPass> pass;
  };
  std::unordered_map<const c10::TensorImpl*, Input> inputs_;
  struct Noted {
    c10::weak_intrusive_ptr<c10::TensorImpl> tensor;
    const torch::autograd::Node* node;
    std::shared_ptr<ForwardPass> pass;
  };
  std::unordered_map<const c10::TensorImpl*, Noted> noted_;
  std::size_t next_purge_ = 256;
  std::vector<std::string> own_derivatives_;
};

}  // namespace ascribe::attaching
