#include "interpreter/command/repl/picture.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "grammar/error.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/text_width.hpp"
#include "interpreter/picture/scale.hpp"

namespace ascribe::repl {

using command::Paint, command::painted, picture::ColourMap, picture::Scale;

namespace {

// ------------------------------------------------------------------------------------------------------- what is shown

constexpr std::int64_t most_maps = 8;
constexpr int gap = 2;  // columns between maps

// The maps of a tensor, [h, w] each, in double precision.
std::vector<at::Tensor> maps_of(const at::Tensor& relevance) {
  auto values = relevance.detach().to(at::kCPU, at::kDouble);
  if (values.dim() > 5)
    throw Error({.code = Code::wrong_tensor,
                 .message = filled("relevance of {} dimensions has no picture", values.dim()),
                 .help = "`relevance(…)` gives its numbers"});
  if (values.dim() < 3)
    values = values.reshape({values.dim() == 2 ? values.size(0) : 1, 1, -1});
  else
    values = values.sum(1);
  if (values.dim() == 2) values = values.unsqueeze(1);
  if (values.dim() == 4) values = values.flatten(0, 1);
  std::vector<at::Tensor> out;
  for (std::int64_t i = 0; i < std::min(values.size(0), most_maps); ++i) out.push_back(values[i]);
  return out;
}

// How large a map is drawn, in cells that are as wide as high: two of them in one character.
struct Size {
  std::int64_t height, width;
};
Size size_of(const at::Tensor& map, std::int64_t most_width, std::int64_t most_height) {
  constexpr std::int64_t small = 32;  // maps below are enlarged
  auto height = map.size(0), width = map.size(1);
  auto fit = std::min(static_cast<double>(most_width) / static_cast<double>(width),
                      static_cast<double>(most_height) / static_cast<double>(height));
  if (fit < 1) {
    auto shrunk = [&](std::int64_t side) {
      return std::max<std::int64_t>(1, std::lround(static_cast<double>(side) * fit));
    };
    if (height == 1) return {2, shrunk(width)};
    return {shrunk(height), shrunk(width)};
  }
  auto wanted = std::max<std::int64_t>(1, (small + std::max(height, width) - 1) / std::max(height, width));
  auto times = std::min(wanted, static_cast<std::int64_t>(fit));
  if (height == 1) return {2, width * std::min<std::int64_t>(times, 4)};
  return {height * times, width * times};
}

at::Tensor resized(const at::Tensor& map, Size size) {
  auto out = map;
  if (size.height < map.size(0) || size.width < map.size(1)) {
    out = at::adaptive_avg_pool2d(map.unsqueeze(0),
                                  {std::min(size.height, map.size(0)), std::min(size.width, map.size(1))})
              .squeeze(0);
  }
  out = out.repeat_interleave(size.height / out.size(0), 0).repeat_interleave(size.width / out.size(1), 1);
  return out.contiguous();
}

// -----------------------------------------------------------------------------------------------------------
// characters

struct TextLine {
  std::string text;
  int width;  ///< in columns
};

struct Block {
  std::vector<TextLine> lines{};
  int width = 0;

