// PNG without libpng, which only the command has: a host that embeds pictures in a page needs zlib alone, as it does
// anyway.
#include <ATen/ATen.h>
#include <zlib.h>

#include <algorithm>
#include <new>

#include "interpreter/picture/scene.hpp"

namespace ascribe::picture {
namespace {

std::string number(std::uint32_t value) {
  std::string out;
  for (int shift : {24, 16, 8, 0}) out += static_cast<char>(value >> shift & 0xFF);
  return out;
}

std::string chunk(std::string_view kind, std::string_view content) {
  auto covered = std::string(kind) + std::string(content);
  auto sum = crc32(0, reinterpret_cast<const Bytef*>(covered.data()), static_cast<uInt>(covered.size()));
  return number(static_cast<std::uint32_t>(content.size())) + covered + number(static_cast<std::uint32_t>(sum));
}

}  // namespace

std::string png_bytes(const at::Tensor& pixels) {
  auto whole = pixels.contiguous();
  auto height = whole.size(0), width = whole.size(1);
  // Each row is told as its differences from the row above: enlarged maps then are nearly all zeros.
  constexpr char up = 2;
  auto row_bytes = static_cast<std::size_t>(width) * 3;
  auto* row = whole.const_data_ptr<std::uint8_t>();
  std::string rows;
  rows.reserve((row_bytes + 1) * static_cast<std::size_t>(height));
  for (std::int64_t y = 0; y < height; ++y, row += row_bytes) {
    rows += up;
    for (std::size_t i = 0; i < row_bytes; ++i)
      rows += static_cast<char>(row[i] - (y > 0 ? *(row + i - row_bytes) : 0));
  }
  auto size = compressBound(rows.size());
  std::string packed(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
                rows.size(), Z_DEFAULT_COMPRESSION) != Z_OK)
    throw std::bad_alloc();
  packed.resize(size);
  constexpr std::string_view signature("\x89PNG\r\n\x1a\n", 8), eight_bits_of_rgb("\x08\x02\x00\x00\x00", 5);
  auto header = number(static_cast<std::uint32_t>(width)) + number(static_cast<std::uint32_t>(height)) +
                std::string(eight_bits_of_rgb);
  return std::string(signature) + chunk("IHDR", header) + chunk("IDAT", packed) + chunk("IEND", "");
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    auto there = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) three = three << 8 | (k < there ? static_cast<std::uint8_t>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) out += k <= there ? digits[three >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace ascribe::picture
