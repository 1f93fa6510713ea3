// Serves layers: each gets its row, the entry that is for it, and what that says.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "ascribe/error.hpp"
#include "interpreter/attach/forward_pass.hpp"
#include "interpreter/attach/ledger.hpp"
#include "interpreter/attach/recorder.hpp"
#include "interpreter/layers/composed.hpp"
#include "interpreter/layers/operation.hpp"

namespace ascribe::attaching {

using Pass = std::shared_ptr<ForwardPass>;

/// What the same input computes next, after a layer has failed, is another forward pass.
struct OverAfterFailure {
  Pass pass;
  int exceptions = std::uncaught_exceptions();
  ~OverAfterFailure() { pass->over = pass->over || std::uncaught_exceptions() > exceptions; }
};

/// What reports call a layer: its module's name, or its kind and a number.
std::string name_of(const layering::Call& call, const ForwardPass& pass);

/// One attachment's rules at work. On the thread of the forward pass.
class LayerServer {
 public:
  LayerServer(std::shared_ptr<const language::BoundComposite> composite,
              std::unordered_set<const c10::TensorImpl*> parameters, Watch watch,
              std::shared_ptr<std::atomic<int>> inactive)
      : rules(std::move(composite)),
        passes(std::move(parameters)),
        samples(*rules, passes),
        recorder(*rules, watch, passes, samples, ledger, std::move(inactive)),
        has_input(std::make_shared<std::atomic<bool>>(watch.has_input)),
        takes_apart(names_kind(*rules, "matmul") || names_kind(*rules, "product")) {}
  LayerServer(const LayerServer&) = delete;
  LayerServer& operator=(const LayerServer&) = delete;

  struct Served {
    std::uint64_t row;
    bool by_rule;  ///< otherwise it keeps its gradient
  };
  /// Runs the operator, whose arguments are on the stack, as this layer.
  Served serve(const c10::OperatorHandle& op, torch::jit::Stack& stack, const layering::Call& found, const Pass& pass);

  /// A layer begins that is (or is not) made of an operator that may be a part of another layer. Throws what
  /// settle_refusals throws.
  void begin_layer(bool may_be_part);
  /// Takes parts of a composed layer back: rows, counts, refusals.
  void take_back(const std::vector<std::uint64_t>& parts);
  /// Throws the error of a refusal that waited for what might have become of the operator.
  void settle_refusals();

  const std::shared_ptr<const language::BoundComposite> rules;
  ForwardPasses passes;
  Samples samples;
  Ledger ledger;
  Recorder recorder;
  layering::RecentOperators recent;
  /// Whether some call depended on an input; shared with nodes that outlive this, and run on other threads.
  const std::shared_ptr<std::atomic<bool>> has_input;
  /// Whether attention is run as the layers that it is made of: some entry is for their kinds by name.
  const bool takes_apart;

 private:
  /// A refused operator that may still turn out to be a part of a layer.
  struct Refusal {
    std::uint64_t row;
    std::weak_ptr<ForwardPass> pass;
    Error error;
  };
  std::vector<Refusal> refusals_;
};

}  // namespace ascribe::attaching
