// LibTorch's exceptions, for this room.
#pragma once

#include "interpreter/evaluate/failure.hpp"

namespace ascribe::model {

using evaluate::reason;

}  // namespace ascribe::model
