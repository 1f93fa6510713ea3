// Relevance as a picture.
#pragma once

#include <ATen/core/Tensor.h>

namespace ascribe::command {

/// The picture (uint8, H×W×3) of a relevance tensor whose dimension 0 is the batch. The colour map diverges: white is
/// zero, red positive, blue negative, the full colours the largest magnitude of the whole tensor. Values that are not
/// finite are yellow and do not count. Grey lines of 4 pixels are between samples.
///
/// Channels (dimension 1 of three and more) are summed first. Then:
///   maps      [N, C, H, W]     samples side by side
///   volumes   [N, C, D, H, W]  samples side by side, slices below one another
///   vectors   [N, L], [N, C, L]  a strip for each sample, below one another
///   one value for each sample, or one alone: a single strip
///
/// Every value becomes a square of whole pixels, such that a map is 256 or more pixels wide and high (where one side is
/// beyond four times the other: the longer side, 1024). In a strip a value is 32 pixels high, and the strip 256 or more
/// pixels wide. Relevance without elements is a white square. Throws Error: wrong_tensor for more dimensions, too_large
/// where the picture would have more than 2^26 pixels.
at::Tensor heatmap(const at::Tensor& relevance);

}  // namespace ascribe::command
