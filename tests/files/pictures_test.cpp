// Pictures: JPEG, what is dropped of PNG, formats that are refused, and what is done with a picture before a model.
#include "tests/catch.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstdio>
#include <random>

#include <zlib.h>

#include <jpeglib.h>

#include "ascribe/picture.hpp"
#include "interpreter/files/exif.hpp"
#include "interpreter/files/png.hpp"
#include "interpreter/files/tensor_file.hpp"
#include "tests/folder.hpp"

namespace ascribe::files {
namespace {
using namespace std::string_literals;

using test::bytes_of;
using test::failure;
using test::Folder;

const std::string made = ASCRIBE_PICTURES "/";

// Bytes [H, W, C] or [H, W] that Pillow left, as a picture of ours.
at::Tensor pillow(const char* name) {
  auto bytes = read_tensor(made + name).to(at::kFloat).div(255);
  return (bytes.dim() == 2 ? bytes.unsqueeze(0) : bytes.permute({2, 0, 1})).unsqueeze(0);
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return a.sub(b).abs().max().item<double>();
}

std::string refusal(const std::string& bytes) {
  Folder folder;
  return failure(folder, [&] { decode_picture(bytes); });
}

struct Jpeg {
  J_COLOR_SPACE given = JCS_RGB, stored = JCS_YCbCr;
  int channels = 3;
  bool progressive = false, adobe = true;
  std::string exif{};
};

// A JPEG of one colour for each of four quarters, 16 × 32 pixels.
std::string jpeg(const std::vector<std::vector<unsigned>>& quarters, const Jpeg& how) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &out, &size);
  info.image_width = 32, info.image_height = 16;
  info.input_components = how.channels;
  info.in_color_space = how.given;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, how.stored);
  jpeg_set_quality(&info, 100, TRUE);
  info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
  if (!how.adobe) info.write_Adobe_marker = FALSE;
  if (how.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (!how.exif.empty())
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(how.exif.data()),
                      static_cast<unsigned>(how.exif.size()));
  for (unsigned y = 0; y < 16; ++y) {
    std::vector<JSAMPLE> row;
    for (unsigned x = 0; x < 32; ++x)
      for (auto sample : quarters.at(y / 8 * 2 + x / 16)) row.push_back(static_cast<JSAMPLE>(sample));
    auto* samples = row.data();
    jpeg_write_scanlines(&info, &samples, 1);
  }
  jpeg_finish_compress(&info);
  std::string bytes(reinterpret_cast<char*>(out), size);
  jpeg_destroy_compress(&info);
  std::free(out);
  return bytes;
}

const std::vector<std::vector<unsigned>> greys = {{10}, {80}, {160}, {240}};
const Jpeg grey_jpeg{.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE, .channels = 1};

// The middle of each quarter, times 255: top left, top right, bottom left, bottom right.
std::vector<int> quarters_of(const at::Tensor& picture, std::int64_t channel = 0) {
  std::vector<int> out;
  auto height = picture.size(2), width = picture.size(3);
  for (auto y : {height / 4, height * 3 / 4})
    for (auto x : {width / 4, width * 3 / 4})
      out.push_back(static_cast<int>(std::lround(picture[0][channel][y][x].item<double>() * 255)));
  return out;
}

std::string exif(int orientation, bool big = false, const std::string& type = "\x03\x00"s) {
  auto value = std::string(1, static_cast<char>(orientation));
  if (big) return "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"s + value + "\0\0\0\0\0\0"s;
  return "II*\0\x08\0\0\0\x01\0\x12\x01"s + type + "\x01\0\0\0"s + value + "\0\0\0\0\0\0\0"s;
}

std::string png_chunk(const std::string& name, const std::string& data) {
  auto number = [](std::uint64_t value) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
    return out;
  };
  auto checked = name + data;
  auto sum = crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()));
  return number(data.size()) + checked + number(sum);
}

// ---- JPEG

TEST_CASE("a JPEG has the pixels that Pillow reads in it, in colour and in inks") {
  auto colours = decode_picture(bytes_of(made + "colours.jpg"));
  CHECK(difference(colours.pixels, pillow("colours.npy")) < 1.01 / 255);
  CHECK(colours.pixels.is_contiguous());
  CHECK(colours.warnings.empty());
  CHECK(difference(read_picture(made + "inks.jpg").pixels, pillow("inks.npy")) < 1.01 / 255);
}

