// Numbers as options and files write them.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace ascribe::command {

/// The text as a number of this type, if it is one within its range, and nothing else.
template <typename Number>
std::optional<Number> parsed_number(std::string_view text) {
  Number out{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return out;
}

}  // namespace ascribe::command
