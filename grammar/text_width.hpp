// How wide text is on a terminal: most characters take one column, East Asian ones and emoji two, combining ones none.
#pragma once

#include <cstddef>
#include <string_view>

namespace ascribe {

/// A character of UTF-8 text. Of text that is no UTF-8, each byte that fits nowhere is one U+FFFD.
struct Character {
  char32_t code;
  std::size_t bytes;  ///< at least 1
};

/// The character that begins at byte `at`, which lies inside of the text.
Character character_at(std::string_view text, std::size_t at);

/// Columns that the character takes: 0, 1 or 2. Controls take none.
std::size_t width_of(char32_t code);

/// Columns that the text takes.
std::size_t text_width(std::string_view text);

}  // namespace ascribe