TEST_CASE("every kind of JPEG is read: grey, progressive, RGB as it is, CMYK and YCCK with and without Adobe's mark") {
  for (bool progressive : {false, true}) {
    auto how = grey_jpeg;
    how.progressive = progressive;
    auto picture = decode_picture(jpeg(greys, how)).pixels;
    CHECK(picture.sizes() == at::IntArrayRef({1, 1, 16, 32}));
    CHECK(quarters_of(picture) == std::vector<int>{10, 80, 160, 240});
    auto colours = decode_picture(jpeg({{200, 10, 30}, {0, 0, 0}, {255, 255, 255}, {9, 90, 250}},
                                       {.stored = JCS_RGB, .progressive = progressive}))
                       .pixels;
    CHECK(quarters_of(colours, 0) == std::vector<int>{200, 0, 255, 9});
    CHECK(quarters_of(colours, 2) == std::vector<int>{30, 0, 255, 250});
  }
  // Inks, of which 255 is all: cyan at 100 and black at 55 leave (255 - 100) * (255 - 55) / 255 of red.
  std::vector<std::vector<unsigned>> inks = {{100, 0, 0, 55}, {0, 0, 0, 0}, {0, 0, 0, 255}, {255, 0, 0, 0}};
  auto plain =
      decode_picture(jpeg(inks, {.given = JCS_CMYK, .stored = JCS_CMYK, .channels = 4, .adobe = false})).pixels;
  CHECK(quarters_of(plain, 0) == std::vector<int>{122, 255, 0, 0});
  CHECK(quarters_of(plain, 1) == std::vector<int>{200, 255, 0, 255});
  auto inverted = inks;
  for (auto& colour : inverted)
    for (auto& each : colour) each = 255 - each;
  for (auto stored : {JCS_CMYK, JCS_YCCK}) {
    auto adobe = decode_picture(jpeg(inverted, {.given = JCS_CMYK, .stored = stored, .channels = 4})).pixels;
    auto red = quarters_of(adobe, 0), green = quarters_of(adobe, 1);
    std::vector<int> expected_red{122, 255, 0, 0}, expected_green{200, 255, 0, 255};
    for (std::size_t i = 0; i < 4; ++i) {  // YCCK rounds on the way
      CHECK(std::abs(red[i] - expected_red[i]) <= 2);
      CHECK(std::abs(green[i] - expected_green[i]) <= 2);
    }
  }
}

TEST_CASE("a photo stands upright, however it was held") {
  // As stored: 10 80 above 160 240.
  const std::vector<int> upright_quarters[] = {{10, 80, 160, 240}, {80, 10, 240, 160}, {240, 160, 80, 10},
                                               {160, 240, 10, 80}, {10, 160, 80, 240}, {160, 10, 240, 80},
                                               {240, 80, 160, 10}, {80, 240, 10, 160}};
  for (int orientation = 1; orientation <= 8; ++orientation)
    for (bool big : {false, true}) {
      auto how = grey_jpeg;
      how.exif = "Exif\0\0"s + exif(orientation, big);
      auto picture = decode_picture(jpeg(greys, how)).pixels;
      INFO("orientation " << orientation);
      CHECK(picture.size(2) == (orientation < 5 ? 16 : 32));
      CHECK(quarters_of(picture) == upright_quarters[orientation - 1]);
      CHECK(picture.is_contiguous());
      auto quarters = at::tensor({10, 80, 160, 240}, at::kByte).reshape({2, 2, 1}).expand({2, 2, 3});
      auto png = png_bytes(quarters.repeat_interleave(8, 0).repeat_interleave(16, 1));
      auto last = png.size() - 12;  // IEND
      png.insert(last, png_chunk("eXIf", exif(orientation, big)));
      auto same = decode_picture(png).pixels;
      CHECK(same.size(2) == (orientation < 5 ? 16 : 32));
      CHECK(quarters_of(same) == upright_quarters[orientation - 1]);
      CHECK(same.is_contiguous());
    }
}

