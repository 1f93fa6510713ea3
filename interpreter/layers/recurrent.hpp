// Recurrent operators as the layers that they are made of: for each step, linear, add, sigmoid, tanh and products.
#pragma once

#include <ATen/core/ivalue.h>

#include <vector>

#include "interpreter/layers/operation.hpp"

namespace ascribe::layering {

/// Each computes what the operator of its name computes, all of its results.
Tensors lstm(const std::vector<c10::IValue>& arguments);
Tensors gru(const std::vector<c10::IValue>& arguments);
Tensors rnn_tanh(const std::vector<c10::IValue>& arguments);
Tensors rnn_relu(const std::vector<c10::IValue>& arguments);

}  // namespace ascribe::layering
