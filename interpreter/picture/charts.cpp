// Relevance that is no picture: curves and bars.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/picture/figure.hpp"

namespace ascribe::picture {
namespace {

constexpr double chart_height = 120, chart_gap = 18, number_size = 11;

// The end of a chart's own words; then the next chart begins.
double add_caption(Scene& scene, double y, std::size_t sample, const Scale& scale, const FigureOptions& options) {
  std::vector<std::string> lines;
  if (sample < options.captions.size()) lines = lines_of(options.captions[sample]);
  auto told = told_not_finite(scale);
  if (!told.empty()) lines.push_back(told);
  for (auto& each : lines) {
    scene.items.emplace_back(Text{
        .x = margin, .y = y + caption_size, .text = shortened(each, caption_size, chart_width), .size = caption_size});
    y += caption_line;
  }
  return y + (lines.empty() ? 0 : 2);
}

void add_scale_bar(Scene& scene, double x, double y, const Scale& scale, const ColourMap& colours) {
  constexpr double width = 120, height = 8;
  auto low = low_end(scale);
  scene.items.emplace_back(Text{.x = x - width - 6 - text_extent(high_end(scale), number_size),
                                .y = y,
                                .text = low,
                                .size = number_size,
                                .anchor = Anchor::end,
                                .faint = true});
  scene.items.emplace_back(Image{x - width - text_extent(high_end(scale), number_size), y - height, width - 6, height,
                                 colour_strip(colours, false)});
  scene.items.emplace_back(
      Text{.x = x, .y = y, .text = high_end(scale), .size = number_size, .anchor = Anchor::end, .faint = true});
}

struct Extent {
  double low = 0, high = 0;
  bool any = false;
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = any ? std::min(low, value) : value;
    high = any ? std::max(high, value) : value;
    any = true;
  }
};

// A signal as a line through a box; where there are more values than pixels, each column's least and largest.
void add_curve(Scene& scene, const double* values, std::int64_t length, const Extent& extent, double x, double y,
               const Rgb& colour) {
  auto height = extent.high > extent.low ? extent.high - extent.low : 1;
  auto middle = !(extent.high > extent.low);
  auto place = [&](double index, double value) {
    auto share = middle ? 0.5 : (value - extent.low) / height;
    return Point{x + (index + 0.5) * chart_width / static_cast<double>(length),
                 y + 4 + (chart_height - 8) * (1 - share)};
  };
  Line line{.points = {}, .colour = colour, .width = 1.25};
  auto flush = [&] {
    if (line.points.size() > 1) scene.items.emplace_back(line);
    line.points.clear();
  };
  constexpr auto columns = static_cast<std::int64_t>(chart_width);
  auto steps = std::min(length, 2 * columns);
  for (std::int64_t i = 0; i < steps; ++i) {
    auto begin = i * length / steps, end = (i + 1) * length / steps;
    Extent here;
    for (auto k = begin; k < end; ++k) here.add(values[k]);
    if (!here.any) {
      flush();  // a gap where nothing is finite
      continue;
    }
    line.points.push_back(place(static_cast<double>(begin), here.low));
    if (end - begin > 1) line.points.push_back(place(static_cast<double>(begin), here.high));
  }
  flush();
}

// So that channels can be told apart before any colours: dark, and then lighter.
Rgb curve_colour(std::int64_t channel) {
  constexpr Rgb shades[] = {{31, 35, 40}, {110, 64, 201}, {17, 99, 41}, {154, 103, 0}};
  return shades[channel % 4];
}

std::vector<Scale> chart_scales(const Maps& maps, const ColourMap& colours, const HeatmapOptions& options) {
  return scales_of(maps.values, colours, options);
}

}  // namespace

double draw_curves(Scene& scene, double top, const Maps& maps, const FigureOptions& options) {
  ColourMap colours(options.heatmap.colour_map);
  auto scales = chart_scales(maps, colours, options.heatmap);
  auto samples = maps.values.size(0), length = maps.values.size(3);
  at::Tensor signal;
  if (options.signal.defined()) {
    signal = options.signal.detach().to(at::kCPU, at::kDouble);
    if (signal.dim() == 1) signal = signal.reshape({1, 1, -1});
    if (signal.dim() == 2) signal = signal.unsqueeze(1);
    if (signal.dim() != 3 || signal.size(0) != samples || signal.size(2) != length)
      throw Error({.code = Code::wrong_tensor,
                   .message = filled("a signal of shape {} does not go with relevance of {} sample{} of {} values",
                                     shown_shape(options.signal.sizes()), samples, samples == 1 ? "" : "s", length),
                   .help = "give what the model saw: [samples, length], or [samples, channels, length]"});
    signal = signal.contiguous();
  } else {
    signal = maps.values.slice(1, 0, 1).squeeze(2).contiguous();  // the relevance itself
  }
  auto y = top;
  for (std::int64_t i = 0; i < samples; ++i) {
    auto sample = static_cast<std::size_t>(i);
    y = add_caption(scene, y, sample, scales[sample], options);
    auto row = maps.values[i][0];  // [1, length]
    constexpr auto most = static_cast<std::int64_t>(chart_width);
    if (length > most) row = at::adaptive_avg_pool2d(row.unsqueeze(0), {1, most}).squeeze(0);
    row = row.contiguous();
    auto band = at::empty({1, row.size(1), 3}, at::kByte);
    auto* pixel = band.mutable_data_ptr<std::uint8_t>();
    for (std::int64_t k = 0; k < row.size(1); ++k) {
      auto colour = colours.at(scales[sample].position(row.const_data_ptr<double>()[k]));
      pixel = std::copy(colour.begin(), colour.end(), pixel);
    }
    scene.items.emplace_back(Rectangle{margin - 1, y - 1, chart_width + 2, chart_height + 2, hairline});
    scene.items.emplace_back(Image{margin, y, chart_width, chart_height, band});
    Extent extent;
    auto* values = signal.const_data_ptr<double>() + i * signal.size(1) * length;
    for (std::int64_t k = 0; k < signal.size(1) * length; ++k) extent.add(values[k]);
    for (std::int64_t channel = signal.size(1); channel-- > 0;)
      add_curve(scene, values + channel * length, length, extent, margin, y, curve_colour(channel));
    auto right = margin + chart_width + 6;
    scene.items.emplace_back(
        Text{.x = right, .y = y + 10, .text = shown_number(extent.high), .size = number_size, .faint = true});
    scene.items.emplace_back(
        Text{.x = right, .y = y + chart_height, .text = shown_number(extent.low), .size = number_size, .faint = true});
    y += chart_height + 14;
    scene.items.emplace_back(Text{.x = margin, .y = y, .text = "0", .size = number_size, .faint = true});
    scene.items.emplace_back(
        Text{.x = margin + 60, .y = y, .text = filled("{} values", length), .size = number_size, .faint = true});
    if (options.colour_bar) add_scale_bar(scene, margin + chart_width, y, scales[sample], colours);
    y += chart_gap;
  }
  scene.width = std::max(scene.width, 2 * margin + chart_width + 70);
  return y - chart_gap;
}

