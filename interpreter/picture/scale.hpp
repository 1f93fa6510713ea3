// Which value has which place on a colour map.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "ascribe/heatmap.hpp"
#include "interpreter/picture/colour_map.hpp"

namespace ascribe::picture {

/// Values from `low` to `high` as positions from 0 to 1.
struct Scale {
  double low = -1, high = 1;
  bool below = false, above = false;  ///< whether some values lie beyond the one end, or the other
  std::int64_t not_finite = 0;        ///< values that do not count

  bool clipped() const { return below || above; }
  /// Beyond 0 or 1 for what lies beyond; NaN for what is not finite.
  double position(double value) const;
  /// As contours count it: 0 at zero, ±1 at full colours.
  double strength(double value) const;
};

/// Throws Error (usage) where `clip` is no percentage above 0.
void check_clip(const std::optional<double>& clip);

/// Of these values, as the options' `range` and `clip` say. Where none is finite, or all are zero: −1 or 0 to 1.
Scale scale_of(std::span<const double> values, const ColourMap& colours, const HeatmapOptions& options);

}  // namespace ascribe::picture
