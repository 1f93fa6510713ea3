// A model that was built in place, as a program: what loaded models can be asked, it can be asked, too.
#pragma once

#include <memory>

#include "ascribe/model.hpp"
#include "interpreter/testing/built_model.hpp"

namespace ascribe::testing {

/// The model with the interface of one from a file: one input, one output, float64 on the CPU.
Model as_model(std::shared_ptr<const BuiltModel> built);

}  // namespace ascribe::testing
