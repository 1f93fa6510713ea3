#include "interpreter/picture/figure.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/picture/quietly.hpp"

namespace ascribe::picture {
namespace {

constexpr std::int64_t between_tiles = 16;
constexpr double least_chart_height = 40;
constexpr double narrowest_captioned = 40, narrowest_barred = 160, widest_row_title = 220;
constexpr double bar_thickness = 14, tallest_bar = 256, small_bar = 8, room_for_numbers = 90;

// The samples of a table, in groups of tiles that belong together.
struct Table {
  const Sheet& sheet;
  const FigureOptions& options;
  bool one_scale;  // which a single bar tells
  double left = 0, top = 0, line_count = 0, between_rows = 0;

  std::int64_t leading() const { return sheet.leading ? 1 : 0; }  // tiles before the samples of a row
  std::int64_t groups_in_row() const {
    return std::max<std::int64_t>(1, (sheet.columns - leading()) / sheet.per_sample);
  }
  // A sample's tiles may take several rows, if it is the only one.
  double group_width() const {
    auto tiles = std::min(sheet.per_sample, sheet.columns);
    return static_cast<double>(tiles * (sheet.tile_width + between_tiles) - between_tiles);
  }
  double width() const {
    return static_cast<double>(sheet.columns * (sheet.tile_width + between_tiles) - between_tiles);
  }
  double row_height() const { return static_cast<double>(sheet.tile_height) + between_rows; }
  bool captioned() const { return group_width() >= narrowest_captioned; }
  bool has_bars() const { return options.colour_bar && !one_scale; }
  double x_of(std::int64_t place) const {
    return left + static_cast<double>(place % sheet.columns * (sheet.tile_width + between_tiles));
  }
  double y_of(std::int64_t place) const { return top + static_cast<double>(place / sheet.columns) * row_height(); }
};

std::vector<std::string> caption_of(const Table& table, std::size_t sample) {
  std::vector<std::string> out;
  if (sample < table.options.captions.size()) out = lines_of(table.options.captions[sample]);
  auto told = told_not_finite(table.sheet.scales[sample]);
  if (!told.empty()) out.push_back(told);
  return out;
}

// From `x` to `x + width`: the numbers of both ends with their colours between them, or numbers alone.
void add_small_bar(Scene& scene, const Table& table, const ColourMap& colours, std::size_t sample, double x, double y) {
  auto& scale = table.sheet.scales[sample];
  auto low = low_end(scale), high = high_end(scale);
  constexpr double size = 11, space = 6;
  auto width = table.group_width();
  if (width < narrowest_barred) {
    auto told = scale.low == -scale.high ? "±" + shown_number(scale.high) : low + " – " + high;
    scene.items.emplace_back(Text{.x = x, .y = y, .text = shortened(told, size, width), .size = size, .faint = true});
    return;
  }
  auto before = text_extent(low, size) + space, behind = text_extent(high, size) + space;
  scene.items.emplace_back(Text{.x = x, .y = y, .text = low, .size = size, .faint = true});
  scene.items.emplace_back(
      Text{.x = x + width, .y = y, .text = high, .size = size, .anchor = Anchor::end, .faint = true});
  scene.items.emplace_back(
      Image{x + before, y - small_bar, width - before - behind, small_bar, colour_strip(colours, /*upright=*/false)});
}

void add_colour_bar(Scene& scene, const Table& table, const ColourMap& colours, double x, double y) {
  auto& scale = table.sheet.scales.front();
  auto height = std::min(tallest_bar, std::max(static_cast<double>(table.sheet.tile_height), 3 * caption_line));
  scene.items.emplace_back(Image{x, y, bar_thickness, height, colour_strip(colours, /*upright=*/true)});
  auto mark = [&](double share, const std::string& text) {
    auto at = y + height * (1 - share);
    scene.items.emplace_back(Rectangle{x + bar_thickness, std::floor(at - 0.5), 4, 1, faint_ink});
    scene.items.emplace_back(Text{.x = x + bar_thickness + 8, .y = at + 4, .text = text, .size = 11, .faint = true});
  };
  mark(1, high_end(scale));
  auto zero = scale.position(0);
  if (zero > 0.1 && zero < 0.9) mark(zero, "0");
  mark(0, low_end(scale));
}

// A title in as many lines as it needs, up to three, broken at blanks.
std::vector<std::string> wrapped(const std::string& title, double size, double width) {
  constexpr std::size_t most_lines = 3;
  std::vector<std::string> out;
  std::istringstream words(one_line(title));
  for (std::string word; words >> word;) {
    bool fits = !out.empty() && text_extent(out.back() + " " + word, size) <= width;
    if (fits || out.size() == most_lines)
      out.back() += " " + word;
    else
      out.push_back(word);
  }
  for (auto& line : out) line = shortened(line, size, width);
  if (out.empty()) out.emplace_back();
  return out;
}

double titled(Scene& scene, const std::string& title) {
  if (title.empty()) return margin;
  double y = margin;
  for (auto& line : lines_of(title)) {
    scene.items.emplace_back(
        Text{.x = margin, .y = y + title_size - 3, .text = one_line(line), .size = title_size, .bold = true});
    scene.width = std::max(scene.width, text_extent(line, title_size) * 1.1 + 2 * margin);
    y += title_size + 6;
  }
  return y + 8;
}

void draw_table(Scene& scene, double top, const at::Tensor& relevance, const FigureOptions& options) {
  auto sheet = sheet_of(relevance, options.heatmap, between_tiles);
  ColourMap colours(options.heatmap.colour_map);
  if (sheet.tiles.empty()) {
    scene.items.emplace_back(Text{.x = margin, .y = top + caption_size, .text = "no elements", .size = caption_size});
    scene.width = std::max(scene.width, 2 * margin + 100);
    scene.height = top + caption_line + margin;
    return;
  }
  Table table{
      .sheet = sheet, .options = options, .one_scale = sheet.scales.size() == 1 || options.heatmap.shared_scale};
  std::size_t lines = 0;
  for (std::size_t i = 0; i < sheet.scales.size() && table.captioned(); ++i)
    lines = std::max(lines, caption_of(table, i).size());
  if (sheet.channels && sheet.per_sample > 1) ++lines;
  if (table.has_bars() && table.captioned()) ++lines;
  table.between_rows = between_tiles + (lines > 0 ? static_cast<double>(lines) * caption_line + 4 : 0);

  double row_titles = 0;
  for (auto& each : options.row_titles)
    row_titles = std::max(row_titles, text_extent(one_line(each), caption_size * 1.1));
  row_titles = std::min(row_titles, widest_row_title);
  table.left = margin + (row_titles > 0 ? row_titles + 12 : 0);
  std::vector<std::vector<std::string>> titles;
  std::size_t title_lines = 0;
  for (auto& each : options.column_titles) {
    titles.push_back(wrapped(each, caption_size * 1.1, table.group_width()));
    title_lines = std::max(title_lines, titles.back().size());
  }
  table.top = top + (title_lines > 0 ? caption_line * static_cast<double>(title_lines) + 4 : 0);

  for (std::size_t i = 0; i < titles.size() && static_cast<std::int64_t>(i) < table.groups_in_row(); ++i) {
    auto x = table.x_of(table.leading() + static_cast<std::int64_t>(i) * sheet.per_sample) + table.group_width() / 2;
    auto y = table.top - 8 - caption_line * static_cast<double>(titles[i].size() - 1);
    for (auto& line : titles[i]) {
      scene.items.emplace_back(
          Text{.x = x, .y = y, .text = line, .size = caption_size, .anchor = Anchor::middle, .bold = true});
      y += caption_line;
    }
  }
  for (std::size_t i = 0; i < options.row_titles.size() && static_cast<std::int64_t>(i) < sheet.rows(); ++i) {
    auto y = table.y_of(static_cast<std::int64_t>(i) * sheet.columns);
    scene.items.emplace_back(Text{.x = margin,
                                  .y = y + static_cast<double>(sheet.tile_height) / 2 + 4,
                                  .text = shortened(options.row_titles[i], caption_size * 1.1, row_titles + 2),
                                  .size = caption_size,
                                  .bold = true});
  }
  for (std::size_t i = 0; i < sheet.tiles.size(); ++i) {
    auto& tile = sheet.tiles[i];
    auto place = static_cast<std::int64_t>(i);
    auto x = table.x_of(place), y = table.y_of(place);
    auto height = static_cast<double>(sheet.tile_height), width = static_cast<double>(sheet.tile_width);
    scene.items.emplace_back(Rectangle{x - 1, y - 1, width + 2, height + 2, hairline});
    scene.items.emplace_back(Image{x, y, width, height, tile.pixels});
    auto line = y + height + caption_line - 1;
    if (sheet.channels && sheet.per_sample > 1) {
      auto name = tile.part < 0 ? std::string("input") : filled("channel {}", tile.part);
      scene.items.emplace_back(Text{.x = x, .y = line, .text = shortened(name, 11, width), .size = 11, .faint = true});
      line += caption_line;
    }
    if (sheet.leading && tile.part < 0) continue;
    bool first = place % sheet.per_sample == 0,
         last_row = sheet.scales.size() > 1 || place / sheet.columns == sheet.rows() - 1;
    // Below a sample's first tile; where it takes several rows, below the first of the last one.
    bool begins = sheet.scales.size() > 1 ? first : last_row && place % sheet.columns == 0;
    if (!begins || !table.captioned()) continue;
    auto sample = static_cast<std::size_t>(tile.sample);
    if (table.has_bars()) {
      add_small_bar(scene, table, colours, sample, x, line - 1);
      line += caption_line;
    }
    for (auto& text : caption_of(table, sample)) {
      scene.items.emplace_back(
          Text{.x = x, .y = line, .text = shortened(text, caption_size, table.group_width()), .size = caption_size});
      line += caption_line;
    }
  }
  auto right = table.left + table.width();
  if (options.colour_bar && table.one_scale) {
    add_colour_bar(scene, table, colours, right + 12, table.top);
    right += 12 + bar_thickness + room_for_numbers - margin;
  }
  scene.width = std::max(scene.width, right + margin);
  auto below = table.between_rows - between_tiles;
  scene.height =
      std::max(table.top + static_cast<double>(sheet.rows()) * table.row_height() - table.between_rows + below,
               table.top + 3 * caption_line) +
      margin;
}

void check_size(const at::Tensor& relevance, double width, double height) {
  if (!(width * height > most_pixels)) return;
  throw Error({.code = Code::too_large,
               .message = filled("relevance of shape {} makes a figure of {:.0f} × {:.0f} pixels; the limit is {}",
                                 shown_shape(relevance.sizes()), width, height, most_pixels),
               .help = "explain fewer samples at once, or give each a smaller size"});
}

FigureForm form_of(const at::Tensor& relevance, const FigureOptions& options) {
  if (options.form != FigureForm::automatic) return options.form;
  if (!options.names.empty()) return FigureForm::bars;
  return options.signal.defined() && (relevance.dim() == 2 || relevance.dim() == 3) ? FigureForm::curves
                                                                                    : FigureForm::maps;
}

}  // namespace

std::string shown_number(double value) { return filled("{:.3g}", value == 0 ? 0.0 : value); }

std::string low_end(const Scale& scale) { return (scale.below ? "≤ " : "") + shown_number(scale.low); }
std::string high_end(const Scale& scale) { return (scale.above ? "≥ " : "") + shown_number(scale.high); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

std::string told_not_finite(const Scale& scale) {
  if (scale.not_finite == 0) return "";
  return scale.not_finite == 1 ? "1 value is not finite" : filled("{} values are not finite", scale.not_finite);
}

at::Tensor colour_strip(const ColourMap& colours, bool upright) {
  constexpr std::int64_t levels = 256;
  auto out = at::empty({levels, 3}, at::kByte);
  auto* pixel = out.mutable_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < levels; ++i) {
    auto position = static_cast<double>(i) / (levels - 1);
    auto colour = colours.at(upright ? 1 - position : position);
    pixel = std::copy(colour.begin(), colour.end(), pixel);
  }
  return upright ? out.unsqueeze(1) : out.unsqueeze(0);
}

Scene figure_scene(const at::Tensor& relevance, const FigureOptions& options) {
  check(options.heatmap);
  ColourMap colours(options.heatmap.colour_map);
  Scene out;
  auto top = titled(out, options.title);
  auto form = relevance.defined() ? form_of(relevance, options) : FigureForm::maps;
  if (form == FigureForm::maps || relevance.numel() == 0) {
    draw_table(out, top, relevance, options);
  } else {
    bool bars = form == FigureForm::bars;
    if (bars ? relevance.dim() > 2 : relevance.dim() < 1 || relevance.dim() > 3)
      throw Error(
          {.code = Code::wrong_tensor,
           .message = filled("{} are for vectors, and this relevance is {}", bars ? "bars" : "curves",
                             shown_shape(relevance.sizes())),
           .help = bars ? "bars show [samples, values]; let it be drawn as maps"
                        : "curves show [samples, length] and [samples, channels, length]; let it be drawn as maps"});
    auto samples = relevance.dim() < 2 ? 1 : relevance.size(0);
    check_size(relevance, chart_width, static_cast<double>(samples) * least_chart_height);
    auto maps = maps_of(relevance, options.heatmap);
    out.height = (bars ? draw_bars : draw_curves)(out, top, maps, options) + margin;
  }
  check_size(relevance, out.width, out.height);
  out.width = std::ceil(out.width);
  out.height = std::ceil(out.height);
  return out;
}

}  // namespace ascribe::picture

namespace ascribe {

std::string figure(const at::Tensor& relevance, const FigureOptions& options) {
  return picture::quietly([&] { return picture::svg(picture::figure_scene(relevance, options)); });
}

}  // namespace ascribe
