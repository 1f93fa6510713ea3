// Text within HTML.
#pragma once

#include <string>
#include <string_view>

namespace ascribe {

/// The text as content or attribute of an element, whatever it holds.
std::string escaped_html(std::string_view text);

}  // namespace ascribe
