#include "interpreter/command/colour.hpp"

#include <unistd.h>

#include <cstdlib>

namespace ascribe::command {

bool wants_colour(int descriptor) {
  auto* forbidden = std::getenv("NO_COLOR");
  return isatty(descriptor) == 1 && (forbidden == nullptr || *forbidden == '\0');
}

}  // namespace ascribe::command
