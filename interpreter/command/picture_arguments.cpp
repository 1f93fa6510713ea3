#include "interpreter/command/picture_arguments.hpp"
#include "interpreter/files/png.hpp"

#include <ATen/ATen.h>

#include <fmt/ranges.h>
#include <algorithm>

#include <iostream>

#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/scene_pixels.hpp"
#include "interpreter/command/tokens.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/picture/figure.hpp"
#include "interpreter/picture/quietly.hpp"

namespace ascribe::command {
namespace {

constexpr std::int64_t longest_strip = 32;  // vectors beyond are curves: their values have neighbours, not names

constexpr std::pair<const char*, ColourRange> ranges[] = {
    {"symmetric", ColourRange::symmetric}, {"from_zero", ColourRange::from_zero}, {"whole", ColourRange::whole}};

std::string shown_score(double value) { return filled("{:.4g}", value); }

}  // namespace

void PictureArguments::add_to(CLI::App& command) {
  constexpr const char* group = "Pictures";
  auto option = [&](const char* name, auto& value, const char* placeholder, const char* help) {
    return command.add_option(name, value, help)->type_name(placeholder)->group(group);
  };
  auto flag = [&](const char* name, bool& value, const char* help) {
    command.add_flag(name, value, help)->group(group);
  };
  option("--heatmap", file, "FILE.png|FILE.svg|FILE.html",
         "where the picture of the input's relevance goes; .html is a page with all that is known, or with --tokens "
         "the text");
  option("--colour-map,--color-map", heatmap.colour_map, "NAME",
         "bwr (the usual one), coldnhot, seismic, RdBu, viridis and others of Zennit and matplotlib; _r behind it "
         "turns it round");
  option(
      "--clip", heatmap.clip, "PERCENT",
      "colours are full at the magnitude that so many percent of the values lie below; 100: at the largest (default: "
      "that, or 99.5 where a few pixels would bleach all others)");
  one_of(option("--range", range, "",
                "what the ends of the colours stand for (default: symmetric for maps of two colours; else from_zero "
                "where no value is negative, and whole where one is)"),
         {ranges[0].first, ranges[1].first, ranges[2].first});
  flag("--shared-scale", heatmap.shared_scale, "one scale for all samples, not one for each");
  option("--size", size, "PIXELS", "the longer side of each map");
  option("--columns", columns, "COUNT", "samples beside each other (default: about as many as below)");
  option("--overlay", overlay, "OPACITY", "draws over the input in grey, from 0 to 1");
  flag("--beside", heatmap.beside, "puts the input beside it");
  flag("--contours", heatmap.contours, "lines at a third and two thirds of the scale");
  option("--smooth", heatmap.smooth, "DEVIATION", "blurs by a Gaussian, in values");
  option("--channels", channels, "COUNT", "the strongest channels, each for itself, instead of their sum");
  one_of(option("--as", form, "", "what is drawn (default: by the input's shape)"),
         {"maps", "curves", "bars", "spectrogram"});
  option("--features", features, "FILE", "the names of a vector's values, a line for each: draws bars");
  flag("--no-caption", no_caption, "the bare picture, without captions and colour bar");
}

void PictureArguments::check() const {
  if (!wanted()) {
    bool any = heatmap.shared_scale || heatmap.beside || heatmap.contours || no_caption || size || columns ||
               channels || overlay || heatmap.clip || heatmap.smooth != 0 || !form.empty() || !features.empty() ||
               !range.empty();
    if (any) throw usage_error("there is no picture that this would change", "write `--heatmap heatmap.png`, too");
    return;
  }
  if (!file.ends_with(".png") && !file.ends_with(".svg") && !is_page())
    throw usage_error(filled("--heatmap is a .png, .svg or .html file, not '{}'", file),
                      "write `--heatmap heatmap.png`");
  auto at_least_one = [](const std::optional<std::int64_t>& value, const char* name) {
    if (value && *value < 1)
      throw usage_error(filled("{} has to be 1 or more, not {}", name, *value), "leave it out: there is a usual one");
  };
  at_least_one(size, "--size");
  at_least_one(columns, "--columns");
  at_least_one(channels, "--channels");
  if (overlay && !(*overlay > 0 && *overlay <= 1))
    throw usage_error(filled("--overlay is an opacity above 0 and up to 1, not {:g}", *overlay),
                      "write `--overlay 0.7`");
  picture::ColourMap known(heatmap.colour_map);
  picture::check(heatmap);
  if (!features.empty()) read_lines(features, "features");
}

at::Tensor picture_of(const PictureFacts& facts) {
  auto& input = facts.input;
  if (!input.defined() || input.dim() != 4 || input.numel() == 0 || input.is_complex()) return {};
  auto image = input.detach().to(at::kCPU, at::kDouble);
  auto channels = image.size(1);
  if (channels != 1 && channels != 3) image = image.mean(1, /*keepdim=*/true);
  auto per_channel = [&](const std::vector<double>& values) {
    return at::tensor(values, at::kDouble).reshape({1, -1, 1, 1});
  };
  auto fits = [&](const std::vector<double>& values) {
    return values.size() <= 1 || static_cast<std::int64_t>(values.size()) == channels;
  };
  bool known = (!facts.mean.empty() || !facts.deviation.empty()) && fits(facts.mean) && fits(facts.deviation);
  if (known && (channels == 1 || channels == 3)) {
    if (!facts.deviation.empty()) image = image * per_channel(facts.deviation);
    if (!facts.mean.empty()) image = image + per_channel(facts.mean);
    return image.clamp(0, 1);
  }
  if (input.scalar_type() == at::kByte) return image / 255;
  auto low = image.amin({1, 2, 3}, true), high = image.amax({1, 2, 3}, true);
  if (low.min().item<double>() >= 0 && high.max().item<double>() <= 1) return image;
  return (image - low) / at::where(high > low, high - low, at::ones_like(high));
}

std::string name_of_class(std::int64_t index, const std::vector<std::string>& labels) {
  auto place = static_cast<std::size_t>(index);
  return index >= 0 && place < labels.size() ? labels[place] : filled("class {}", index);
}

void tell_targets(PictureFacts& facts, const at::Tensor& output, const Target& target,
                  const std::vector<std::string>& labels, std::int64_t samples) {
  bool classes = output.defined() && output.dim() == 2 && output.size(0) == samples && output.size(1) > 1;
  auto scores = classes ? output.detach().to(at::kCPU, at::kDouble).contiguous() : at::Tensor();
  for (std::int64_t i = 0; i < samples; ++i) {
    std::vector<std::int64_t> indices;
    switch (target.choice()) {
      case Target::Choice::largest:
        if (classes) {
          auto best = std::get<1>(scores[i].topk(std::min(target.count(), scores.size(1))));
          indices.assign(best.const_data_ptr<std::int64_t>(), best.const_data_ptr<std::int64_t>() + best.numel());
        }
        break;
      case Target::Choice::indices:
        indices = target.indices();
        break;
      case Target::Choice::one_per_sample:
        if (static_cast<std::size_t>(i) < target.indices().size())
          indices = {target.indices()[static_cast<std::size_t>(i)]};
        break;
      case Target::Choice::all:
      case Target::Choice::tensor:
        break;
    }
    facts.targets.push_back(indices);
    if (indices.empty()) {
      facts.captions.emplace_back(target.choice() == Target::Choice::all ? "all outputs" : "");
      continue;
    }
    auto told = [&](std::int64_t index) {
      auto there = classes && index >= 0 && index < scores.size(1);
      return name_of_class(index, labels) + (there ? "  " + shown_score(scores[i][index].item<double>()) : "");
    };
    std::vector<std::string> names;
    for (auto index : indices) names.push_back(told(index));
    constexpr std::size_t most_names = 3;
    auto others = names.size() > most_names ? names.size() - most_names : 0;
    names.resize(names.size() - others);
    auto caption = filled("{}{}", fmt::join(names, " + "), others > 0 ? filled(" + {} others", others) : "");
    for (auto index : target.opposed()) caption += "\nagainst " + told(index);
    if (classes && indices.size() == 1) {
      auto largest = scores[i].argmax().item<std::int64_t>();
      auto& opposed = target.opposed();
      if (largest != indices.front() && std::find(opposed.begin(), opposed.end(), largest) == opposed.end())
        caption +=
            filled("\nlargest: {}  {}", name_of_class(largest, labels), shown_score(scores[i][largest].item<double>()));
    }
    facts.captions.push_back(std::move(caption));
  }
}

FigureOptions figure_options(const PictureArguments& arguments, const at::Tensor& relevance,
                             const PictureFacts& facts) {
  FigureOptions out{.heatmap = arguments.heatmap};
  out.heatmap.size = arguments.size.value_or(out.heatmap.size);
  out.heatmap.columns = arguments.columns.value_or(out.heatmap.columns);
  out.heatmap.channels = arguments.channels.value_or(0);
  out.heatmap.overlay = arguments.overlay.value_or(0);
  for (auto& [name, range] : ranges)
    if (arguments.range == name) out.heatmap.range = range;
  out.heatmap.upside_down = arguments.form == "spectrogram";
  if (out.heatmap.overlay > 0 || out.heatmap.beside || out.heatmap.before_rows) {
    out.heatmap.original = picture_of(facts);
    if (out.heatmap.original.defined() && out.heatmap.upside_down) out.heatmap.original = out.heatmap.original.flip(2);
  }
  if (!arguments.features.empty()) out.names = read_lines(arguments.features, "features");
  auto length = relevance.dim() > 0 ? relevance.size(-1) : 1;
  bool vectors = relevance.dim() == 2 || relevance.dim() == 3;
  bool numbers = facts.input.defined() && facts.input.is_floating_point();
  if (arguments.form == "bars" || (arguments.form.empty() && !out.names.empty()))
    out.form = FigureForm::bars;
  else if (arguments.form == "curves" ||
           (arguments.form.empty() && vectors && numbers && length > longest_strip && !arguments.channels))
    out.form = FigureForm::curves;
  else
    out.form = FigureForm::maps;
  if (!out.names.empty() && static_cast<std::int64_t>(out.names.size()) != length)
    throw usage_error(filled("{} has {} lines, and there are {} values", files::quoted_name(arguments.features),
                             out.names.size(), length),
                      "give a name for each value, a line each");
  if (out.form == FigureForm::curves && numbers && facts.input.dim() == relevance.dim()) out.signal = facts.input;
  if (arguments.no_caption) {
    out.colour_bar = false;
    return out;
  }
  out.title = facts.title;
  out.captions = facts.captions;
  out.column_titles = facts.column_titles;
  out.row_titles = facts.row_titles;
  return out;
}

std::string drawn(const PictureArguments& arguments, const at::Tensor& relevance, const PictureFacts& facts) {
  auto options = figure_options(arguments, relevance, facts);
  bool bare = arguments.no_caption && options.form == FigureForm::maps;
  return picture::quietly([&] {
    if (arguments.file.ends_with(".svg")) return picture::svg(picture::figure_scene(relevance, options));
    if (bare) return files::png_bytes(heatmap(relevance, options.heatmap));
    if (!has_font())
      std::cerr << render_text({.code = Code::unreadable_file,
                                .severity = Severity::warning,
                                .message = "the font DejaVu Sans is not installed: the picture has no words",
                                .help = "apt-get install fonts-dejavu-core, or write an .svg file"});
    return files::png_bytes(pixels_of(picture::figure_scene(relevance, options)));
  });
}

}  // namespace ascribe::command
