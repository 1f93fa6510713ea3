// Maps of numbers as tiles of pixels, beside each other in a table.
#include "interpreter/picture/sheet.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"

namespace ascribe::picture {
namespace {

constexpr std::int64_t smallest_side = 256, strip_height = 32, usual_width = 2048;

// How large a tile is, and how many stand in a row.
struct Plan {
  std::int64_t height, width;  // of a tile, in pixels
  std::int64_t columns;        // tiles in a row
  std::int64_t rows;
};

std::int64_t divided(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Whole pixels for each value, so that a tile has about so many.
std::int64_t enlargement(std::int64_t side, std::int64_t wanted) {
  return std::max<std::int64_t>(1, divided(wanted, side));
}

void size_tile(Plan& plan, std::int64_t height, std::int64_t width, bool strip, std::int64_t size, std::int64_t most) {
  auto longer = std::max(height, width);
  auto share = [&](std::int64_t side) {
    auto pixels = static_cast<double>(side) * static_cast<double>(size) / static_cast<double>(longer);
    return std::max<std::int64_t>(1, std::llround(pixels));
  };
  if (size > 0) {
    plan.height = strip ? strip_height : share(height);
    plan.width = strip ? size : share(width);
    return;
  }
  auto wanted = std::clamp<std::int64_t>(most, 1, smallest_side);
  auto times = strip ? enlargement(width, wanted) : enlargement(std::max(std::min(height, width), longer / 4), wanted);
  plan.height = strip ? strip_height : height * times;
  plan.width = width * times;
}

// As many beside each other as make the whole nearly square.
std::int64_t square_columns(std::int64_t count, std::int64_t height, std::int64_t width) {
  auto ratio = static_cast<double>(count) * static_cast<double>(height) / static_cast<double>(width);
  return std::clamp<std::int64_t>(std::llround(std::ceil(std::sqrt(ratio) - 1e-9)), 1, count);
}

Plan plan_of(std::int64_t samples, std::int64_t per_sample, at::IntArrayRef side, bool strips,
             const HeatmapOptions& options, std::int64_t gap) {
  Plan out{};
  size_tile(out, side[0], side[1], strips, options.size, smallest_side);
  // Several parts of each sample: it has a row of its own. Otherwise samples stand in a table.
  bool row_each = per_sample > 2 && samples > 1;
  auto unit = row_each || samples == 1 ? 1 : per_sample;  // tiles that stay together
  auto count = samples * per_sample / unit;
  out.columns = row_each              ? per_sample
                : options.columns > 0 ? std::min(options.columns, count) * unit
                                      : square_columns(count, out.height + gap, unit * (out.width + gap)) * unit;
  out.rows = divided(samples * per_sample, out.columns);
  if (options.before_rows) ++out.columns;
  size_tile(out, side[0], side[1], strips, options.size, usual_width / out.columns);
  return out;
}

// -------------------------------------------------------------------------------------------------------------- pixels

// What the model saw as bytes, [3, height, width].
at::Tensor original_of(const at::Tensor& image, std::int64_t height, std::int64_t width) {
  auto out = image.detach().to(at::kCPU);
  out = out.is_floating_point() ? out.to(at::kDouble).nan_to_num(0, 1, 0).clamp(0, 1) : out.to(at::kDouble) / 255;
  if (height < out.size(1) || width < out.size(2))
    out = at::adaptive_avg_pool2d(out.unsqueeze(0), {std::min(height, out.size(1)), std::min(width, out.size(2))})
              .squeeze(0);
  return (out * 255).round().to(at::kByte).expand({3, -1, -1}).contiguous();
}

// Which value a pixel shows.
std::vector<std::int64_t> places(std::int64_t pixels, std::int64_t values) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(pixels));
  for (std::int64_t i = 0; i < pixels; ++i) out[static_cast<std::size_t>(i)] = i * values / pixels;
  return out;
}

at::Tensor drawn_original(const at::Tensor& image, std::int64_t height, std::int64_t width) {
  auto source = original_of(image, height, width);
  auto pixels = at::empty({height, width, 3}, at::kByte);
  auto rows = places(height, source.size(1)), columns = places(width, source.size(2));
  auto* from = source.const_data_ptr<std::uint8_t>();
  auto* to = pixels.mutable_data_ptr<std::uint8_t>();
  auto plane = source.size(1) * source.size(2);
  for (auto row : rows)
    for (auto column : columns)
      for (std::int64_t c = 0; c < 3; ++c) *to++ = from[c * plane + row * source.size(2) + column];
  return pixels;
}

std::uint8_t blend(std::uint8_t below, std::uint8_t above, double opacity) {
  return static_cast<std::uint8_t>(std::lround(below + (above - below) * opacity));
}

// A map between its values, for contours: linear between their centres.
class Between {
 public:
  Between(const double* values, std::int64_t height, std::int64_t width) : values_(values), h_(height), w_(width) {}
  double at(double y, double x) const {
    auto [top, low, down] = around(y, h_);
    auto [left, right, across] = around(x, w_);
    auto mixed = [](double a, double b, double share) { return a + (b - a) * share; };
    return mixed(mixed(values_[top * w_ + left], values_[top * w_ + right], across),
                 mixed(values_[low * w_ + left], values_[low * w_ + right], across), down);
  }

