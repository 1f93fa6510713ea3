#include "interpreter/files/picture_limits.hpp"

#include <algorithm>
#include <utility>

#include "grammar/filled_text.hpp"

namespace ascribe::files {

void check_pixels(const std::string& shown, std::uint64_t width, std::uint64_t height, std::uint64_t most) {
  most = std::min(most, most_pixels);
  if (width * height > most)
    refuse_picture(Code::too_large, shown, filled("has {} × {} pixels; the limit is {}", width, height, most),
                   "give a smaller picture");
}

void refuse_picture(Code code, const std::string& shown, const std::string& what, std::string help) {
  throw Error(Diagnostic{.code = code, .message = shown + " " + what, .help = std::move(help)});
}

Diagnostic picture_warning(const std::string& shown, const std::string& what, std::string help) {
  return {.code = Code::wrong_tensor,
          .severity = Severity::warning,
          .message = shown + " " + what,
          .help = std::move(help)};
}

}  // namespace ascribe::files
