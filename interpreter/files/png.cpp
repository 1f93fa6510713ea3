#include "interpreter/files/png.hpp"

#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/filled_text.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/files/contents.hpp"
#include "interpreter/files/exif.hpp"
#include "interpreter/files/picture_limits.hpp"

namespace ascribe::files {
namespace fs = std::filesystem;
namespace {

// What libpng reads from and reports to. An error leaves libpng by longjmp, so that no object with a destructor may
// live in a function that calls it: those are the functions below that take a Decoder& and return whether all went
// well.
struct Decoder {
  explicit Decoder(std::string_view bytes) : rest(bytes) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png) info = png_create_info_struct(png);
    if (!info) {
      png_destroy_read_struct(&png, nullptr, nullptr);
      throw std::bad_alloc();
    }
    png_set_read_fn(png, this, on_read);
  }
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto& decoder = *static_cast<Decoder*>(png_get_error_ptr(png));
    std::strncpy(decoder.message, message, sizeof decoder.message - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep into, std::size_t count) {
    auto& decoder = *static_cast<Decoder*>(png_get_io_ptr(png));
    if (count > decoder.rest.size()) png_error(png, "the file is cut short");
    std::memcpy(into, decoder.rest.data(), count);
    decoder.rest.remove_prefix(count);
  }

  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string_view rest;
  char message[128] = "";
};

bool read_header(Decoder& decoder) {
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  // libpng's own limit reports an invalid header; read_png has limits that say what is the matter.
  png_set_user_limits(decoder.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  // Gamma, profiles, texts and times are nothing to us, and libpng would take memory for them before it reads them.
  png_set_keep_unknown_chunks(decoder.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(decoder.png, decoder.info);
  return true;
}

// Grey or RGB samples of 8 or 16 bits, with alpha where the file has some, from whatever the file holds.
bool start_rows(Decoder& decoder) {
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  png_set_expand(decoder.png);
  png_set_interlace_handling(decoder.png);
  png_read_update_info(decoder.png, decoder.info);
  return true;
}

bool read_rows(Decoder& decoder, png_bytepp rows) {
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  png_read_image(decoder.png, rows);
  png_read_end(decoder.png, nullptr);
  return true;
}

std::uint32_t number_at(std::string_view bytes, std::size_t place) {
  return png_get_uint_32(reinterpret_cast<png_const_bytep>(bytes.data()) + place);
}

// What the first chunk of that name holds; empty where there is none.
std::string_view chunk_of(std::string_view bytes, std::string_view name) {
  for (std::size_t place = 8; place + 12 <= bytes.size();) {
    std::size_t length = number_at(bytes, place);
    if (bytes.substr(place + 4, 4) == name) return bytes.substr(place + 8, length);
    place += 12 + length;
  }
  return {};
}

// The number of pictures in an animated PNG; otherwise 0.
std::uint32_t frames_of(std::string_view bytes) {
  auto chunk = chunk_of(bytes, "acTL");
  return chunk.size() < 4 ? 0 : number_at(chunk, 0);
}

// Whether each pixel's last channel, its alpha, is the largest number.
bool opaque(const std::vector<png_byte>& samples, std::size_t channels, bool wide) {
  auto width = wide ? 2 * channels : channels, last = wide ? width - 2 : width - 1;
  for (std::size_t pixel = 0; pixel + width <= samples.size(); pixel += width)
    for (auto i = pixel + last; i < pixel + width; ++i)
      if (samples[i] != 0xFF) return false;
  return true;
}

}  // namespace

Picture decode_png(std::string_view bytes, const std::string& shown, std::uint64_t most) {
  if (auto frames = frames_of(bytes); frames > 1)
    refuse_picture(Code::wrong_tensor, shown, filled("is an animated PNG, of {} pictures", frames),
                   "save one of its pictures as a file of its own");
  Decoder decoder(bytes);
  auto check = [&](bool fine) {
    if (!fine) refuse_picture(Code::wrong_tensor, shown, filled("is not a whole PNG picture: {}", decoder.message));
  };
  check(read_header(decoder));
  std::uint64_t width = png_get_image_width(decoder.png, decoder.info);
  std::uint64_t height = png_get_image_height(decoder.png, decoder.info);
  check_pixels(shown, width, height, most);
  // Deflate expands a byte to 1032 at most: a picture that needs more cannot be in the file.
  if (height * png_get_rowbytes(decoder.png, decoder.info) / 1032 > bytes.size())
    refuse_picture(Code::wrong_tensor, shown, filled("is too short for {} × {} pixels", width, height));

  check(start_rows(decoder));
  std::uint64_t stored = png_get_channels(decoder.png, decoder.info);
  bool wide = png_get_bit_depth(decoder.png, decoder.info) == 16, has_alpha = stored % 2 == 0;
  auto channels = has_alpha ? stored - 1 : stored;
  auto row_bytes = png_get_rowbytes(decoder.png, decoder.info);
  std::vector<png_byte> samples(height * row_bytes);
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < height; ++y) rows[y] = samples.data() + y * row_bytes;
  check(read_rows(decoder, rows.data()));

  auto size = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
  Picture picture{.pixels = at::empty({1, size(channels), size(height), size(width)}, at::kFloat)};
  auto* out = picture.pixels.mutable_data_ptr<float>();
  for (std::size_t c = 0; c < channels; ++c)
    for (auto* row : rows)
      for (std::size_t x = 0; x < width; ++x) {
        auto sample = x * stored + c;
        *out++ = wide ? static_cast<float>(row[2 * sample] << 8 | row[2 * sample + 1]) / 65535
                      : static_cast<float>(row[sample]) / 255;
      }
  auto held = orientation_of(chunk_of(bytes, "eXIf"));
  if (held != 1)
    picture.pixels = upright(picture.pixels[0].permute({1, 2, 0}), held).permute({2, 0, 1}).unsqueeze(0).contiguous();
  if (has_alpha && !opaque(samples, stored, wide))
    picture.warnings.push_back(
        picture_warning(shown, "is not opaque everywhere: its alpha is left out, and the colours below it count",
                        "save the picture on the background that it shall have"));
  return picture;
}

at::Tensor read_png(const fs::path& path) try {
  return decode_png(Contents(InputFile(path)).bytes(), quoted(path)).pixels;
} catch (...) {
  rethrow_as_error(Code::unreadable_file, "cannot read " + quoted(path));
}

std::string png_bytes(const at::Tensor& pixels) {
  TORCH_CHECK(pixels.defined() && pixels.scalar_type() == at::kByte && pixels.dim() == 3 && pixels.size(2) == 3 &&
                  pixels.numel() > 0 && pixels.numel() / 3 <= static_cast<std::int64_t>(most_pixels),
              "a picture is uint8, H×W×3, of 1 to 2^26 pixels");
  auto rows = pixels.to(at::kCPU).contiguous();
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(rows.size(1));
  image.height = static_cast<png_uint_32>(rows.size(0));
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string bytes(size, '\0');
  TORCH_CHECK(png_image_write_to_memory(&image, bytes.data(), &size, /*convert_to_8_bit=*/0, rows.const_data_ptr(),
                                        /*row_stride=*/0, /*colormap=*/nullptr),
              image.message);
  bytes.resize(size);
  return bytes;
}

void write_png(const fs::path& path, const at::Tensor& pixels) try {
  write_file(path, {png_bytes(pixels)});
} catch (...) {
  rethrow_as_error(Code::unwritable_file, "cannot write " + quoted(path));
}

}  // namespace ascribe::files
