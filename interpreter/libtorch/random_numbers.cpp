#include "interpreter/libtorch/random_numbers.hpp"

namespace ascribe::libtorch {

bool draws_random_numbers(const c10::OperatorHandle& op) { return op.hasTag(at::Tag::nondeterministic_seeded); }

}  // namespace ascribe::libtorch