double draw_bars(Scene& scene, double top, const Maps& maps, const FigureOptions& options) {
  constexpr std::size_t most_bars = 20;
  constexpr double thickness = 16, step = 20, widest_name = 240, numbers = 76;
  ColourMap colours(options.heatmap.colour_map);
  auto scales = chart_scales(maps, colours, options.heatmap);
  auto length = static_cast<std::size_t>(maps.values.size(3));
  auto name_of = [&](std::size_t i) { return i < options.names.size() ? one_line(options.names[i]) : filled("{}", i); };
  auto y = top;
  for (std::int64_t i = 0; i < maps.values.size(0); ++i) {
    auto sample = static_cast<std::size_t>(i);
    auto& scale = scales[sample];
    y = add_caption(scene, y, sample, scale, options);
    auto* values = maps.values.const_data_ptr<double>() + sample * length;
    std::vector<std::size_t> order(length);
    std::iota(order.begin(), order.end(), std::size_t{0});
    auto magnitude = [&](std::size_t k) { return std::isfinite(values[k]) ? std::abs(values[k]) : -1; };
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return magnitude(a) > magnitude(b); });
    std::erase_if(order, [&](auto k) { return !std::isfinite(values[k]); });
    double rest = 0, largest = 0, smallest = 0, names = 40;
    auto others = order.size() > most_bars ? order.size() - most_bars : 0;
    for (std::size_t k = most_bars; k < order.size(); ++k) rest += values[order[k]];
    if (others > 0) order.resize(most_bars);
    for (auto k : order) {
      largest = std::max(largest, values[k]);
      smallest = std::min(smallest, values[k]);
      names = std::max(names, text_extent(name_of(k), caption_size));
    }
    names = std::min(names, widest_name);
    auto left = margin + names + 10;
    auto room = margin + chart_width - numbers - left - (smallest < 0 ? numbers : 0);
    auto unit = largest - smallest > 0 ? room / (largest - smallest) : 0;
    auto zero = left + (smallest < 0 ? numbers : 0) - smallest * unit;
    auto begin = y;
    for (auto k : order) {
      auto width = std::max(1.0, std::abs(values[k]) * unit);
      bool negative = values[k] < 0;
      auto x = negative ? zero - width : zero;
      scene.items.emplace_back(Text{.x = margin + names,
                                    .y = y + thickness - 3,
                                    .text = shortened(name_of(k), caption_size, names + 1),
                                    .size = caption_size,
                                    .anchor = Anchor::end});
      scene.items.emplace_back(Rectangle{x - 1, y, width + 2, thickness, faint_ink});
      scene.items.emplace_back(Rectangle{x, y + 1, width, thickness - 2, colours.at(scale.position(values[k]))});
      scene.items.emplace_back(Text{.x = negative ? x - 6 : x + width + 6,
                                    .y = y + thickness - 3,
                                    .text = shown_number(values[k]),
                                    .size = number_size,
                                    .anchor = negative ? Anchor::end : Anchor::start,
                                    .faint = true});
      y += step;
    }
    scene.items.emplace_back(Line{{{zero, begin - 3}, {zero, y}}, faint_ink, 1});
    if (others > 0) {
      scene.items.emplace_back(Text{.x = margin + names,
                                    .y = y + thickness - 3,
                                    .text = filled("{} others", others),
                                    .size = caption_size,
                                    .anchor = Anchor::end,
                                    .faint = true});
      scene.items.emplace_back(Text{.x = zero + 6,
                                    .y = y + thickness - 3,
                                    .text = filled("sum {}", shown_number(rest)),
                                    .size = number_size,
                                    .faint = true});
      y += step;
    }
    y += chart_gap;
  }
  scene.width = std::max(scene.width, 2 * margin + chart_width);
  return y - chart_gap;
}

}  // namespace ascribe::picture
