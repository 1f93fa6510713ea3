// From relevance of any shape to maps of numbers.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/picture/sheet.hpp"

namespace ascribe::picture {
namespace {

constexpr double most_smoothing = 1000;

// The Gaussian over one dimension, with nothing beyond the borders: weights are those of what is there.
at::Tensor blurred(const at::Tensor& maps, double deviation, std::int64_t dimension) {
  auto side = maps.size(dimension);
  if (side == 1) return maps;
  auto radius = std::min(static_cast<std::int64_t>(std::ceil(3 * deviation)), side - 1);
  auto places = at::arange(-radius, radius + 1, at::kDouble);
  auto weights = at::exp(-places * places / (2 * deviation * deviation));
  auto shape = dimension == 2 ? std::vector<std::int64_t>{1, 1, -1, 1} : std::vector<std::int64_t>{1, 1, 1, -1};
  std::vector<std::int64_t> padding(2, 0);
  padding[static_cast<std::size_t>(dimension - 2)] = radius;
  auto over = [&](const at::Tensor& x) {
    return at::conv2d(x, weights.reshape(shape), /*bias=*/{}, /*stride=*/1, padding);
  };
  return over(maps) / over(at::ones({1, 1, maps.size(2), maps.size(3)}, at::kDouble));
}

// What is not finite stays where it is, and does not spread.
at::Tensor smoothed(const at::Tensor& values, double deviation) {
  auto finite = values.isfinite();
  auto maps = at::where(finite, values, at::zeros({}, at::kDouble)).flatten(0, 1).unsqueeze(1);
  maps = blurred(blurred(maps, deviation, 2), deviation, 3).reshape(values.sizes());
  return at::where(finite, maps, values);
}

// [N, C, …] with the channels of the largest total magnitude alone.
at::Tensor strongest(const at::Tensor& values, std::int64_t count, std::vector<std::vector<std::int64_t>>& chosen) {
  auto totals = values.abs().nan_to_num(0, 0, 0).flatten(2).sum(-1);
  auto order = totals.argsort(/*stable=*/true, /*dim=*/1, /*descending=*/true)
                   .slice(1, 0, std::min(count, values.size(1)))
                   .contiguous();
  std::vector<at::Tensor> out;
  for (std::int64_t i = 0; i < order.size(0); ++i) {
    auto indices = order[i];
    auto* first = indices.const_data_ptr<std::int64_t>();
    chosen.emplace_back(first, first + indices.numel());
    out.push_back(values[i].index_select(0, indices));
  }
  return at::stack(out);
}

[[noreturn]] void refuse(std::string message, std::string help) {
  throw Error({.code = Code::usage, .message = std::move(message), .help = std::move(help)});
}

}  // namespace

void check(const HeatmapOptions& options) {
  check_clip(options.clip);
  if (options.channels < 0)
    refuse(filled("a picture shows 1 or more channels, not {}", options.channels), "0 is the sum over all of them");
  if (!(options.smooth >= 0 && options.smooth <= most_smoothing))
    refuse(filled("a picture is smoothed by 0 to {} values, not by {:g}", most_smoothing, options.smooth),
           "1 or 2 soften the grain of single pixels; 0 leaves it");
  if (options.size < 0)
    refuse(filled("a size is 1 pixel or more, not {}", options.size), "give the longer side of a map, such as 256");
  if (options.columns < 0)
    refuse(filled("a table has 1 column or more, not {}", options.columns), "0 makes the table nearly square");
  if (options.before_rows && (options.beside || options.channels > 0))
    refuse("an original before each row goes neither with one beside each map nor with channels",
           "leave one of them out");
  if (!(options.overlay >= 0 && options.overlay <= 1))
    refuse(filled("an opacity lies between 0 and 1, not at {:g}", options.overlay), "0.7 shows both");
}

Maps maps_of(const at::Tensor& relevance, const HeatmapOptions& options) {
  if (!relevance.defined() || relevance.layout() != at::kStrided || relevance.is_complex())
    throw Error(Diagnostic{.code = Code::wrong_tensor,
                           .message = relevance.defined()
                                          ? "relevance that is no dense tensor of real numbers has no picture"
                                          : "an undefined tensor has no picture",
                           .help = "give the relevance of an attribution that went to its input"});
  auto dimensions = relevance.dim();
  if (dimensions > 5)
    throw Error(Diagnostic{.code = Code::wrong_tensor,
                           .message = filled("relevance of {} dimensions has no picture", dimensions),
                           .help = "leave the heatmap out"});
  if (options.channels > 0 && dimensions != 3 && dimensions != 4)
    refuse(filled("relevance of {} dimensions has no channels to choose from", dimensions),
           "leave the channels out: what there is is shown");
  Maps out;
  out.strips = dimensions < 4;
  auto values = relevance.detach().to(at::kCPU);
  if (options.channels > 0)
    values = strongest(values.to(at::kDouble), options.channels, out.channels);
  else if (dimensions >= 3)
    values = values.sum(1, /*keepdim=*/false, at::kDouble);
  values = values.to(at::kDouble);
  // Now [length], [samples, length], [samples, parts, length]; or [samples, (parts,) height, width].
  if (out.strips)
    values = dimensions < 2
                 ? values.reshape({1, 1, 1, values.numel()})
                 : values.reshape({values.size(0), options.channels > 0 ? values.size(1) : 1, 1, values.size(-1)});
  else if (values.dim() == 3)
    values = values.unsqueeze(1);
  if (options.smooth > 0) values = smoothed(values, options.smooth);
  if (options.upside_down) values = values.flip(2);
  out.values = values.contiguous();
  return out;
}

std::vector<Scale> scales_of(const at::Tensor& values, const ColourMap& colours, const HeatmapOptions& options) {
  auto samples = static_cast<std::size_t>(values.size(0));
  std::span all(values.const_data_ptr<double>(), static_cast<std::size_t>(values.numel()));
  if (options.shared_scale) return std::vector(samples, scale_of(all, colours, options));
  std::vector<Scale> out;
  auto each = all.size() / samples;
  for (std::size_t i = 0; i < samples; ++i) out.push_back(scale_of(all.subspan(i * each, each), colours, options));
  return out;
}

}  // namespace ascribe::picture
