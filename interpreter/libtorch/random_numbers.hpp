// Operators that draw random numbers.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/enum_tag.h>

namespace ascribe::libtorch {

/// Whether an operator is one of those, as LibTorch tags them. Whether a call draws is a matter of its arguments:
/// dropout is one also where it is not in training mode.
inline bool draws_random_numbers(const c10::OperatorHandle& op) { return op.hasTag(at::Tag::nondeterministic_seeded); }

}  // namespace ascribe::libtorch
