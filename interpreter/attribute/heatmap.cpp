#include "ascribe/heatmap.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/libtorch/dispatch.hpp"
#include "interpreter/libtorch/failure.hpp"

namespace ascribe {
namespace {

constexpr std::int64_t smallest_side = 256, strip_height = 32, gap = 4;
constexpr double most_pixels = 1 << 26;
constexpr std::uint8_t grey = 128, white = 255;

using Colour = std::array<std::uint8_t, 3>;
constexpr Colour not_finite{255, 220, 0};

// From white at 0 to red at 1 and to blue at −1, linearly.
Colour colour_of(double value) {
  if (!std::isfinite(value)) return not_finite;
  auto fade = static_cast<std::uint8_t>(std::lround(255 * (1 - std::abs(value))));
  return value > 0 ? Colour{255, fade, fade} : Colour{fade, fade, 255};
}

// A table of tiles (maps or strips), each of `height` × `width` values drawn as cells of whole pixels.
struct Raster {
  std::int64_t rows, columns, height, width;
  std::int64_t cell_height = strip_height, cell_width = 1;

  Raster(std::int64_t rows_, std::int64_t columns_, std::int64_t height_, std::int64_t width_)
      : rows(rows_), columns(columns_), height(height_), width(width_) {
    auto enlargement = [](std::int64_t side) { return (smallest_side + side - 1) / side; };
    if (height == 1)
      cell_width = enlargement(width);
    else
      cell_height = cell_width = enlargement(std::max(std::min(height, width), std::max(height, width) / 4));
  }
  std::int64_t tile_height() const { return height * cell_height; }
  std::int64_t tile_width() const { return width * cell_width; }
  // In floating point, since an expanded tensor may be larger than any memory.
  double picture_height() const { return static_cast<double>(rows) * static_cast<double>(tile_height() + gap) - gap; }
  double picture_width() const { return static_cast<double>(columns) * static_cast<double>(tile_width() + gap) - gap; }
};

Raster layout_of(at::IntArrayRef shape) {
  switch (shape.size()) {
    case 0:
      return {1, 1, 1, 1};
    case 1:
      return {1, 1, 1, shape[0]};
    case 2:
      return {shape[0], 1, 1, shape[1]};
    case 3:
      return {shape[0], 1, 1, shape[2]};
    case 4:
      return {1, shape[0], shape[2], shape[3]};
    case 5:
      return {shape[2], shape[0], shape[3], shape[4]};
    default:
      throw Error(Diagnostic{.code = Code::wrong_tensor,
                             .message = filled("relevance of {} dimensions has no picture", shape.size()),
                             .help = "leave the heatmap out"});
  }
}

// The values in the order of the tiles: row after row of the table, each tile's values together.
at::Tensor tile_values(const at::Tensor& relevance) {
  auto values = relevance.detach().to(at::kCPU);
  values = values.dim() < 3 ? values.to(at::kDouble) : values.sum(1, /*keepdim=*/false, at::kDouble);
  if (relevance.dim() == 5) values = values.transpose(0, 1);
  return values.contiguous();
}

// The largest finite magnitude, or 1 where all are zero.
double scale_of(const double* values, std::int64_t count) {
  double largest = 0;
  for (auto* end = values + count; values != end; ++values)
    if (std::isfinite(*values)) largest = std::max(largest, std::abs(*values));
  return largest > 0 ? largest : 1;
}

at::Tensor draw(const at::Tensor& relevance) {
  if (!relevance.defined() || relevance.layout() != at::kStrided || relevance.is_complex())
    throw Error(Diagnostic{.code = Code::wrong_tensor,
                           .message = relevance.defined()
                                          ? "relevance that is no dense tensor of real numbers has no picture"
                                          : "an undefined tensor has no picture",
                           .help = "give the relevance of an attribution that went to its input"});
  if (relevance.numel() == 0) return at::full({smallest_side, smallest_side, 3}, white, at::kByte);
  auto layout = layout_of(relevance.sizes());
  if (layout.picture_height() * layout.picture_width() > most_pixels)
    throw Error(Diagnostic{
        .code = Code::too_large,
        .message = filled("relevance of shape {} makes a picture of {} × {} pixels; the limit is {}",
                          shown_shape(relevance.sizes()), layout.picture_height(), layout.picture_width(), most_pixels),
        .help = "explain fewer samples at once, or leave the heatmap out"});

  auto height = static_cast<std::int64_t>(layout.picture_height());
  auto width = static_cast<std::int64_t>(layout.picture_width());
  auto picture = at::full({height, width, 3}, grey, at::kByte);
  auto tiles = tile_values(relevance);
  const auto* value = tiles.const_data_ptr<double>();
  auto scale = scale_of(value, tiles.numel());
  auto* pixels = picture.mutable_data_ptr<std::uint8_t>();

  for (std::int64_t row = 0; row < layout.rows; ++row)
    for (std::int64_t column = 0; column < layout.columns; ++column)
      for (std::int64_t y = 0; y < layout.height; ++y)
        for (std::int64_t x = 0; x < layout.width; ++x) {
          auto colour = colour_of(*value++ / scale);
          auto top = row * (layout.tile_height() + gap) + y * layout.cell_height;
          auto left = column * (layout.tile_width() + gap) + x * layout.cell_width;
          for (auto line = top; line < top + layout.cell_height; ++line)
            for (auto *pixel = pixels + (line * width + left) * 3, *end = pixel + layout.cell_width * 3; pixel != end;
                 pixel += 3)
              std::copy(colour.begin(), colour.end(), pixel);
        }
  return picture;
}

}  // namespace

at::Tensor heatmap(const at::Tensor& relevance) {
  try {
    libtorch::Pause pause;  // drawing is no layer of whatever rules are attached to
    at::NoGradGuard no_grad;
    return draw(relevance);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw Error(libtorch::describe(failure, "the relevance", Code::wrong_tensor, "cannot be drawn",
                                   "give the relevance of an attribution that went to its input"));
  }
}

}  // namespace ascribe
