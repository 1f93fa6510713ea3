// The pictures of a batch, one by one, before they are put together: by heatmap() without space between them, by
// figures with words.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ascribe/heatmap.hpp"
#include "interpreter/picture/scale.hpp"

namespace ascribe::picture {

/// What a pixel of a picture may cost: pictures beyond 2^26 of them are refused.
constexpr double most_pixels = 1 << 26;

struct Tile {
  std::int64_t sample;
  std::int64_t part;    ///< which slice or channel; −1: what the model saw
  at::Tensor pixels{};  ///< bytes, [height, width, 3]
};

struct Sheet {
  std::vector<Tile> tiles{};    ///< sample after sample
  std::int64_t columns = 1;     ///< tiles in a row
  std::int64_t per_sample = 1;  ///< tiles of a sample, side by side
  std::int64_t tile_height = 0, tile_width = 0;
  bool leading = false;         ///< the first tile of each row is what the model saw
  bool strips = false;          ///< of vectors
  bool channels = false;        ///< parts are channels
  std::vector<Scale> scales{};  ///< of each sample

  std::int64_t rows() const { return (static_cast<std::int64_t>(tiles.size()) + columns - 1) / columns; }
};

/// Relevance as [samples, parts, height, width], in float64 on the CPU, summed over channels or the strongest of them,
/// smoothed and turned as the options say. Throws Error as heatmap() does.
struct Maps {
  at::Tensor values{};
  std::vector<std::vector<std::int64_t>> channels{};  ///< of each sample, which channels are shown; empty: their sum
  bool strips = false;
};
Maps maps_of(const at::Tensor& relevance, const HeatmapOptions& options);

/// The scale of each sample.
std::vector<Scale> scales_of(const at::Tensor& values, const ColourMap& colours, const HeatmapOptions& options);

/// Refuses options that are out of their range. Throws Error (usage).
void check(const HeatmapOptions& options);

/// `gap`: pixels between the tiles, for the limit of pixels and the shape of the table. Throws Error as heatmap() does.
/// Relevance without elements has no tiles.
Sheet sheet_of(const at::Tensor& relevance, const HeatmapOptions& options, std::int64_t gap);

}  // namespace ascribe::picture
