// One layer's call, as data: what recognition makes, and what evaluators, batch norm and reports read.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "interpreter/language/kinds.hpp"
#include "interpreter/libtorch/kept_tensor.hpp"

namespace ascribe::layering {

/// Where an argument of an operator, or an element of one that is a list, comes from when the layer's function runs.
struct Slot {
  enum class From { input, parameter, step };
  std::size_t argument;
  From from;
  std::size_t index;            ///< of the input, the parameter, or the step whose result it is
  std::ptrdiff_t element = -1;  ///< of a list; -1: the argument itself
  bool transposed = false;      ///< a weight that the operator takes the other way round
};

/// One operator of a layer's function. Whatever its slots leave open is fixed.
struct Step {
  c10::OperatorHandle op;
  std::vector<c10::IValue> arguments;
  std::vector<Slot> slots;
  /// Arguments that are tensors and no slots: they belong to the layer as they are now (a constant factor, batch norm's
  /// statistics).
  std::vector<std::pair<std::size_t, libtorch::KeptTensor>> constants{};
  bool in_place = false;
};

/// The fixed coefficients of a layer that is linear in its inputs without having parameters: to rules, they are a
/// parameter called "coefficient".
struct Coefficient {
  enum class Of {
    none,      ///< the layer has none
    summands,  ///< one number for each of two summands
    outputs,   ///< one for each output, spread over what the output sums up
    factor,    ///< the factor itself
    whole      ///< many; only all of them together can be scaled
  };
  Of of = Of::none;
  at::Tensor value{};
};

using Tensors = std::vector<at::Tensor>;
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// A layer's function f, with everything but inputs and parameters filled in.
struct Operation {
  const language::Kind* kind = nullptr;
  /// The operators, in order: mostly one. The last one's (first) result is the layer's output.
  std::vector<Step> steps{};
  /// Instead of steps: of a module that is one layer, which only running it can tell.
  std::function<at::Tensor(const Tensors& inputs, const Tensors& parameters)> function{};
  Coefficient coefficient{};
  /// Batch norm was folded into a layer without bias: the last parameter is one, along this dimension of what the steps
  /// give (-1: the last).
  std::optional<std::int64_t> adds_bias_along{};
  /// Batch norm behind a mere view of the output: the output's numbers, laid out as that view has them.
  struct View {
    std::vector<std::int64_t> sizes, strides;
  };
  std::optional<View> view{};

  /// f(x; θ): inputs and parameters in the order of the call's. Differentiable in both.
  at::Tensor run(const Tensors& inputs, const Tensors& parameters) const;
};

/// An operation that is nothing but a function.
std::shared_ptr<const Operation> as_operation(decltype(Operation::function) function);

/// A call of a layer.
struct Call {
  std::shared_ptr<const Operation> operation;
  Tensors inputs;
  std::vector<bool> gets_relevance;  ///< one for each input; a constant operand gets none
  NamedTensors parameters;
  std::string module;          ///< the whole name of the module that it is in; empty: unknown
  std::string_view kind_name;  ///< what reports call its kind: the kind's name, or the operator's
  bool in_place = false;
  /// Linear layers and convolutions: whether batch norm can be merged into the weight from behind ([out, in] along the
  /// output's last dimension or channels, no factors of its own), and from the front (nothing is padded with zeros).
  bool merges_behind = false, merges_before = false;
  bool bias_follows = false;     ///< the module has a bias, which the next operator adds
  bool bias_may_follow = false;  ///< as this one, but no parameter is there by the weight's name
  bool sum_may_follow = false;   ///< a vector times a constant one: summed next, the two are linear
};

/// Whether the two are one tensor in memory: what a rule was given as a parameter, and has not modified.
bool same_memory(const at::Tensor& a, const at::Tensor& b);

}  // namespace ascribe::layering
