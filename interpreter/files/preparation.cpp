// What is done with a picture before a model gets it: the rules of torchvision's transforms.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "ascribe/picture.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/files/picture_limits.hpp"

namespace ascribe {
namespace {

Error not_fitting(std::string message, std::string help) {
  return Error(Diagnostic{.code = Code::usage, .message = std::move(message), .help = std::move(help)});
}

void check_sizes(const std::vector<std::int64_t>& sizes, const char* what, const char* example) {
  if (sizes.size() > 2)
    throw not_fitting(filled("{} has {} sizes", what, sizes.size()), "give one, or a height and a width");
  for (auto each : sizes)
    if (each < 1 || each > static_cast<std::int64_t>(files::most_pixels))
      throw not_fitting(filled("{} has to be 1 pixel or more, and not beyond all limits: not {}", what, each), example);
}

void check_picture(const at::Tensor& picture) {
  if (picture.defined() && picture.layout() == at::kStrided && picture.dim() == 4 && picture.is_floating_point() &&
      picture.numel() > 0)
    return;
  throw Error(Diagnostic{.code = Code::wrong_tensor,
                         .message = picture.defined()
                                        ? filled("a picture is floating numbers [N, C, H, W], not {} of shape {}",
                                                 at::toString(picture.scalar_type()), shown_shape(picture.sizes()))
                                        : std::string("there is no picture to prepare"),
                         .help = "give what decode_picture returns"});
}

at::Tensor in_channels(const at::Tensor& picture, const Preparation& preparation) {
  auto channels = picture.size(1);
  if (preparation.grey && preparation.colour)
    throw not_fitting("grey and colour exclude each other", "leave one of them out");
  if (!preparation.grey && !preparation.colour) return picture;
  if (channels != 1 && channels != 3)
    throw not_fitting(filled("a picture of {} channels is neither grey nor red, green and blue", channels),
                      "leave grey and colour out");
  if (preparation.colour) return channels == 3 ? picture : picture.expand({-1, 3, -1, -1}).contiguous();
  if (channels == 1) return picture;
  auto share = [&](std::int64_t channel, double factor) { return picture.slice(1, channel, channel + 1) * factor; };
  return share(0, 0.299) + share(1, 0.587) + share(2, 0.114);
}

at::Tensor resized(const at::Tensor& picture, const std::vector<std::int64_t>& size) {
  auto height = picture.size(2), width = picture.size(3), new_height = size.front(), new_width = size.back();
  if (size.size() == 1) {
    auto longer = [&](std::int64_t side, std::int64_t shorter) {
      return static_cast<std::int64_t>(static_cast<double>(size[0]) * static_cast<double>(side) /
                                       static_cast<double>(shorter));
    };
    (height < width ? new_width : new_height) = longer(std::max(height, width), std::min(height, width));
  }
  if (new_height == height && new_width == width) return picture;
  // Widths come first, in a picture between the two.
  auto limit = static_cast<double>(files::most_pixels);
  if (static_cast<double>(new_height) * static_cast<double>(new_width) > limit ||
      static_cast<double>(height) * static_cast<double>(new_width) > 4 * limit)
    throw Error(Diagnostic{
        .code = Code::too_large,
        .message = filled("resized from {} × {} to {} × {} pixels, the picture is larger than the limit, {} pixels",
                          width, height, new_width, new_height, files::most_pixels),
        .help = "choose smaller sizes, or a height and a width"});
  return at::_upsample_bilinear2d_aa(picture, {new_height, new_width}, /*align_corners=*/false);
}

// Zeros on both sides where the picture is smaller; one more behind than in front, if need be.
at::Tensor cropped(const at::Tensor& picture, const std::vector<std::int64_t>& size) {
  auto height = size.front(), width = size.back();
  if (static_cast<double>(height) * static_cast<double>(width) > static_cast<double>(files::most_pixels))
    throw Error(Diagnostic{
        .code = Code::too_large,
        .message = filled("crop asks for {} × {} pixels; the limit is {}", width, height, files::most_pixels),
        .help = "choose a smaller part"});
  // First what is taken away, then what is added: the other way round costs memory for what nobody sees.
  auto out = picture;
  for (auto [dimension, wanted] : {std::pair<std::int64_t, std::int64_t>{2, height}, {3, width}})
    if (auto spare = out.size(dimension) - wanted; spare > 0)
      out = out.narrow(dimension, static_cast<std::int64_t>(std::nearbyint(static_cast<double>(spare) / 2)), wanted);
  auto missing_rows = std::max<std::int64_t>(height - out.size(2), 0),
       missing = std::max<std::int64_t>(width - out.size(3), 0);
  if (missing_rows > 0 || missing > 0)
    out = at::constant_pad_nd(out, {missing / 2, (missing + 1) / 2, missing_rows / 2, (missing_rows + 1) / 2});
  return out.contiguous();
}

at::Tensor per_channel(const std::vector<double>& values, const at::Tensor& picture, const char* what) {
  auto channels = picture.size(1);
  if (values.size() != 1 && static_cast<std::int64_t>(values.size()) != channels)
    throw not_fitting(
        filled("{} has {} values, the picture {} channel{}", what, values.size(), channels, channels == 1 ? "" : "s"),
        values.size() == 3 && channels == 1 ? "ask for three channels (colour), or give one value"
                                            : "give one value, or one for each channel");
  return at::tensor(values, picture.options()).reshape({1, -1, 1, 1});
}

void check_numbers(const Preparation& preparation) {
  for (auto value : preparation.mean)
    if (!std::isfinite(value))
      throw not_fitting("mean has to be finite", "give the mean that the model was trained with");
  for (auto value : preparation.deviation)
    if (!(value > 0) || !std::isfinite(value))
      throw not_fitting("deviation has to be positive", "give the deviations that the model was trained with");
}

}  // namespace

Preparation Preparation::imagenet() {
  return {.colour = true,
          .resize = {256},
          .crop = {224},
          .mean = {std::begin(imagenet_mean), std::end(imagenet_mean)},
          .deviation = {std::begin(imagenet_deviation), std::end(imagenet_deviation)}};
}

at::Tensor framed(const at::Tensor& picture, const Preparation& preparation) {
  at::NoGradGuard no_grad;
  check_picture(picture);
  check_sizes(preparation.resize, "resize", "give the pixels of the shorter side, such as 256");
  check_sizes(preparation.crop, "crop", "give the pixels of a side, such as 224");
  auto out = in_channels(picture.to(at::kCPU, at::kFloat), preparation);
  if (!preparation.resize.empty()) out = resized(out, preparation.resize);
  if (!preparation.crop.empty()) out = cropped(out, preparation.crop);
  return out;
}

at::Tensor prepared(const at::Tensor& picture, const Preparation& preparation) {
  at::NoGradGuard no_grad;
  check_numbers(preparation);
  auto out = framed(picture, preparation);
  if (!preparation.mean.empty()) out = out - per_channel(preparation.mean, out, "mean");
  if (!preparation.deviation.empty()) out = out / per_channel(preparation.deviation, out, "deviation");
  return out;
}

}  // namespace ascribe
