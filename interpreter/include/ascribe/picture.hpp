// Pictures and arrays as bytes: what a service gets, gives to a model, and sends back.
//
//     auto photo = ascribe::decode_picture(request.body);               // PNG or JPEG, told apart by the content
//     auto how = ascribe::Preparation::imagenet();                      // resize 256, crop 224, mean and deviation
//     auto a = ascribe::attribute(model, rules, ascribe::prepared(photo.pixels, how));
//     auto below = ascribe::framed(photo.pixels, how);                  // the same part of the photo, in [0, 1]
//     respond(ascribe::encode_png(ascribe::heatmap(a.relevance)));
//
// All of it is on the CPU, and what is handed over owns its memory. Functions may be called from several threads at
// once. Every failure is an Error: wrong_tensor for what is no picture (or array), or is damaged or cut short;
// too_large beyond 2^26 pixels, which is known before memory is taken for them; usage for a preparation that does not
// fit.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "ascribe/error.hpp"
#include "grammar/export.hpp"

namespace ascribe {

/// A picture as its file has it, upright.
struct Picture {
  at::Tensor pixels;                   ///< float32, [1, C, H, W] in [0, 1]; C is 1 for grey and 3 for red, green, blue
  std::vector<Diagnostic> warnings{};  ///< what was left out: alpha, where some pixel is not opaque; stray bytes
};

/// PNG (8 and 16 bits, palettes, interlaced) or JPEG (baseline and progressive; grey, colour, CMYK and YCCK). Samples
/// are taken as stored, divided by the largest: no gamma, no colour profile. Alpha is dropped, never applied. What
/// EXIF says of the orientation is applied; CMYK becomes red, green, blue without a profile, inverted where Adobe's
/// mark says so. Other formats, and animated PNG, are refused by their names. `name` is what messages call the picture.
/// A service has a limit of its own for pixels, which cannot be beyond 2^26.
ASCRIBE_EXPORT Picture decode_picture(std::string_view bytes, const std::string& name = "the picture",
                                      std::uint64_t most_pixels = 1 << 26);

/// The same from a file. Throws Error (unreadable_file), too.
ASCRIBE_EXPORT Picture read_picture(const std::filesystem::path& path);

/// What is done with a picture before a model gets it, in this order; everything may be left out.
struct Preparation {
  bool grey = false;    ///< three channels become one: 0.299 red + 0.587 green + 0.114 blue (ITU-R 601-2)
  bool colour = false;  ///< one channel becomes three equal ones
  std::vector<std::int64_t> resize{};  ///< {pixels of the shorter side}, or {height, width}: bilinear, with antialias
  std::vector<std::int64_t> crop{};    ///< {side}, or {height, width}: from the centre; zeros around smaller pictures
  std::vector<double> mean{};          ///< subtracted: one for all channels, or one for each
  std::vector<double> deviation{};     ///< divided by

  /// That of most networks that were trained on ImageNet: resize 256, crop 224, in colour, with ImageNet's mean and
  /// deviation.
  static ASCRIBE_EXPORT Preparation imagenet();
};

/// ImageNet's mean and deviation of red, green and blue.
inline constexpr double imagenet_mean[] = {0.485, 0.456, 0.406}, imagenet_deviation[] = {0.229, 0.224, 0.225};

/// What the model gets: float32, [N, C, h, w], of [N, C, H, W] in [0, 1]. Sizes and places are those of torchvision's
/// Resize and CenterCrop; values differ from Pillow's by less than 1/255, which rounds to bytes on the way.
ASCRIBE_EXPORT at::Tensor prepared(const at::Tensor& picture, const Preparation& preparation);

/// The same but for mean and deviation: the part of the picture that the model sees, in [0, 1], to be shown below its
/// relevance.
ASCRIBE_EXPORT at::Tensor framed(const at::Tensor& picture, const Preparation& preparation);

/// A PNG of unsigned bytes [H, W, 3], as heatmap() draws them. Throws Error (wrong_tensor) for other tensors.
ASCRIBE_EXPORT std::string encode_png(const at::Tensor& pixels);

/// NumPy's array file (.npy) of a tensor of real numbers, of any shape and on any device; bfloat16 becomes float32.
ASCRIBE_EXPORT std::string encode_npy(const at::Tensor& tensor);

/// The tensor that such bytes hold: contiguous, in a copy of its own. float16/32/64, int8/16/32/64, uint8 and bool as
/// they are; uint16 as int32, uint32 and uint64 as int64. `name` is what messages call the array.
ASCRIBE_EXPORT at::Tensor decode_npy(std::string_view bytes, const std::string& name = "the array");

}  // namespace ascribe
