#include "grammar/glob.hpp"

#include <fnmatch.h>

namespace ascribe {

bool matches_glob(const std::string& glob, const std::string& name) {
  return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
}

}  // namespace ascribe