 private:
  struct Place {
    std::int64_t before, behind;
    double share;
  };
  static Place around(double at, std::int64_t count) {
    auto inside = std::clamp(at - 0.5, 0.0, static_cast<double>(count - 1));
    auto before = static_cast<std::int64_t>(inside);
    return {before, std::min(before + 1, count - 1), inside - static_cast<double>(before)};
  }
  const double* values_;
  std::int64_t h_, w_;
};

// A line where one pixel lies in another band than the pixel on its right, or below.
void draw_contours(at::Tensor& pixels, const Between& map, std::int64_t h, std::int64_t w, const Scale& scale) {
  auto height = pixels.size(0), width = pixels.size(1);
  std::vector<int> bands(static_cast<std::size_t>(height * width));
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      auto place = [](std::int64_t pixel, std::int64_t count, std::int64_t whole) {
        return (static_cast<double>(pixel) + 0.5) * static_cast<double>(count) / static_cast<double>(whole);
      };
      auto strength = scale.strength(map.at(place(y, h, height), place(x, w, width)));
      auto band = std::isfinite(strength) ? std::min(2, static_cast<int>(std::abs(strength) * 3)) : 0;
      bands[static_cast<std::size_t>(y * width + x)] = strength < 0 ? -band : band;
    }
  auto* pixel = pixels.mutable_data_ptr<std::uint8_t>();
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x, pixel += 3) {
      auto here = bands[static_cast<std::size_t>(y * width + x)];
      bool line = (x + 1 < width && here != bands[static_cast<std::size_t>(y * width + x + 1)]) ||
                  (y + 1 < height && here != bands[static_cast<std::size_t>((y + 1) * width + x)]);
      if (line) std::fill(pixel, pixel + 3, std::uint8_t{40});
    }
}

struct Brush {
  const HeatmapOptions& options;
  const ColourMap& colours;
  std::int64_t height, width;  // of a tile

  at::Tensor draw(at::Tensor map, const Scale& scale, const at::Tensor& image) const {
    if (height < map.size(0) || width < map.size(1))
      map = at::adaptive_avg_pool2d(map.unsqueeze(0), {std::min(height, map.size(0)), std::min(width, map.size(1))})
                .squeeze(0);
    map = map.contiguous();
    auto h = map.size(0), w = map.size(1);
    auto* values = map.const_data_ptr<double>();
    std::vector<Rgb> colour(static_cast<std::size_t>(h * w));
    for (std::int64_t i = 0; i < h * w; ++i)
      colour[static_cast<std::size_t>(i)] = colours.at(scale.position(values[i]));
    at::Tensor below;
    if (options.overlay > 0) below = drawn_original(image, height, width);
    auto pixels = at::empty({height, width, 3}, at::kByte);
    auto* to = pixels.mutable_data_ptr<std::uint8_t>();
    auto* under = below.defined() ? below.const_data_ptr<std::uint8_t>() : nullptr;
    auto rows = places(height, h), columns = places(width, w);
    for (auto row : rows)
      for (auto column : columns) {
        auto place = row * w + column;
        auto shown = colour[static_cast<std::size_t>(place)];
        if (under) {
          auto grey = static_cast<std::uint8_t>(std::lround(0.299 * under[0] + 0.587 * under[1] + 0.114 * under[2]));
          auto strength = std::abs(scale.strength(values[place]));
          auto opacity =
              std::isfinite(strength) ? options.overlay * std::sqrt(std::min(1.0, strength)) : options.overlay;
          for (auto& part : shown) part = blend(grey, part, opacity);
          under += 3;
        }
        to = std::copy(shown.begin(), shown.end(), to);
      }
    if (options.contours && h > 1) draw_contours(pixels, Between(values, h, w), h, w, scale);
    return pixels;
  }
};

