// From an operator's call to the layer's call that it is. Nothing here knows rules, or what is attached.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "interpreter/layers/operation.hpp"
#include "interpreter/layers/table.hpp"
#include "interpreter/libtorch/operator_call.hpp"
#include "interpreter/libtorch/parameter_names.hpp"

namespace ascribe::layering {

/// What a tensor has to do with the model's input.
enum class Dependence {
  none,
  input,  ///< it is computed from one, or is one that the model cannot tell from its weights
  leaf  ///< it requires a gradient, is computed from nothing, and no parameter of the model: an input, or the weight of
        ///< a module outside of it
};

struct OperatorCall {
  const c10::OperatorHandle& op;
  const std::vector<c10::IValue>& arguments;
  std::span<const Pattern> patterns;  ///< what find_patterns() has for the operator
  std::function<Dependence(const at::Tensor&)> dependence;
  const libtorch::ParameterNames& names;
  std::string module;  ///< that the running model says it is in; empty: the parameters tell
  /// Whether it is known to be the model's: then a sum of everything is one of its layers. Otherwise it may be what a
  /// user writes behind the model, to start from.
  bool of_model = false;
};

/// The pattern that fits, and what it makes of the call. `call` is empty for a pattern that is no layer (dropout).
struct Recognized {
  const Pattern* pattern = nullptr;
  std::optional<Call> call{};
};

/// Nothing where the table has no pattern that fits. Arguments that a pattern cannot be made of (shapes that do not
/// meet) are for the operator itself to refuse.
std::optional<Recognized> recognize(const OperatorCall& call);

/// Whether relevance only follows the indices of the call: no layer.
bool moves_indices(const OperatorCall& call);

/// Whether an operator that moves indices puts constants around or beside what depends on the input: relevance that
/// goes there is lost.
bool puts_constants(const OperatorCall& call);

/// Any operator as a layer of the kind `operator`, without parameters; inputs are all tensors that depend on an input
/// of the model, also within lists.
Call whole_operator(const OperatorCall& call);

/// A layer that the call and the one before it, a product that made `output`, are together: `add` with the bias of the
/// module whose product it takes, or `sum` over a vector times a constant one (what decomposed programs have for mv and
/// dot). Both are linear. Nothing where it is something else.
std::optional<Call> with_product(const OperatorCall& call, const Call& product, const libtorch::Made& output);
/// The same product, whose output a view only gives other dimensions before the last: what decomposed programs put
/// between a product and its bias. Nothing for any other operator.
std::optional<Call> with_view(const OperatorCall& call, const Call& product, const libtorch::Made& output,
                              const at::Tensor& result);

/// The kind of the layer that a pattern stands for; null for dropout.
const language::Kind* kind_of(const Pattern& pattern, const std::vector<c10::IValue>& arguments);

/// The module whose parameter or buffer is among the arguments; empty: none is.
std::string module_by_parameters(const libtorch::ParameterNames& names, const std::vector<c10::IValue>& arguments);

/// Throws Error (training_mode) where an operator's arguments say that it is in training mode. `name` is the layer's.
void refuse_training_mode(const Pattern& pattern, const c10::OperatorHandle& op,
                          const std::vector<c10::IValue>& arguments, const std::string& name);

/// The same for operators that are no layer: those that drop out on the way, or draw random numbers.
void refuse_random_numbers(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments,
                           const std::string& name);

}  // namespace ascribe::layering
