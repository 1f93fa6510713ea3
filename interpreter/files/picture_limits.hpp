// How large pictures may be, and how they are refused.
#pragma once

#include <cstdint>
#include <string>

#include "grammar/error.hpp"

namespace ascribe::files {

constexpr std::uint64_t most_pixels = 1 << 26;
constexpr std::uint64_t most_picture_bytes = std::uint64_t{1} << 30;  ///< of a file

/// "'x.png' has 9000 × 9000 pixels; the limit is …", of `most` or of most_pixels, whichever is less. Throws Error
/// (too_large).
void check_pixels(const std::string& shown, std::uint64_t width, std::uint64_t height,
                  std::uint64_t most = most_pixels);

/// Throws Error: "'x.png' `what`".
[[noreturn]] void refuse_picture(Code code, const std::string& shown, const std::string& what,
                                 std::string help = "save the picture again");

/// A warning of the same form.
Diagnostic picture_warning(const std::string& shown, const std::string& what, std::string help);

}  // namespace ascribe::files
