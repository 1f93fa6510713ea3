// Relevance of integer inputs: it arrives where their numbers become floating, and is brought back from there.
#pragma once

#include <torch/csrc/autograd/edge.h>

#include <memory>
#include <vector>

#include "interpreter/attach/attachment.hpp"
#include "interpreter/attribute/places.hpp"
#include "interpreter/libtorch/dispatch.hpp"

namespace ascribe::attributing {

/// Watches a model run, in front of the rules that are attached to it.
class IntegerInputs : public libtorch::Interceptor {
 public:
  enum class Arrival {
    at_embeddings,            ///< relevance ends where embeddings look integers up; other uses of them are constants
    where_they_turn_floating  ///< at floating copies of the integers, made where an operator works with them
  };
  /// `inputs` as the model is given them. `parameters`: tensors of the model that require gradients and are no input.
  IntegerInputs(std::shared_ptr<Attachment::State> rules, const std::vector<at::Tensor>& inputs,
                const std::unordered_set<const c10::TensorImpl*>& parameters, Arrival arrival);

  /// Throws Error (wrong_input) where an operator works with integers in a way that leads nowhere back; only where they
  /// turn floating.
  void call(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack) override;
  bool active() const override { return rules_->active(); }
  bool ended() const override { return rules_->ended(); }

  /// Where relevance arrives, in order of execution.
  std::vector<torch::autograd::Edge> edges() const;

  struct Found {
    at::Tensor relevance;
    bool arrived = false;  ///< anything at all
    bool whole = true;     ///< where the input is looked up as it is, and not in parts
  };
  /// For each input what has arrived at the edges, undefined where nothing has: at its places in the input's shape, or
  /// (not `summed`) that of the one embedding that looks it up as it is, in the embedding's shape.
  std::vector<Found> relevances(const std::vector<at::Tensor>& arrived, bool summed) const;

 private:
  using Arguments = std::vector<c10::IValue>;
  void at_embeddings(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack,
                     const Arguments& arguments);
  void where_they_turn_floating(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack,
                                const Arguments& arguments);
  bool known(const c10::IValue& argument) const;
  /// Whether its history leads to something else than parameters.
  bool depends(const at::Tensor& tensor) const;
  bool depends(const Arguments& arguments) const;
  /// The places of a table's rows that integers choose, one for each number; undefined where that is not what is done.
  at::Tensor chosen_rows(const c10::OperatorHandle& op, const Arguments& arguments, const at::Tensor& rows) const;
  at::Tensor floating(const at::Tensor& values, const at::Tensor& places);
  Arguments with_floating(const c10::OperatorHandle& op, const Arguments& arguments, at::ScalarType type);

  struct Place {
    at::Tensor leaf;  // kept: an edge alone does not
    torch::autograd::Edge edge;
    at::Tensor places;  // of the first dimensions; what there is at further ones adds up
  };
  std::shared_ptr<Attachment::State> rules_;
  const std::unordered_set<const c10::TensorImpl*>& parameters_;
  Arrival arrival_;
  std::vector<at::Tensor> inputs_;
  Places places_;
  std::vector<Place> found_;
};

/// Whether two results are the same but for rounding.
bool agree(const at::Tensor& a, const at::Tensor& b);

}  // namespace ascribe::attributing
