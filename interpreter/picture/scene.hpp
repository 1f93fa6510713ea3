// A drawing of a few kinds of things, in pixels from the upper left corner: what figures are made of, before they
// become SVG (here) or pixels (in the command, which has fonts).
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <variant>
#include <vector>

#include "interpreter/picture/colour_map.hpp"

namespace ascribe::picture {

struct Image {
  double x, y, width, height;
  at::Tensor pixels;  ///< bytes, [height, width, 3]; each becomes a rectangle
};
struct Rectangle {
  double x, y, width, height;
  Rgb colour;
};
struct Point {
  double x, y;
};
struct Line {
  std::vector<Point> points;
  Rgb colour;
  double width;
};
enum class Anchor { start, middle, end };
struct Text {
  double x, y;  ///< of the baseline, where `anchor` says
  std::string text;
  double size;
  Anchor anchor = Anchor::start;
  bool bold = false, faint = false;
};

constexpr Rgb ink{31, 35, 40}, faint_ink{89, 99, 110}, hairline{208, 215, 222};

struct Scene {
  double width = 0, height = 0;
  std::vector<std::variant<Image, Rectangle, Line, Text>> items{};
};

/// Text in one line, as every picture can hold it: valid UTF-8, controls and line breaks as blanks.
std::string one_line(std::string_view text);
/// About how wide text is, in pixels: that of a sans-serif font at the generous end.
double text_extent(std::string_view text, double size);
/// The text, or its beginning with … where it would be wider.
std::string shortened(const std::string& text, double size, double width);

/// A document of its own; text stays text, and pictures are PNG within it.
std::string svg(const Scene& scene);

std::string base64(std::string_view bytes);

}  // namespace ascribe::picture
