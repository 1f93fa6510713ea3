// All bytes of a file at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "interpreter/files/atomic_file.hpp"

namespace ascribe::files {

/// Small files are copied; large ones are mapped, so that only the pages that somebody looks at are read. What is
/// written there stays with this process. Whoever cuts a mapped file short meanwhile ends the process (SIGBUS), as with
/// every mapping.
class Contents {
 public:
  /// Throws Error (unreadable_file).
  explicit Contents(const InputFile& file);
  ~Contents();
  Contents(const Contents&) = delete;
  Contents& operator=(const Contents&) = delete;

  std::string_view bytes() const { return bytes_; }

  static constexpr std::uint64_t mapped_from = std::uint64_t{1} << 26;  ///< bytes

 private:
  std::string copy_;
  void* mapping_ = nullptr;
  std::string_view bytes_;
};

}  // namespace ascribe::files
