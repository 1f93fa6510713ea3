// Pictures of either format.
#pragma once

#include "ascribe/picture.hpp"
#include "interpreter/files/contents.hpp"
#include "interpreter/files/picture_limits.hpp"

namespace ascribe::files {

/// As decode_picture(), told apart by the content; `shown` begins messages. Throws Error, and what LibTorch throws.
Picture picture_in(std::string_view bytes, const std::string& shown, std::uint64_t most = most_pixels);

}  // namespace ascribe::files