  void add(std::string text, int columns) {
    lines.push_back({std::move(text), columns});
    width = std::max(width, columns);
  }
  void add(std::string text) {
    auto columns = static_cast<int>(text_width(text));
    add(std::move(text), columns);
  }
};

// Two rows of cells in each line: the upper one is the character's colour, the lower one its background.
Block half_blocks(const at::Tensor& map, const Scale& scale, const ColourMap& colours, Screen::Depth depth) {
  auto height = map.size(0), width = map.size(1);
  auto* data = map.const_data_ptr<double>();
  auto cell = [&](std::int64_t place) { return colours.at(scale.position(data[place])); };
  Block out;
  for (std::int64_t row = 0; row < height; row += 2) {
    std::string line, before;
    for (std::int64_t column = 0; column < width; ++column) {
      auto upper = cell(row * width + column);
      bool single = row + 1 == height;
      auto codes = painted(upper, Paint::character, depth);
      if (!single) codes += painted(cell((row + 1) * width + column), Paint::background, depth);
      if (codes != before) line += codes;
      before = codes;
      line += "▀";
    }
    out.add(line + "\033[0m", static_cast<int>(width));
  }
  return out;
}

constexpr std::string_view positive = ".:+*#", negative = "'-~=%";

char character_of(double value) {
  if (!std::isfinite(value)) return '?';
  auto level =
      static_cast<std::size_t>(std::lround(std::min(std::abs(value), 1.0) * static_cast<double>(positive.size())));
  return level == 0 ? ' ' : (value > 0 ? positive : negative)[level - 1];
}

Block characters(const at::Tensor& map, const Scale& scale) {
  auto height = map.size(0), width = map.size(1);
  auto* data = map.const_data_ptr<double>();
  Block out;
  for (std::int64_t row = 0; row < height; row += 2) {
    std::string line;
    for (std::int64_t column = 0; column < width; ++column) {
      auto upper = data[row * width + column];
      auto value = row + 1 == height ? upper : (upper + data[(row + 1) * width + column]) / 2;
      line += character_of(scale.strength(value));
    }
    out.add(std::move(line));
  }
  return out;
}

// ------------------------------------------------------------------------------------------------------------ together

std::string cut(std::string_view text, int columns) {
  std::string out;
  int width = 0;
  for (std::size_t i = 0; i < text.size();) {
    auto character = character_at(text, i);
    width += static_cast<int>(width_of(character.code));
    if (width > columns) return out;
    out += text.substr(i, character.bytes);
    i += character.bytes;
  }
  return out;
}

// Blocks beside each other, all of their first lines at the top.
Block beside(const std::vector<Block>& blocks) {
  Block out;
  std::size_t height = 0;
  for (auto& each : blocks) height = std::max(height, each.lines.size());
  for (std::size_t row = 0; row < height; ++row) {
    TextLine line{"", 0};
    int column = 0;  // where the block begins
    for (auto& each : blocks) {
      line.text.append(static_cast<std::size_t>(column - line.width), ' ');
      line.width = column;
      if (row < each.lines.size()) {
        line.text += each.lines[row].text;
        line.width += each.lines[row].width;
      }
      column += each.width + gap;
    }
    out.add(std::move(line.text), line.width);
  }
  return out;
}

// One scale for what is shown of a tensor, as `range` and `clip` say.
Scale scale_of_all(const std::vector<at::Tensor>& maps, const ColourMap& colours, const HeatmapOptions& options) {
  std::vector<double> values;
  for (auto& each : maps) {
    auto* data = each.const_data_ptr<double>();
    values.insert(values.end(), data, data + each.numel());
  }
  return picture::scale_of(values, colours, options);
}

std::string told(const Scale& scale) {
  auto beyond = scale.clipped() ? ", clipped" : "";
  if (scale.low == -scale.high) return filled("scale: ±{:.4g}{}", scale.high, beyond);
  return filled("scale: {:.4g} to {:.4g}{}", scale.low, scale.high, beyond);
}

// One tensor's maps in at most so many columns and lines, below their title.
Block block_of(const Titled& titled, const Screen& screen, const HeatmapOptions& options, int columns) {
  ColourMap colours(options.colour_map);
  Block out;
  out.add(cut(titled.title, columns));
  if (titled.relevance.numel() == 0) {
    out.add(cut("(no elements)", columns));
    return out;
  }
  auto maps = maps_of(titled.relevance);
  bool strips = maps.front().size(0) == 1;
  auto count = static_cast<std::int64_t>(maps.size());
  constexpr std::int64_t most_per_row = 4, narrowest = 4;
  auto fitting = std::max<std::int64_t>(1, (columns + gap) / (narrowest + gap));
  auto per_row = strips ? 1 : std::min({count, most_per_row, fitting});
  auto width = (columns - gap * (per_row - 1)) / per_row;
  auto height = std::max<std::int64_t>(16, 2 * (screen.lines - 6));
  auto size = size_of(maps.front(), width, height);
  for (auto& each : maps) each = resized(each, size);
  auto scale = scale_of_all(maps, colours, options);
  for (std::size_t i = 0; i < maps.size(); i += static_cast<std::size_t>(per_row)) {
    std::vector<Block> row;
    for (auto k = i; k < std::min(maps.size(), i + static_cast<std::size_t>(per_row)); ++k)
      row.push_back(screen.depth == Screen::Depth::none ? characters(maps[k], scale)
                                                        : half_blocks(maps[k], scale, colours, screen.depth));
    if (i > 0 && !strips) out.add("");
    for (auto& line : beside(row).lines) out.add(std::move(line.text), line.width);
  }
  auto samples = titled.relevance.dim() < 2 ? 1 : titled.relevance.size(0);
  if (samples > count) out.add(cut(filled("… {} samples more", samples - count), columns));
  out.add(cut(told(scale), columns));
  return out;
}

std::string drawn(const Block& block) {
  std::string out;
  for (auto& line : block.lines) out += line.text.substr(0, line.text.find_last_not_of(' ') + 1) + "\n";
  return out;
}

}  // namespace

std::string draw(const std::vector<Titled>& maps, const Screen& screen, const HeatmapOptions& options) {
  auto count = static_cast<int>(maps.size());
  constexpr int narrowest = 24;  // columns in which a map beside others says anything
  auto part = (screen.columns - gap * (count - 1)) / count;
  std::vector<Block> blocks;
  bool side_by_side = count == 1 || part >= narrowest;
  for (auto& each : maps) blocks.push_back(block_of(each, screen, options, side_by_side ? part : screen.columns));
  std::string out;
  if (side_by_side) {
    out = drawn(beside(blocks));
  } else {
    for (auto& each : blocks) out += drawn(each);
  }
  if (screen.depth == Screen::Depth::none)
    out += filled("for: {}   against: {}   (from little to much; ? is not finite)\n", positive, negative);
  return out;
}

}  // namespace ascribe::repl
