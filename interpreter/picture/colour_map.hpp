// Colour maps, by the names that Zennit and matplotlib give them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace ascribe::picture {

/// Red, green, blue.
using Rgb = std::array<std::uint8_t, 3>;

class ColourMap {
 public:
  /// By its name, with `_r` behind it from the other end. Throws Error (usage) for a name that is not there.
  explicit ColourMap(const std::string& name);

  /// Whether its middle is the colour of zero.
  bool diverging() const { return diverging_; }
  /// At a position from 0 to 1; what is beyond has the colour of the end, what is not finite one that is nowhere else.
  Rgb at(double position) const;
  Rgb not_finite() const { return not_finite_; }

 private:
  struct Point {
    double place;
    Rgb colour;
  };
  std::vector<Point> stops_;
  bool diverging_ = false, reversed_ = false;
  Rgb not_finite_{};
};

}  // namespace ascribe::picture
