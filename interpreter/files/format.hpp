// What a file is, told by how it begins: endings lie.
#pragma once

#include <string_view>

namespace ascribe::files {

enum class Format { png, jpeg, npy, zip, unknown };

/// By the first bytes, of which 32 are enough.
Format format_of(std::string_view start);

/// Of formats that are not read, a name such as "a GIF picture"; otherwise empty.
std::string_view foreign_format(std::string_view start);

}  // namespace ascribe::files
