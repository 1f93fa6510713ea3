// Relevance as a picture: what `ascribe run --heatmap` draws.
//
//     auto picture = ascribe::heatmap(a.relevance);           // [height, width, 3], ready for any image writer
//     auto* pixels = picture.const_data_ptr<std::uint8_t>();  // row after row; red, green, blue
#pragma once

#include <ATen/core/Tensor.h>

#include "grammar/export.hpp"

namespace ascribe {

/// The picture of a relevance tensor whose dimension 0 is the batch: unsigned bytes, [height, width, 3], contiguous, on
/// the CPU. The tensor may have any type of real numbers, and lie on any device.
///
/// The colours diverge from white, which is zero: red is positive, blue is negative, and the full colours are the
/// largest magnitude of the whole tensor, so that its samples can be compared with each other. Values that are not
/// finite are yellow and do not count. Grey lines of 4 pixels are between samples.
///
/// Channels (dimension 1 of three and more) are summed first, in float64. Then:
///   maps      [N, C, H, W]     samples side by side
///   volumes   [N, C, D, H, W]  samples side by side, slices below one another
///   vectors   [N, L], [N, C, L]  a strip for each sample, below one another
///   one value for each sample, or one alone: a single strip
///
/// Every value becomes a square of whole pixels, such that a map is 256 or more pixels wide and high (where one side is
/// beyond four times the other: the longer side, 1024). In a strip a value is 32 pixels high, and the strip 256 or more
/// pixels wide. Relevance without elements is a white square.
///
/// Throws Error: wrong_tensor for more dimensions, undefined, sparse or complex tensors; too_large where the picture
/// would have more than 2^26 pixels, or memory runs out. May be called from several threads at once.
ASCRIBE_EXPORT at::Tensor heatmap(const at::Tensor& relevance);

}  // namespace ascribe
