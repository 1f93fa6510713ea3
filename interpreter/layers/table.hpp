// Which operators are layers: one table. Several patterns may be for one operator; the first that fits counts.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace ascribe::layering {

/// One way to read an operator's call as a layer's. It fits where none of its parameters and constants depend on an
/// input of the model, and all of its inputs do (of sums: one at least), and its form agrees.
struct Pattern {
  enum class Form {
    plain,         ///< inputs and parameters stand where the row says
    convolution,   ///< the kind follows from the weight's rank and the `transposed` argument, if any
    clamp,         ///< numbers or nothing at arguments 1 and 2: relu from 0 on, relu6 to 6, otherwise hardtanh
    beside_zero,   ///< the other argument is the number 0
    weight_right,  ///< x · w: the weight of a linear layer, transposed
    weight_left,   ///< w · x
    sum,           ///< two summands; a constant one gets no relevance
    factor,        ///< by a constant: scale
    inverse,       ///< a number to a negative power
    spread,        ///< along some dimensions: a sum or a mean of less than everything
    lookup,        ///< the input is indices: relevance ends at the output
    dropout        ///< no layer, but refused in training mode
  };
  std::string_view name, overload;  ///< of the aten operator
  std::string_view kind;            ///< a row of the language's table of kinds; dropout has none
  Form form = Form::plain;
  std::vector<std::size_t> inputs = {0};
  std::vector<std::pair<std::size_t, std::string_view>> parameters = {};
  int training = -1;    ///< which argument says that it is in training mode
  int transposed = -1;  ///< which argument says that a convolution is transposed
  int constant = -1;    ///< which argument must not depend on the input, and belongs to the layer as it is
};

/// The patterns for an operator (`aten::conv2d`, overload `padding`), best first; none where it is no layer.
std::span<const Pattern> find_patterns(std::string_view name, std::string_view overload);

/// Whether relevance only follows the indices of an operator, as it does through reshape: no layer, and no report needs
/// to say that it keeps its gradient.
bool follows_indices(std::string_view name);

/// Whether an operator that LibTorch makes of others stays one for rules, too: recurrent layers, attention. The others
/// are what they are made of.
bool stays_whole(std::string_view name);

/// Whether an operator has no derivative because PyTorch wrote it where gradients were off, or knows none: what
/// tracing under no_grad writes.
bool lacks_derivative(std::string_view name);

/// Whether what an operator gives has no gradient by its nature, so that none of its inputs ever gets relevance:
/// comparisons, indices, sizes.
bool gives_no_values(std::string_view name);

/// The kind of the layer that a module of this class is (`Hardswish`), whatever operators a program has for it. Empty:
/// its operators say it.
std::string_view kind_of_class(std::string_view name);

}  // namespace ascribe::layering
