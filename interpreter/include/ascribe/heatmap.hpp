// Relevance as a picture: what `ascribe run --heatmap` draws.
//
//     auto picture = ascribe::heatmap(a.relevance);           // [height, width, 3], ready for any image writer
//     auto* pixels = picture.const_data_ptr<std::uint8_t>();  // row after row; red, green, blue
//     auto beside = ascribe::heatmap(a.relevance, {.colour_map = "coldnhot", .original = image, .beside = true});
//
// figure.hpp makes a figure of it: with captions, titles and colour bars.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grammar/export.hpp"

namespace ascribe {

/// Which values the ends of a colour map stand for.
enum class ColourRange {
  automatic,  ///< diverging maps: symmetric; others: from_zero where no value is negative, else whole
  symmetric,  ///< −m to m: zero is in the middle
  from_zero,  ///< 0 to m; what is negative has the colour of zero
  whole,      ///< the smallest value to the largest
};

/// How relevance becomes a picture. All has a default.
struct HeatmapOptions {
  /// One of colour_maps(), or its name with `_r` behind: the same from the other end.
  std::string colour_map = "bwr";
  ColourRange range = ColourRange::automatic;
  /// The magnitude m at which colours are full: the one below which so many percent of the values lie, above 0 and up
  /// to 100, which is the largest. Without it: the largest, unless a few pixels would bleach all others: where there
  /// are 1024 values or more, and the largest is beyond twice what 99.5 gives, it is 99.5.
  std::optional<double> clip{};
  /// One scale for all samples, so that they can be compared with each other; if not, each has its own.
  bool shared_scale = false;

  /// Instead of the sum over channels, the maps of so many of them, those of the largest total magnitude in each
  /// sample: for inner layers. 0 is the sum.
  std::int64_t channels = 0;
  /// Blurs maps by a Gaussian of this standard deviation, in values. 0: not at all.
  double smooth = 0;
  /// Turns maps upside down: spectrograms [N, 1, frequency, time] have the high frequencies at the top.
  bool upside_down = false;

  /// The longer side of a map, or the width of a strip, in pixels; smaller than the map, values are averaged. 0: as
  /// heatmap() says.
  std::int64_t size = 0;
  /// Samples beside each other. 0: as many as make the picture nearly square.
  std::int64_t columns = 0;

  /// What the model saw, for the options below: [N, 1, H, W] or [N, 3, H, W], bytes, or numbers from 0 to 1. H and W
  /// may be others than those of the relevance.
  at::Tensor original{};
  /// Draws the maps over the originals in grey, with this opacity, above 0 and up to 1, at full colours, and less
  /// below. 0: not over them.
  double overlay = 0;
  /// The original stands on the left of each map.
  bool beside = false;
  /// Of samples whose rows have one original in common, such as one input under several rules: that of each row's first
  /// sample stands at its left, once.
  bool before_rows = false;
  /// Lines where magnitudes pass a third and two thirds of the scale.
  bool contours = false;
};

/// The names of the colour maps. Diverging: bwr, coldnhot, france, seismic, coolio, coleus (as Zennit's are), coolwarm,
/// RdBu, PiYG, PRGn, BrBG, mpl_seismic (matplotlib's). Others: gray (or grey), wred, wblue, hot, cold (Zennit's),
/// viridis, magma, inferno, plasma, cividis, jet, turbo, mpl_hot (matplotlib's).
ASCRIBE_EXPORT std::vector<std::string> colour_maps();

/// The picture of a relevance tensor whose dimension 0 is the batch: unsigned bytes, [height, width, 3], contiguous, on
/// the CPU. The tensor may have any type of real numbers, and lie on any device.
///
/// By default colours diverge from white, which is zero: red is positive, blue is negative, and the full colours are
/// each sample's largest magnitude, as `clip` says. Values that are not finite do not count, and have a colour of their
/// own: yellow, or green where the map has yellow in it. Grey lines of 4 pixels are between samples.
///
/// Channels (dimension 1 of three and more) are summed first, in float64. Then:
///   maps      [N, C, H, W]     a table of the samples
///   volumes   [N, C, D, H, W]  the slices of a sample beside each other, samples below one another; one sample: a
///   table vectors   [N, L], [N, C, L]  a strip for each sample one value for each sample, or one alone: a single strip
///
/// Every value becomes a square of whole pixels, such that a map is 256 or more pixels wide and high (where one side is
/// beyond four times the other: the longer side, 1024), and less where many stand beside each other: the table is about
/// 2048 wide, if values of one pixel allow. In a strip a value is 32 pixels high, and the strip 256 or more pixels
/// wide. Relevance without elements is a white square.
///
/// Throws Error: wrong_tensor for more dimensions, undefined, sparse or complex tensors, and originals that do not fit;
/// usage for options out of their range, and unknown colour maps; too_large where the picture would have more than 2^26
/// pixels, or memory runs out. May be called from several threads at once.
ASCRIBE_EXPORT at::Tensor heatmap(const at::Tensor& relevance, const HeatmapOptions& options = {});

}  // namespace ascribe
