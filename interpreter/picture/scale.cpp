#include "interpreter/picture/scale.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"

namespace ascribe::picture {
namespace {

// Few pixels that would bleach all others: how many values it takes to tell, and what they are beyond.
constexpr std::size_t enough_values = 1024;
constexpr double usual_clip = 99.5, far_beyond = 2;

// The magnitude that so many percent of the values do not exceed. Changes the order of what it is given.
double quantile(std::vector<double>& magnitudes, double percent) {
  auto count = static_cast<double>(magnitudes.size());
  auto rank = static_cast<std::ptrdiff_t>(std::clamp(std::ceil(percent / 100 * count) - 1, 0.0, count - 1));
  std::nth_element(magnitudes.begin(), magnitudes.begin() + rank, magnitudes.end());
  return magnitudes[static_cast<std::size_t>(rank)];
}

// Where colours are full. Where most values are zero, a quantile may be as well, and says nothing.
double full_magnitude(std::vector<double>& magnitudes, double largest, const std::optional<double>& clip) {
  if (clip && *clip >= 100) return largest;
  if (!clip && magnitudes.size() < enough_values) return largest;
  auto found = quantile(magnitudes, clip.value_or(usual_clip));
  if (!(found > 0)) return largest;
  return clip || largest > far_beyond * found ? found : largest;
}

}  // namespace

double Scale::position(double value) const {
  if (!std::isfinite(value)) return std::numeric_limits<double>::quiet_NaN();
  auto unit = std::max(std::abs(low), std::abs(high));  // of the largest numbers, the difference would be infinite
  return (value / unit - low / unit) / (high / unit - low / unit);
}

double Scale::strength(double value) const { return low < 0 && low == -high ? value / high : position(value); }

void check_clip(const std::optional<double>& clip) {
  if (clip && !(*clip > 0 && *clip <= 100))
    throw Error({.code = Code::usage,
                 .message = filled("a clip is a percentage above 0 and up to 100, not {:g}", *clip),
                 .help = "99.5 lets one value in two hundred be beyond the full colours; 100 lets none"});
}

Scale scale_of(std::span<const double> values, const ColourMap& colours, const HeatmapOptions& options) {
  Scale out;
  std::vector<double> magnitudes;
  magnitudes.reserve(values.size());
  double smallest = 0, largest = 0, magnitude = 0;
  bool any = false;
  for (auto value : values) {
    if (!std::isfinite(value)) {
      ++out.not_finite;
      continue;
    }
    smallest = any ? std::min(smallest, value) : value;
    largest = any ? std::max(largest, value) : value;
    magnitude = std::max(magnitude, std::abs(value));
    magnitudes.push_back(std::abs(value));
    any = true;
  }
  auto range = options.range;
  if (range == ColourRange::automatic)
    range = colours.diverging() ? ColourRange::symmetric : smallest < 0 ? ColourRange::whole : ColourRange::from_zero;
  auto full = magnitude > 0 ? full_magnitude(magnitudes, magnitude, options.clip) : 1;
  switch (range) {
    case ColourRange::automatic:
    case ColourRange::symmetric:
      out.low = -full;
      out.high = full;
      break;
    case ColourRange::from_zero:
      out.low = 0;
      out.high = full;
      break;
    case ColourRange::whole:
      out.low = std::max(smallest, -full);
      out.high = std::min(largest, full);
      if (out.low < out.high) break;
      (out.low < 0 ? out.high : out.low) = 0;  // a constant map: from zero to what it is
      if (out.low == out.high) out.high = full;
      break;
  }
  out.below = any && smallest < out.low;
  out.above = any && largest > out.high;
  return out;
}

}  // namespace ascribe::picture