TEST_CASE("EXIF that is damaged says nothing of how a photo was held") {
  auto whole = exif(6);
  CHECK(orientation_of(whole) == 6);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    auto got = orientation_of(std::string_view(whole).substr(0, length));
    CHECK((got == 1 || length > 18));
  }
  for (int value : {0, 9, 255}) CHECK(orientation_of(exif(value)) == 1);
  CHECK(orientation_of(exif(6, false, "\x04\x00"s)) == 1);
  std::minstd_rand random(3);
  for (int round = 0; round < 3000; ++round) {
    auto bytes = whole;
    for (int flips = 0; flips < 3; ++flips) bytes[random() % bytes.size()] = static_cast<char>(random());
    auto got = orientation_of(bytes);
    CHECK((got >= 1 && got <= 8));
  }
  auto how = grey_jpeg;
  how.exif = "Exif\0\0II*\0\xFF\xFF\xFF\xFF"s;
  CHECK(quarters_of(decode_picture(jpeg(greys, how)).pixels) == std::vector<int>{10, 80, 160, 240});
}

TEST_CASE("a JPEG that is cut short anywhere is refused, and one that is damaged is read or refused") {
  for (auto& whole :
       {bytes_of(made + "colours.jpg"),
        jpeg(greys, {.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE, .channels = 1, .progressive = true})}) {
    for (std::size_t length = 0; length < whole.size(); ++length) {
      INFO(length << " of " << whole.size() << " bytes");
      auto said = refusal(whole.substr(0, length));
      CHECK(said != "no error");
      if (length > 4) CHECK(said == "A0702 the picture is no whole JPEG picture: the file is cut short");
    }
    std::minstd_rand random(1);
    for (int round = 0; round < 500; ++round) {
      auto bytes = whole;
      for (auto flips = 1 + random() % 3; flips > 0; --flips)
        bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
      refusal(bytes);
    }
  }
}

TEST_CASE("what follows a JPEG is nothing to it; stray bytes within are told") {
  auto whole = bytes_of(made + "colours.jpg");
  CHECK(decode_picture(whole + "a film, say").warnings.empty());
  auto scan = whole.find("\xFF\xDA");
  auto stray = whole.substr(0, scan) + "stray" + whole.substr(scan);
  auto picture = decode_picture(stray);
  REQUIRE(picture.warnings.size() == 1);
  CHECK(picture.warnings[0].message == "the picture has bytes in it that belong to no part of a JPEG picture");
  CHECK(at::equal(picture.pixels, decode_picture(whole).pixels));
}

TEST_CASE("how large a JPEG is is looked at before there is memory for it") {
  auto whole = bytes_of(made + "colours.jpg");
  auto frame = whole.find("\xFF\xC0");
  auto with_size = [&](unsigned height, unsigned width) {
    auto bytes = whole;
    for (std::size_t i : {0, 1}) {
      bytes[frame + 5 + i] = static_cast<char>(height >> (8 - 8 * i));
      bytes[frame + 7 + i] = static_cast<char>(width >> (8 - 8 * i));
    }
    return refusal(bytes);
  };
  CHECK(with_size(20000, 20000) == "A0004 the picture has 20000 × 20000 pixels; the limit is 67108864");
  CHECK(with_size(8000, 8000) == "A0702 the picture is too short for 8000 × 8000 pixels");
  CHECK(with_size(0, 0).find("A0702 the picture is no whole JPEG picture: ") == 0);
}

TEST_CASE("who decodes pictures has a limit of their own for pixels") {
  Folder folder;
  for (auto& bytes : {bytes_of(made + "colours.jpg"), encode_png(at::zeros({20, 30, 3}, at::kByte))}) {
    auto picture = decode_picture(bytes).pixels;
    auto pixels = static_cast<std::uint64_t>(picture.size(2) * picture.size(3));
    CHECK(at::equal(decode_picture(bytes, "the picture", pixels).pixels, picture));
    auto refused = failure(folder, [&] { decode_picture(bytes, "the picture", pixels - 1); });
    CHECK(refused == "A0004 the picture has " + std::to_string(picture.size(3)) + " × " +
                         std::to_string(picture.size(2)) + " pixels; the limit is " + std::to_string(pixels - 1));
  }
}

// ---- Formats

TEST_CASE("files are what is in them, whatever their names say") {
  Folder folder;
  auto colours = bytes_of(made + "colours.jpg");
  auto misnamed = read_tensor_file(folder.file("x.png", colours));
  CHECK(misnamed.is_picture);
  CHECK(at::equal(misnamed.tensor, decode_picture(colours).pixels));
  CHECK(
      at::equal(read_tensor(folder.file("x.jpeg", bytes_of(made + "colours.npy"))), read_tensor(made + "colours.npy")));
  CHECK_FALSE(read_tensor_file(folder / "x.jpeg").is_picture);
  CHECK(read_tensor_file(folder.file("photo", colours)).is_picture);
}

