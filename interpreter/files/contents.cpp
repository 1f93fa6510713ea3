#include "interpreter/files/contents.hpp"

#include <sys/mman.h>

namespace ascribe::files {

Contents::Contents(const InputFile& file) {
  if (file.size() >= mapped_from) {
    auto* mapping =
        ::mmap(nullptr, file.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.descriptor(), 0);
    if (mapping != MAP_FAILED) {  // some file systems have no mappings
      mapping_ = mapping;
      bytes_ = {static_cast<const char*>(mapping), file.size()};
      return;
    }
  }
  copy_.resize(file.size());
  file.read(0, copy_.data(), copy_.size());
  bytes_ = copy_;
}

Contents::~Contents() {
  if (mapping_) ::munmap(mapping_, bytes_.size());
}

}  // namespace ascribe::files
