// What the characters of a rule file are.
#pragma once

#include <cctype>

namespace ascribe {

inline bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
inline bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)); }
inline bool is_name_character(char c) { return is_letter(c) || is_digit(c); }

}  // namespace ascribe