bool needs_original(const HeatmapOptions& options) {
  return options.overlay > 0 || options.beside || options.before_rows;
}

void check_original(const HeatmapOptions& options, const Maps& maps) {
  if (!needs_original(options)) return;
  auto& image = options.original;
  auto help = "give what the model saw as [samples, 1 or 3, height, width], in bytes or from 0 to 1";
  if (!image.defined() || image.layout() != at::kStrided || image.is_complex() || image.dim() != 4 ||
      image.numel() == 0)
    throw Error({.code = Code::wrong_tensor, .message = "there is no original to draw over, or beside", .help = help});
  if (image.size(0) != maps.values.size(0) || (image.size(1) != 1 && image.size(1) != 3) || maps.strips)
    throw Error(
        {.code = Code::wrong_tensor,
         .message = filled("an original of shape {} does not go with {} map{} of relevance", shown_shape(image.sizes()),
                           maps.values.size(0), maps.values.size(0) == 1 ? "" : "s"),
         .help = help});
}

void check_pixels(const Plan& plan, at::IntArrayRef shape, std::int64_t gap, bool sized) {
  auto side = [&](std::int64_t count,
                  std::int64_t pixels) {  // in floating point: expanded tensors may be larger than any memory
    return static_cast<double>(count) * (static_cast<double>(pixels) + static_cast<double>(gap)) -
           static_cast<double>(gap);
  };
  auto height = side(plan.rows, plan.height), width = side(plan.columns, plan.width);
  if (!(height * width > most_pixels)) return;
  throw Error(Diagnostic{.code = Code::too_large,
                         .message = filled("relevance of shape {} makes a picture of {} × {} pixels; the limit is {}",
                                           shown_shape(shape), height, width, most_pixels),
                         .help = sized ? "choose a smaller size, or explain fewer samples at once"
                                       : "give a size for each map, such as 64, or explain fewer samples at once"});
}

}  // namespace

Sheet sheet_of(const at::Tensor& relevance, const HeatmapOptions& options, std::int64_t gap) {
  check(options);
  ColourMap colours(options.colour_map);
  Sheet out;
  // Before anything of that size is made.
  if (relevance.defined() && relevance.layout() == at::kStrided && relevance.dim() <= 5 && relevance.numel() > 0) {
    auto sizes = relevance.sizes();
    auto dimensions = relevance.dim();
    std::int64_t samples = dimensions < 2 ? 1 : sizes[0];
    std::int64_t parts = dimensions == 5                           ? sizes[2]
                         : options.channels > 0 && dimensions >= 3 ? std::min(options.channels, sizes[1])
                                                                   : 1;
    std::int64_t height = dimensions < 4 ? 1 : sizes[dimensions - 2],
                 width = dimensions < 1 ? 1 : sizes[dimensions - 1];
    bool image = needs_original(options) && options.original.defined() && options.original.dim() == 4;
    if (image) height = std::max(height, options.original.size(2)), width = std::max(width, options.original.size(3));
    auto per_sample = parts + (options.beside ? 1 : 0);
    auto plan = plan_of(samples, per_sample, {height, width}, height == 1, options, gap);
    check_pixels(plan, sizes, gap, options.size > 0);
    out.columns = plan.columns;
    out.per_sample = per_sample;
    out.leading = options.before_rows;
    out.tile_height = plan.height;
    out.tile_width = plan.width;
  }
  auto maps = maps_of(relevance, options);
  out.strips = maps.strips;
  out.channels = !maps.channels.empty();
  if (relevance.numel() == 0) return out;
  check_original(options, maps);
  out.scales = scales_of(maps.values, colours, options);
  Brush brush{options, colours, out.tile_height, out.tile_width};
  for (std::int64_t i = 0; i < maps.values.size(0); ++i) {
    auto image = needs_original(options) ? options.original[i] : at::Tensor();
    bool row_begins = out.leading && static_cast<std::int64_t>(out.tiles.size()) % out.columns == 0;
    if (options.beside || row_begins)
      out.tiles.push_back({i, -1, drawn_original(image, out.tile_height, out.tile_width)});
    for (std::int64_t k = 0; k < maps.values.size(1); ++k) {
      auto sample = static_cast<std::size_t>(i), part = static_cast<std::size_t>(k);
      out.tiles.push_back({i, out.channels ? maps.channels[sample][part] : k,
                           brush.draw(maps.values[i][k], out.scales[sample], image)});
    }
  }
  return out;
}

}  // namespace ascribe::picture
