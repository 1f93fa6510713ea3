// JPEG pictures.
#pragma once

#include <string>
#include <string_view>

#include "ascribe/picture.hpp"
#include "interpreter/files/picture_limits.hpp"

namespace ascribe::files {

/// As decode_picture() of ascribe/picture.hpp; `shown` begins its messages. Throws Error (wrong_tensor, too_large).
Picture decode_jpeg(std::string_view bytes, const std::string& shown, std::uint64_t most = most_pixels);

}  // namespace ascribe::files
