// Texts with values in them.
#pragma once

#include <fmt/format.h>

#include <string>

namespace ascribe {

// fmt has no library here, only headers, and its own code would be compiled into every file that has something to say:
// half of what such a file takes. This one is compiled once for each fmt there is (LibTorch carries a copy of its own).
template <class Arguments>
std::string fill(fmt::string_view text, Arguments values);
extern template std::string fill(fmt::string_view text, fmt::format_args values);

// The text with its `{}` replaced, as `fmt::format` does it.
template <class... Values>
std::string filled(fmt::format_string<Values...> text, Values&&... values) {
  return fill<fmt::format_args>(text, fmt::make_format_args(values...));
}

}  // namespace ascribe
