// Shapes in messages.
#pragma once

#include <fmt/ranges.h>

#include <string>

#include "grammar/filled_text.hpp"

namespace ascribe {

/// As `[1, 3, 224, 224]`.
template <typename Sizes>
std::string shown_shape(const Sizes& sizes) {
  return filled("[{}]", fmt::join(sizes.begin(), sizes.end(), ", "));
}

}  // namespace ascribe
