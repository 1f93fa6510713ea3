// Where the tensors of a forward pass hold their samples, followed from its inputs on, operator by operator.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "interpreter/attach/forward_pass.hpp"
#include "interpreter/evaluate/evaluator.hpp"
#include "interpreter/layers/sample_place.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::attaching {

/// Belongs to one attachment. Costs something for each operator, so that it works only where some rule reduces samples.
class Samples {
 public:
  Samples(const language::BoundComposite& rules, const ForwardPasses& passes);
  Samples(const Samples&) = delete;
  Samples& operator=(const Samples&) = delete;

  bool wanted() const { return wanted_; }
  /// A saved model's inputs: dimension 0 is the batch of all that have as many samples as the first one.
  void begin(const std::vector<at::Tensor>& inputs);

  /// While it lives, this is the call whose results are asked for: of an operator, or of a module as one layer.
  class Calling {
   public:
    Calling(Samples& samples, const c10::OperatorHandle* op, bool moves_indices, std::vector<c10::IValue> arguments);
    Calling(const Calling&) = delete;
    Calling& operator=(const Calling&) = delete;
    ~Calling() { samples_.calling_ = before_; }
    /// Notes where its results hold their samples, but for those that its own parts have told.
    void returned(const std::vector<at::Tensor>& results);

   private:
    friend class Samples;
    std::vector<std::optional<layering::SamplePlace>> places(const std::vector<at::Tensor>& results) const;

    Samples& samples_;
    Calling* before_;
    const c10::OperatorHandle* op_;
    bool moves_indices_;
    std::vector<c10::IValue> arguments_;
  };

  /// Of a layer's inputs and of what the call in progress has given.
  evaluate::SamplePlaces of_layer(const std::vector<at::Tensor>& inputs, const at::Tensor& output) const;

 private:
  /// What no operator has told begins a pass, if relevance gets there: then dimension 0 is the batch.
  std::optional<layering::SamplePlace> of(const at::Tensor& tensor) const;
  void put(const at::Tensor& tensor, const layering::SamplePlace& place);

  struct Told {
    c10::weak_intrusive_ptr<c10::TensorImpl> tensor;
    layering::SamplePlace place;
  };
  bool wanted_;
  const ForwardPasses& passes_;
  std::unordered_map<const c10::TensorImpl*, Told> told_;
  std::size_t next_purge_ = 256;
  Calling* calling_ = nullptr;
};

}  // namespace ascribe::attaching
