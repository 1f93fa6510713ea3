#include "interpreter/command/colour.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace ascribe::command {

bool wants_colour(int descriptor) {
  auto variable = [](const char* name) {
    auto* value = std::getenv(name);
    return std::string_view(value ? value : "");
  };
  bool able = !variable("TERM").empty() && variable("TERM") != "dumb";
  return isatty(descriptor) == 1 && able && variable("NO_COLOR").empty();
}

}  // namespace ascribe::command
