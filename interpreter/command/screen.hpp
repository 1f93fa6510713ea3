// What a terminal shows, and relevance as its colours.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ascribe::command {

struct Screen {
  enum class Depth { none, palette, full };  ///< none: plain characters; palette: 256 colours; full: 24 bits
  Depth depth = Depth::none;
  int columns = 80, lines = 24;
};

/// What a stream shows: as the environment says (NO_COLOR, COLORTERM, TERM), and as large as its terminal is.
Screen screen_of(int descriptor);

/// How wide a table may be: that of the terminal, where the stream is one.
std::optional<std::size_t> width_of(int descriptor);

/// Red, green, blue.
using Colour = std::array<std::uint8_t, 3>;

/// The colours of values, full at ±scale: those of the heatmap that is written as a file. Throws Error (usage) for a
/// colour map that is not there.
std::vector<Colour> colours_of(const std::vector<double>& values, double scale, const std::string& colour_map = "bwr");

enum class Paint { character = 3, background = 4 };

/// What switches a colour on, on a terminal that has colours; "\033[0m" ends it.
std::string painted(const Colour& colour, Paint what, Screen::Depth depth);

}  // namespace ascribe::command
