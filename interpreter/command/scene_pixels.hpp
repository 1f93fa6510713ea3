// A figure's scene as pixels: what PNG files of figures are made of.
#pragma once

#include <ATen/core/Tensor.h>

#include "interpreter/picture/scene.hpp"

namespace ascribe::command {

/// Whether the font of figures, DejaVu Sans, is installed.
bool has_font();

/// Bytes, [height, width, 3]. The same scene always gives the same pixels, with the same FreeType and font. Without the
/// font, or where one of its files is broken, words are left out. Throws Error (too_large) where memory runs out.
at::Tensor pixels_of(const picture::Scene& scene);

}  // namespace ascribe::command
