#include "interpreter/files/jpeg.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

// These want <cstdio> before them.
#include <jerror.h>
#include <jpeglib.h>

#include "grammar/filled_text.hpp"
#include "interpreter/files/exif.hpp"
#include "interpreter/files/picture_limits.hpp"

namespace ascribe::files {
namespace {

// Progressive pictures have a dozen scans. Each one costs a pass over all pixels, and next to no bytes.
constexpr int most_scans = 200;

constexpr const char* cut_short = "the file is cut short";

// What libjpeg reads from and reports to. An error leaves libjpeg by longjmp, so that no object with a destructor may
// live in a function that calls it: those are the functions below that take a JpegDecoder& and return whether all went
// well.
struct JpegDecoder {
  explicit JpegDecoder(std::string_view bytes) {
    info.err = jpeg_std_error(&errors);
    info.client_data = this;
    errors.error_exit = [](j_common_ptr common) {
      auto& decoder = of(common);
      if (!decoder.message[0]) common->err->format_message(common, decoder.message);
      std::longjmp(decoder.back, 1);
    };
    errors.emit_message = on_message;
    errors.output_message = [](j_common_ptr) {};
    source.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
    source.bytes_in_buffer = bytes.size();
    source.init_source = [](j_decompress_ptr) {};
    source.term_source = [](j_decompress_ptr) {};
    source.resync_to_restart = jpeg_resync_to_restart;
    source.fill_input_buffer = [](j_decompress_ptr decompress) -> boolean {
      fail(reinterpret_cast<j_common_ptr>(decompress), cut_short);
    };
    source.skip_input_data = [](j_decompress_ptr decompress, long count) {
      auto& from = *decompress->src;
      if (count <= 0) return;
      if (static_cast<std::size_t>(count) > from.bytes_in_buffer)
        fail(reinterpret_cast<j_common_ptr>(decompress), cut_short);
      from.next_input_byte += count;
      from.bytes_in_buffer -= static_cast<std::size_t>(count);
    };
    progress.progress_monitor = [](j_common_ptr common) {
      if (reinterpret_cast<j_decompress_ptr>(common)->input_scan_number > most_scans)
        fail(common, "it has more scans than any picture needs");
    };
  }
  ~JpegDecoder() { jpeg_destroy_decompress(&info); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  static JpegDecoder& of(j_common_ptr common) { return *static_cast<JpegDecoder*>(common->client_data); }
  [[noreturn]] static void fail(j_common_ptr common, const char* why) {
    auto& decoder = of(common);
    std::strncpy(decoder.message, why, sizeof decoder.message - 1);
    std::longjmp(decoder.back, 1);
  }
  // libjpeg goes on after what it warns of, with grey in place of what is missing.
  static void on_message(j_common_ptr common, int level) {
    if (level >= 0) return;
    switch (common->err->msg_code) {
      case JWRN_EXTRANEOUS_DATA:
        of(common).stray_bytes = true;
        return;
      case JWRN_ADOBE_XFORM:
      case JWRN_JFIF_MAJOR:
        return;
      default:
        common->err->error_exit(common);
    }
  }

  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf back{};
  char message[JMSG_LENGTH_MAX] = "";
  bool stray_bytes = false;
  int orientation = 1;
};

bool read_header(JpegDecoder& decoder) {
  if (setjmp(decoder.back)) return false;
  jpeg_create_decompress(&decoder.info);
  decoder.info.client_data = &decoder;
  decoder.info.src = &decoder.source;
  decoder.info.progress = &decoder.progress;
  jpeg_save_markers(&decoder.info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&decoder.info, TRUE);
  return true;
}

bool start_rows(JpegDecoder& decoder) {
  if (setjmp(decoder.back)) return false;
  return jpeg_start_decompress(&decoder.info);
}

bool read_rows(JpegDecoder& decoder, JSAMPLE* pixels, std::size_t row_size) {
  if (setjmp(decoder.back)) return false;
  while (decoder.info.output_scanline < decoder.info.output_height) {
    auto* row = pixels + decoder.info.output_scanline * row_size;
    jpeg_read_scanlines(&decoder.info, &row, 1);
  }
  return jpeg_finish_decompress(&decoder.info);
}

int orientation_in(const JpegDecoder& decoder) {
  constexpr std::string_view exif_begins("Exif\0\0", 6);
  for (auto* marker = decoder.info.marker_list; marker; marker = marker->next) {
    std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(exif_begins)) return orientation_of(data.substr(exif_begins.size()));
  }
  return 1;
}

// (1 - ink) * (1 - black), rounded; Adobe stores 255 minus either.
void to_colours(const std::uint8_t* inks, std::uint8_t* colours, std::int64_t pixels, bool inverted) {
  for (; pixels > 0; --pixels, inks += 4, colours += 3)
    for (int c = 0; c < 3; ++c) {
      unsigned left = inverted ? inks[c] : 255u - inks[c], light = inverted ? inks[3] : 255u - inks[3];
      auto product = (255 - left) * light + 128;
      colours[c] = static_cast<std::uint8_t>(light - ((product + (product >> 8)) >> 8));
    }
}

at::Tensor read_pixels(JpegDecoder& decoder, const std::string& shown, std::string_view bytes, std::uint64_t most) {
  auto check = [&](bool fine) {
    if (!fine) {
      if (decoder.message == std::string_view(cut_short))
        refuse_picture(Code::wrong_tensor, shown, filled("is no whole JPEG picture: {}", cut_short),
                       "copy or save it again; it has less bytes than it had");
      refuse_picture(Code::wrong_tensor, shown, filled("is no whole JPEG picture: {}", decoder.message));
    }
  };
  check(read_header(decoder));
  auto& info = decoder.info;
  decoder.orientation = orientation_in(decoder);  // libjpeg forgets the markers with the last row
  std::uint64_t width = info.image_width, height = info.image_height;
  check_pixels(shown, width, height, most);
  // A block of 8 × 8 pixels takes a bit at least, but for arithmetic coding.
  if (!info.arith_code && width * height / 512 > bytes.size())
    refuse_picture(Code::wrong_tensor, shown, filled("is too short for {} × {} pixels", width, height));
  switch (info.jpeg_color_space) {
    case JCS_GRAYSCALE:
      info.out_color_space = JCS_GRAYSCALE;
      break;
    case JCS_YCbCr:
    case JCS_RGB:
      info.out_color_space = JCS_RGB;
      break;
    case JCS_CMYK:
    case JCS_YCCK:
      info.out_color_space = JCS_CMYK;
      break;
    default:
      refuse_picture(Code::wrong_tensor, shown, filled("has {} channels of an unknown meaning", info.num_components),
                     "save the picture in grey or in red, green and blue");
  }
  check(start_rows(decoder));
  auto size = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
  auto pixels = at::empty({size(height), size(width), info.output_components}, at::kByte);
  check(read_rows(decoder, pixels.mutable_data_ptr<std::uint8_t>(),
                  width * static_cast<std::size_t>(info.output_components)));
  if (info.out_color_space != JCS_CMYK) return pixels;
  auto colours = at::empty({size(height), size(width), 3}, at::kByte);
  to_colours(pixels.const_data_ptr<std::uint8_t>(), colours.mutable_data_ptr<std::uint8_t>(), size(width * height),
             info.saw_Adobe_marker);
  return colours;
}

}  // namespace

Picture decode_jpeg(std::string_view bytes, const std::string& shown, std::uint64_t most) {
  JpegDecoder decoder(bytes);
  auto stored = read_pixels(decoder, shown, bytes, most);
  auto pixels = upright(stored, decoder.orientation);
  auto numbers = at::empty({1, pixels.size(2), pixels.size(0), pixels.size(1)}, at::kFloat);
  numbers.copy_(pixels.permute({2, 0, 1}).unsqueeze(0));
  Picture out{.pixels = numbers.div_(255)};
  if (decoder.stray_bytes)
    out.warnings.push_back(picture_warning(shown, "has bytes in it that belong to no part of a JPEG picture",
                                           "look at the picture: it may be damaged"));
  return out;
}

}  // namespace ascribe::files
