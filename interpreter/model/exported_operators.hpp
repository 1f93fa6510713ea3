// Which operators an exported program may call.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <string>

namespace ascribe::model {

/// The operator that a node's target (`torch.ops.aten.conv2d.default`) names. Throws Refusal for what is none of
/// LibTorch's, or could reach beyond tensors.
c10::OperatorHandle find_operator(const std::string& target);

/// The same operator for a number in place of the tensor `other`: `add.Scalar` for `add.Tensor`. Python's `x + 1` is
/// exported as the latter, and scripted as the former. Nothing where there is none.
std::optional<c10::OperatorHandle> with_number(const c10::OperatorHandle& op);

}  // namespace ascribe::model
