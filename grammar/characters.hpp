// What the characters of a rule file are.
#pragma once

#include <algorithm>
#include <cctype>
#include <string_view>

namespace ascribe {

inline bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
inline bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)); }
inline bool is_name_character(char c) { return is_letter(c) || is_digit(c); }

/// A text without the blanks and line ends around it.
inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  auto begin = std::min(text.find_first_not_of(blanks), text.size());
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

}  // namespace ascribe
