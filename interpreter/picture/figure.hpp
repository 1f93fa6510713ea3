// Figures as scenes, which the library writes as SVG, and the command as PNG, too.
#pragma once

#include "ascribe/figure.hpp"
#include "interpreter/picture/scene.hpp"
#include "interpreter/picture/sheet.hpp"

namespace ascribe::picture {

constexpr double margin = 16, caption_size = 13, caption_line = 18, title_size = 17, chart_width = 640;

/// Throws what figure() throws.
Scene figure_scene(const at::Tensor& relevance, const FigureOptions& options);

/// What stands beside a value, in as many digits as one reads.
std::string shown_number(double value);
/// `text`'s lines.
std::vector<std::string> lines_of(const std::string& text);
/// "3 values are not finite", or nothing.
std::string told_not_finite(const Scale& scale);

/// A strip of the colour map, from left to right (or from the bottom up).
at::Tensor colour_strip(const ColourMap& colours, bool upright);
/// The numbers at a scale's ends; ≥ and ≤ where values lie beyond.
std::string low_end(const Scale& scale);
std::string high_end(const Scale& scale);

/// From `top` on, a chart for each sample below the one before; gives where they end, and widens the scene.
double draw_curves(Scene& scene, double top, const Maps& maps, const FigureOptions& options);
double draw_bars(Scene& scene, double top, const Maps& maps, const FigureOptions& options);

}  // namespace ascribe::picture
