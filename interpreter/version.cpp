#include "ascribe/version.hpp"

namespace ascribe {

const char* version() noexcept { return ASCRIBE_VERSION_TEXT; }

}  // namespace ascribe
