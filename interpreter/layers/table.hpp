// Which operators are layers: one table. What is not in it is no rule's business and keeps its gradient.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace ascribe::layering {

struct LayerOperator {
  enum class Form {
    plain,        ///< inputs and parameters stand where the row says
    convolution,  ///< as plain; the kind follows from the weight's rank and the `transposed` argument, if any
    hardtanh,     ///< as plain; from 0 to 6 it is relu6
    matrix,       ///< a product with a transposed weight: linear, if only the first factor depends on the model's input
    addition,     ///< several inputs; a constant one gets no relevance
    product,      ///< by a constant: scale; the constant belongs to the layer, as bilinear's constant factor does
    lookup,       ///< the input is indices: relevance ends at the output
    dropout       ///< no layer, but refused in training mode
  };
  std::string_view name, overload;  ///< of the aten operator
  std::string_view kind;            ///< a row of the language's table of kinds; dropout has none
  Form form = Form::plain;
  std::vector<std::size_t> inputs = {0};
  std::vector<std::pair<std::size_t, std::string_view>> parameters = {};
  int training = -1;    ///< which argument says that it is in training mode
  int transposed = -1;  ///< which argument says that a convolution is transposed
};

/// The row of an operator (`aten::conv2d`, overload `padding`); null where it is no layer.
const LayerOperator* find_layer_operator(std::string_view name, std::string_view overload);
/// Whether relevance only follows the indices of an operator, as it does through reshape: no layer, and no report needs
/// to say that it keeps its gradient.
bool follows_indices(std::string_view name);

}  // namespace ascribe::layering
