#include "interpreter/command/screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "grammar/filled_text.hpp"
#include "interpreter/command/colour.hpp"
#include "interpreter/picture/scale.hpp"

namespace ascribe::command {
namespace {

int palette_index(const Colour& colour) {
  constexpr std::array<int, 6> levels{0, 95, 135, 175, 215, 255};
  int out = 16, weight = 36;
  for (auto part : colour) {
    int nearest = 0;
    for (int i = 1; i < 6; ++i)
      if (std::abs(levels[static_cast<std::size_t>(i)] - part) <
          std::abs(levels[static_cast<std::size_t>(nearest)] - part))
        nearest = i;
    out += weight * nearest;
    weight /= 6;
  }
  return out;
}

}  // namespace

Screen screen_of(int descriptor) {
  Screen out;
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0) {
    if (size.ws_col >= 20) out.columns = std::min<int>(size.ws_col, 500);
    if (size.ws_row >= 8) out.lines = std::min<int>(size.ws_row, 200);
  }
  if (!wants_colour(descriptor)) return out;
  auto* said = std::getenv("COLORTERM");
  auto depth = std::string_view(said ? said : "");
  out.depth = depth == "truecolor" || depth == "24bit" ? Screen::Depth::full : Screen::Depth::palette;
  return out;
}

std::optional<std::size_t> width_of(int descriptor) {
  if (!::isatty(descriptor)) return {};
  return static_cast<std::size_t>(screen_of(descriptor).columns);
}

std::vector<Colour> colours_of(const std::vector<double>& values, double scale, const std::string& colour_map) {
  picture::ColourMap colours(colour_map);
  picture::Scale ends{.low = -scale, .high = scale};
  std::vector<Colour> out;
  for (auto value : values) out.push_back(colours.at(ends.position(value)));
  return out;
}

std::string painted(const Colour& colour, Paint what, Screen::Depth depth) {
  auto layer = static_cast<int>(what);
  if (depth == Screen::Depth::full) return filled("\033[{}8;2;{};{};{}m", layer, colour[0], colour[1], colour[2]);
  return filled("\033[{}8;5;{}m", layer, palette_index(colour));
}

}  // namespace ascribe::command
