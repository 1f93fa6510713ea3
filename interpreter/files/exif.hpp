// How a photo was held: EXIF's orientation.
#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

namespace ascribe::files {

/// 1 to 8, from EXIF's data: a PNG's chunk, or a JPEG's marker behind its name. What is no EXIF, or is damaged, says 1:
/// as stored.
int orientation_of(std::string_view exif);

/// [H, W, C] turned and mirrored such that it stands upright; a view where that will do.
at::Tensor upright(const at::Tensor& pixels, int orientation);

}  // namespace ascribe::files
