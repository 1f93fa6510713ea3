// Layers that a model has as several operators: activations that a program writes out. They arrive as these operators,
// and at the last one they are known.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "interpreter/layers/operation.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::layering {

/// Whether an operator can be a part of such a layer, and not the last one only.
bool may_be_part(std::string_view name);

struct ComposedLayer {
  Operation operation;
  at::Tensor input;
  bool in_place = false;  ///< the last operator writes what it gives
  NamedTensors parameters{};
  /// What the caller called the parts, but for the last operator: what was done for them is to be undone.
  std::vector<std::uint64_t> parts{};
};

/// The elementwise operators that were called lately, one after the other. Belongs to one thread's forward pass, and
/// keeps the tensors that went in while it lasts.
class RecentOperators {
 public:
  /// The layer of which this call is the last operator.
  std::optional<ComposedLayer> completed_by(const c10::OperatorHandle& op,
                                            const std::vector<c10::IValue>& arguments) const;
  /// Notes a call, by what its caller calls it: 0 where there is nothing to undo.
  void add(const c10::OperatorHandle& op, std::vector<c10::IValue> arguments, const at::Tensor& output,
           std::uint64_t part);
  void clear() { calls_.clear(); }
  bool empty() const { return calls_.empty(); }

  struct Recent {
    c10::OperatorHandle op;
    std::vector<c10::IValue> arguments;
    libtorch::Made output;
    std::uint64_t part;
  };

 private:
  std::deque<Recent> calls_;
};

}  // namespace ascribe::layering
