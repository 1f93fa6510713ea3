// PNG pictures.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

namespace ascribe::command {

/// float32, 1×C×H×W in [0, 1]: C is 1 for grey and 3 for colour (palettes are expanded); alpha is dropped, never
/// applied. Samples are taken as stored, divided by the largest (255, or 65535 of 16 bits): no gamma or colour
/// conversion. Throws Error (unreadable_file; wrong_tensor for what is no whole PNG; too_large beyond 2^26 pixels).
at::Tensor read_png(const std::filesystem::path& path);

/// Writes 8-bit RGB from a uint8 tensor H×W×3. The file appears whole or not at all. Throws Error (unwritable_file).
void write_png(const std::filesystem::path& path, const at::Tensor& pixels);

}  // namespace ascribe::command
