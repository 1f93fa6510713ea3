#include "interpreter/attach/no_input_node.hpp"

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"

namespace ascribe::attaching {

torch::autograd::variable_list NoInputNode::apply(torch::autograd::variable_list&&) {
  if (*has_input_) return {};
  throw Error(
      {.code = Code::no_input,
       .message = filled("{}: nothing that it was called with depends on an input that requires a gradient", layer_),
       .help = "call x.requires_grad_() before the model"});
}

}  // namespace ascribe::attaching
