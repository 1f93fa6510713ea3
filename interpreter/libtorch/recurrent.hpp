// Recurrent operators, whose kernels trust the shapes that they are given.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <string>

namespace ascribe::libtorch {

/// Throws Error (model_failed) where the states or parameters of aten::lstm, gru, rnn_tanh or rnn_relu do not fit each
/// other or the input: their kernels would write beyond a tensor's memory. Makes the parameters on the stack dense.
/// Does nothing for other operators. `layer` is the layer's name, for the message; it may be empty.
void check_recurrent(const c10::OperatorHandle& op, torch::jit::Stack& stack, const std::string& layer);

}  // namespace ascribe::libtorch
