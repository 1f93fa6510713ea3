#include "interpreter/files/format.hpp"

#include <array>
#include <cstddef>

namespace ascribe::files {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view name;
  std::size_t place;
  std::string_view bytes;
};

// The first that fits counts.
constexpr std::array foreign{
    Signature{"a GIF picture", 0, "GIF8"},
    Signature{"a WebP picture", 8, "WEBPVP8"},
    Signature{"an AVIF picture", 4, "ftypavif"},
    Signature{"an AVIF picture", 4, "ftypavis"},
    Signature{"a HEIC picture", 4, "ftyphei"},
    Signature{"a HEIC picture", 4, "ftyphev"},
    Signature{"a HEIC picture", 4, "ftypmif1"},
    Signature{"a HEIC picture", 4, "ftypmsf1"},
    Signature{"a TIFF picture", 0, "II*\0"sv},
    Signature{"a TIFF picture", 0, "MM\0*"sv},
    Signature{"a TIFF picture", 0, "II+\0"sv},
    Signature{"a TIFF picture", 0, "MM\0+"sv},
    Signature{"a JPEG 2000 picture", 0, "\0\0\0\x0CjP  "sv},
    Signature{"a JPEG 2000 picture", 0, "\xFF\x4F\xFF\x51"},
    Signature{"a JPEG XL picture", 0, "\0\0\0\x0CJXL "sv},
    Signature{"a JPEG XL picture", 0, "\xFF\x0A"},
    Signature{"a Photoshop file", 0, "8BPS"},
    Signature{"a PDF document", 0, "%PDF-"},
    Signature{"a gzip archive", 0, "\x1F\x8B\x08"},
    Signature{"an HDF5 file", 0, "\x89HDF\r\n"},
    Signature{"an SVG drawing", 0, "<svg"},
    Signature{"an XML or SVG document", 0, "<?xml"},
    Signature{"a BMP picture", 14, "\x28\0\0\0"sv},  // the usual header behind "BM", which alone begins many a text
    Signature{"a BMP picture", 14, "\x6C\0\0\0"sv},
    Signature{"a BMP picture", 14, "\x7C\0\0\0"sv},
};

struct Known {
  Format format;
  std::string_view bytes;
};
constexpr std::array known{
    Known{Format::png, "\x89PNG\r\n\x1A\n"},
    Known{Format::jpeg, "\xFF\xD8\xFF"},
    Known{Format::npy, "\x93NUMPY"},
    Known{Format::zip, "PK\x03\x04"},
};

}  // namespace

Format format_of(std::string_view start) {
  for (auto& each : known)
    if (start.starts_with(each.bytes)) return each.format;
  return Format::unknown;
}

std::string_view foreign_format(std::string_view start) {
  for (auto& each : foreign)
    if (start.size() >= each.place && start.substr(each.place).starts_with(each.bytes) &&
        (each.name != "a BMP picture" || start.starts_with("BM")))
      return each.name;
  return {};
}

}  // namespace ascribe::files
