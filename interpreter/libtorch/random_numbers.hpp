// Operators whose results are random.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

namespace ascribe::libtorch {

/// Whether an operator may draw random numbers when it runs: `bernoulli`, `rand_like`, `dropout`. LibTorch says it of
/// the operator, not of the call: dropout out of training draws none, and counts.
bool draws_random_numbers(const c10::OperatorHandle& op);

}  // namespace ascribe::libtorch