TEST_CASE("formats that are not read are refused by their names") {
  Folder folder;
  auto refused = [&](const char* name, const std::string& start) {
    auto path = folder.file(name, start + std::string(40, '\0'));
    return failure(folder, [&] { read_tensor(path); });
  };
  CHECK(refused("x.gif", "GIF89a") == "A0702 'x.gif' is a GIF picture, which is not read");
  CHECK(refused("x.png", "GIF87a") == "A0702 'x.png' is a GIF picture, which is not read");
  CHECK(refused("x.jpg", "RIFF\x10\0\0\0WEBPVP8X"s) == "A0702 'x.jpg' is a WebP picture, which is not read");
  CHECK(refused("x.bmp", "BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"s) ==
        "A0702 'x.bmp' is a BMP picture, which is not read");
  CHECK(refused("x.tif", "II*\0"s) == "A0702 'x.tif' is a TIFF picture, which is not read");
  CHECK(refused("x.jpg",
                "\0\0\0\x18"
                "ftypheic"s) == "A0702 'x.jpg' is a HEIC picture, which is not read");
  CHECK(refused("x.avif",
                "\0\0\0\x18"
                "ftypavif"s) == "A0702 'x.avif' is an AVIF picture, which is not read");
  CHECK(refusal("PK\x03\x04") == "A0702 the picture is a zip archive, no picture");
  CHECK(refusal("") == "A0702 the picture is empty");
}

TEST_CASE("an animated PNG is refused, one picture within its frame is read") {
  auto still = encode_png(at::full({2, 2, 3}, 7, at::kByte));
  auto header_end = std::size_t{8 + 25};
  auto with = [&](char frames) {
    return still.substr(0, header_end) + "\0\0\0\x08"s + "acTL" + "\0\0\0"s + frames + "\0\0\0\0"s + "\0\0\0\0"s +
           still.substr(header_end);
  };
  CHECK(refusal(with(3)) == "A0702 the picture is an animated PNG, of 3 pictures");
  CHECK(refusal(still) == "no error");
}

// ---- Preparation

TEST_CASE("a picture is resized as torchvision and Pillow do, to less than a step of their bytes") {
  auto x = pillow("colours.npy");
  auto size = [&](std::vector<std::int64_t> resize) { return framed(x, {.resize = resize}).sizes().vec(); };
  CHECK(size({13}) == std::vector<std::int64_t>{1, 3, 13, 20});
  CHECK(size({40}) == std::vector<std::int64_t>{1, 3, 40, 64});
  CHECK(size({23}) == std::vector<std::int64_t>{1, 3, 23, 37});
  CHECK(framed(x.transpose(2, 3), {.resize = {13}}).sizes() == at::IntArrayRef({1, 3, 20, 13}));
  CHECK(difference(framed(x, {.resize = {13}}), pillow("resized_13x20.npy")) < 1.01 / 255);
  CHECK(difference(framed(x, {.resize = {40, 61}}), pillow("resized_40x61.npy")) < 1.01 / 255);
  CHECK(difference(framed(at::ones({1, 1, 1, 1}), {.resize = {224}}), at::ones({1, 1, 224, 224})) < 1e-6);
}

TEST_CASE("the middle is cropped with torchvision's rounding, and smaller pictures get zeros around them") {
  auto x = at::arange(1, 1 + 23 * 37).to(at::kFloat).reshape({1, 1, 23, 37});
  auto ends = [&](std::int64_t height, std::int64_t width) {
    auto part = framed(x, {.crop = {height, width}});
    CHECK(part.sizes() == at::IntArrayRef({1, 1, height, width}));
    auto at = [&](std::int64_t row, std::int64_t column) { return part[0][0][row][column].item<int>(); };
    return std::vector<int>{at(0, 0), at(-1, -1), at(height / 2, width / 2)};
  };
  CHECK(ends(10, 10) == std::vector<int>{237, 579, 427});
  CHECK(ends(11, 20) == std::vector<int>{231, 620, 426});
  CHECK(ends(30, 30) == std::vector<int>{0, 0, 464});
  CHECK(ends(30, 20) == std::vector<int>{0, 0, 463});
  CHECK(ends(24, 38) == std::vector<int>{1, 0, 464});
  CHECK(ends(23, 36) == std::vector<int>{1, 850, 426});
  CHECK(ends(26, 40) == std::vector<int>{0, 0, 464});
}

