// PNG pictures.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "ascribe/picture.hpp"
#include "interpreter/files/picture_limits.hpp"

namespace ascribe::files {

/// As decode_picture() of ascribe/picture.hpp; `shown` begins its messages. Throws Error (wrong_tensor, too_large).
Picture decode_png(std::string_view bytes, const std::string& shown, std::uint64_t most = most_pixels);

/// The pixels of a PNG file: float32, 1×C×H×W in [0, 1]. Throws Error (unreadable_file, wrong_tensor, too_large).
at::Tensor read_png(const std::filesystem::path& path);

/// 8-bit RGB of a uint8 tensor H×W×3. Throws c10::Error for others.
std::string png_bytes(const at::Tensor& pixels);

/// Writes the same. The file appears whole or not at all. Throws Error (unwritable_file).
void write_png(const std::filesystem::path& path, const at::Tensor& pixels);

}  // namespace ascribe::files
