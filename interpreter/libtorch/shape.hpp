// Shapes in messages.
#pragma once

#include <c10/util/ArrayRef.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <string>

#include "grammar/filled_text.hpp"

namespace ascribe {

/// As `[1, 3, 224, 224]`.
inline std::string shown(c10::IntArrayRef shape) { return filled("[{}]", fmt::join(shape.begin(), shape.end(), ", ")); }

}  // namespace ascribe
