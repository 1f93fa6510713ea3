// Pictures and arrays from bytes and to bytes.
#include "ascribe/picture.hpp"

#include <new>

#include "grammar/filled_text.hpp"
#include "interpreter/files/format.hpp"
#include "interpreter/files/jpeg.hpp"
#include "interpreter/files/npy.hpp"
#include "interpreter/files/picture_file.hpp"
#include "interpreter/files/picture_limits.hpp"
#include "interpreter/files/png.hpp"

namespace ascribe {
namespace files {

[[noreturn]] static void refuse_unknown(std::string_view bytes, const std::string& shown) {
  constexpr auto help = "save it as PNG or JPEG, in Python: PIL.Image.open(picture).convert('RGB').save('picture.png')";
  if (auto name = foreign_format(bytes); !name.empty())
    refuse_picture(Code::wrong_tensor, shown, filled("is {}, which is not read", name), help);
  auto format = format_of(bytes);
  refuse_picture(Code::wrong_tensor, shown,
                 format == Format::npy   ? "is a NumPy array, no picture"
                 : format == Format::zip ? "is a zip archive, no picture"
                                         : "is neither a PNG nor a JPEG picture",
                 help);
}

Picture picture_in(std::string_view bytes, const std::string& shown, std::uint64_t most) {
  if (bytes.empty()) refuse_picture(Code::wrong_tensor, shown, "is empty", "give a PNG or JPEG picture");
  auto format = format_of(bytes);
  if (format != Format::png && format != Format::jpeg) refuse_unknown(bytes, shown);
  if (bytes.size() > most_picture_bytes)
    refuse_picture(Code::too_large, shown, filled("has {} bytes; the limit is {}", bytes.size(), most_picture_bytes),
                   "give a smaller picture, or a .npy file");
  return format == Format::png ? decode_png(bytes, shown, most) : decode_jpeg(bytes, shown, most);
}

}  // namespace files

Picture decode_picture(std::string_view bytes, const std::string& name, std::uint64_t most_pixels) try {
  return files::picture_in(bytes, name, most_pixels);
} catch (...) {
  files::rethrow_as_error(Code::wrong_tensor, "cannot read " + name);
}

Picture read_picture(const std::filesystem::path& path) try {
  return files::picture_in(files::Contents(files::InputFile(path)).bytes(), files::quoted(path));
} catch (...) {
  files::rethrow_as_error(Code::unreadable_file, "cannot read " + files::quoted(path));
}

std::string encode_png(const at::Tensor& pixels) try { return files::png_bytes(pixels); } catch (...) {
  files::rethrow_as_error(Code::wrong_tensor, "cannot write the picture");
}

std::string encode_npy(const at::Tensor& tensor) try {
  auto parts = files::npy_parts(tensor, "the array");
  return parts.header + std::string(parts.bytes());
} catch (...) {
  files::rethrow_as_error(Code::wrong_tensor, "cannot write the array");
}

at::Tensor decode_npy(std::string_view bytes, const std::string& name) try {
  return files::array_in(bytes, name);
} catch (...) {
  files::rethrow_as_error(Code::wrong_tensor, "cannot read " + name);
}

}  // namespace ascribe
