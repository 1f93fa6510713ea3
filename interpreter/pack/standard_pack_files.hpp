// The texts of the standard pack, which the build puts into the library.
#pragma once

#include <span>
#include <string_view>

namespace ascribe {

struct StandardPackFile {
  std::string_view name;  ///< as messages show it: `std/epsilon.rule`
  std::string_view text;
};

std::span<const StandardPackFile> standard_pack_files();

}  // namespace ascribe
