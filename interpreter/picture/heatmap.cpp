#include "ascribe/heatmap.hpp"

#include <ATen/ATen.h>

#include "interpreter/picture/quietly.hpp"
#include "interpreter/picture/sheet.hpp"

namespace ascribe {
namespace {

constexpr std::int64_t blank_side = 256, tile_gap = 4;
constexpr std::uint8_t grey = 128, white = 255;

at::Tensor put_together(const picture::Sheet& sheet) {
  if (sheet.tiles.empty()) return at::full({blank_side, blank_side, 3}, white, at::kByte);
  auto side = [](std::int64_t count, std::int64_t pixels) { return count * (pixels + tile_gap) - tile_gap; };
  auto out =
      at::full({side(sheet.rows(), sheet.tile_height), side(sheet.columns, sheet.tile_width), 3}, grey, at::kByte);
  for (std::size_t i = 0; i < sheet.tiles.size(); ++i) {
    auto place = static_cast<std::int64_t>(i);
    auto top = place / sheet.columns * (sheet.tile_height + tile_gap);
    auto left = place % sheet.columns * (sheet.tile_width + tile_gap);
    out.slice(0, top, top + sheet.tile_height).slice(1, left, left + sheet.tile_width).copy_(sheet.tiles[i].pixels);
  }
  return out;
}

}  // namespace

at::Tensor heatmap(const at::Tensor& relevance, const HeatmapOptions& options) {
  return picture::quietly([&] { return put_together(picture::sheet_of(relevance, options, tile_gap)); });
}

}  // namespace ascribe