TEST_CASE("colours become grey as Pillow weighs them; grey becomes three equal channels") {
  auto x = pillow("colours.npy"), grey = framed(x, {.grey = true});
  CHECK(difference(grey, pillow("grey.npy")) < 1.01 / 255);
  CHECK(at::equal(framed(grey, {.grey = true}), grey));
  CHECK(at::equal(framed(grey, {.colour = true}), at::cat({grey, grey, grey}, 1)));
  CHECK(at::equal(framed(x, {.colour = true}), x));
}

TEST_CASE("mean and deviation come last, and what is to be seen below relevance is without them") {
  auto x = pillow("colours.npy");
  auto how = Preparation::imagenet();
  auto seen = framed(x, how), given = prepared(x, how);
  CHECK(seen.sizes() == at::IntArrayRef({1, 3, 224, 224}));
  CHECK(seen.min().item<double>() >= 0);
  CHECK(seen.max().item<double>() <= 1);
  CHECK(at::allclose(given[0][1], seen[0][1].sub(0.456).div(0.224)));
  CHECK(at::allclose(prepared(x, {.mean = {0.5}, .deviation = {0.25}}), (x - 0.5) * 4));
}

TEST_CASE("a preparation that does not fit is refused") {
  Folder folder;
  auto x = pillow("colours.npy");
  auto refused = [&](const Preparation& how, const at::Tensor& picture) {
    return failure(folder, [&] { prepared(picture, how); });
  };
  CHECK(refused({.mean = {1, 2}}, x) == "A0705 mean has 2 values, the picture 3 channels");
  CHECK(refused({.deviation = {1, 0, 1}}, x) == "A0705 deviation has to be positive");
  CHECK(refused({.grey = true, .colour = true}, x) == "A0705 grey and colour exclude each other");
  CHECK(refused({.resize = {0}}, x) == "A0705 resize has to be 1 pixel or more, and not beyond all limits: not 0");
  CHECK(refused({.crop = {1, 2, 3}}, x) == "A0705 crop has 3 sizes");
  CHECK(refused({.crop = {20000}}, x) == "A0004 crop asks for 20000 × 20000 pixels; the limit is 67108864");
  CHECK(
      refused({.resize = {256}}, at::ones({1, 1, 1, 100000})).find("A0004 resized from 100000 × 1 to 25600000 × 256") ==
      0);
  CHECK(refused({}, at::ones({3, 4, 4})) ==
        "A0702 a picture is floating numbers [N, C, H, W], not Float of shape [3, 4, 4]");
  CHECK(refused({}, at::Tensor()) == "A0702 there is no picture to prepare");
  CHECK(refused({.grey = true}, at::ones({1, 2, 4, 4})).find("A0705 a picture of 2 channels") == 0);
}

// ---- Bytes

TEST_CASE("arrays and pictures go to bytes and come back, in memory of their own") {
  auto x = at::arange(6).to(at::kFloat).reshape({2, 3});
  auto bytes = encode_npy(x);
  auto back = decode_npy(bytes);
  CHECK(at::equal(back, x));
  bytes.assign(bytes.size(), '\0');
  CHECK(at::equal(back, x));
  auto pixels = at::arange(60).to(at::kByte).reshape({4, 5, 3});
  CHECK(at::equal(decode_picture(encode_png(pixels)).pixels.mul(255).round().to(at::kByte)[0].permute({1, 2, 0}),
                  pixels));
  Folder folder;
  CHECK(failure(folder, [&] {
          encode_png(at::ones({2, 2}));
        }) == "A0702 cannot write the picture: a picture is uint8, H×W×3, of 1 to 2^26 pixels");
  CHECK(failure(folder, [&] { encode_npy(at::Tensor()); }) == "A0702 cannot write the array: it is no dense tensor");
  CHECK(failure(folder, [&] { decode_npy("text", "the request's body"); }) ==
        "A0702 the request's body is not a NumPy array file");
}

}  // namespace
}  // namespace ascribe::files
