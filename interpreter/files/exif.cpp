#include "interpreter/files/exif.hpp"

#include <ATen/ops/flip.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ascribe::files {
namespace {

// EXIF is a TIFF: https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf, 4.5 and 4.6.4.
class Tiff {
 public:
  explicit Tiff(std::string_view bytes) : bytes_(bytes), big_(bytes.starts_with("MM")) {}

  // A number of so many bytes; 0 where there are none.
  std::uint32_t number(std::size_t place, std::size_t width) const {
    if (place > bytes_.size() || width > bytes_.size() - place) return 0;
    std::uint32_t out = 0;
    for (std::size_t i = 0; i < width; ++i)
      out = out << 8 | static_cast<unsigned char>(bytes_[place + (big_ ? i : width - 1 - i)]);
    return out;
  }

 private:
  std::string_view bytes_;
  bool big_;
};

}  // namespace

int orientation_of(std::string_view exif) {
  Tiff tiff(exif);
  if ((!exif.starts_with("II") && !exif.starts_with("MM")) || tiff.number(2, 2) != 42) return 1;
  std::size_t folder = tiff.number(4, 4), entries = tiff.number(folder, 2);
  constexpr std::uint32_t orientation_tag = 0x0112, two_bytes = 3;
  for (std::size_t i = 0; i < entries; ++i) {
    auto entry = folder + 2 + 12 * i;
    if (entry >= exif.size()) break;
    if (tiff.number(entry, 2) != orientation_tag) continue;
    auto value = tiff.number(entry + 8, 2);
    return tiff.number(entry + 2, 2) == two_bytes && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

at::Tensor upright(const at::Tensor& pixels, int orientation) {
  // From 5 on, rows and columns have changed places. Which of them are then counted from the other end:
  static const std::vector<std::int64_t> mirrored[] = {{}, {1}, {0, 1}, {0}, {}, {1}, {0, 1}, {0}};
  auto turned = orientation >= 5 ? pixels.transpose(0, 1) : pixels;
  auto& ends = mirrored[orientation - 1];
  return ends.empty() ? turned : at::flip(turned, ends);
}

}  // namespace ascribe::files
