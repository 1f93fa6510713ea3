#include "interpreter/command/input_arguments.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "grammar/filled_text.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/parsed_number.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/files/tensor_file.hpp"

namespace ascribe::command {
namespace {

// `256` or `256x320`: height x width.
std::vector<std::int64_t> sizes_in(const std::string& text, const char* option) {
  if (text.empty()) return {};
  auto cross = text.find('x');
  std::vector<std::int64_t> out;
  for (auto part : {std::string_view(text).substr(0, cross),
                    cross == text.npos ? std::string_view() : std::string_view(text).substr(cross + 1)}) {
    if (part.data() == nullptr) break;
    auto value = parsed_number<std::int64_t>(part);
    if (!value || *value < 1)
      throw usage_error(filled("{} {} is no size in pixels", option, files::quoted_name(text)),
                        filled("write `{0} 224`, or `{0} 224x320` (height x width)", option));
    out.push_back(*value);
  }
  return out;
}

bool is_imagenet(const std::vector<std::string>& values) { return values == std::vector<std::string>{"imagenet"}; }

std::vector<double> channels_in(const std::vector<std::string>& values, const char* option) {
  std::vector<double> out;
  for (auto& each : values) {
    auto text = std::string_view(each);
    if (text.starts_with('+')) text.remove_prefix(1);
    auto value = parsed_number<double>(text);
    if (!value)
      throw usage_error(
          filled("{} takes numbers, or `imagenet` alone, not {}", option, files::quoted_name(each)),
          filled("write `{} imagenet`, or one number, or one for each channel, with commas between", option));
    out.push_back(*value);
  }
  return out;
}

// What a preparation says of its own fields, in terms of the options that they come from.
Error as_option(const Error& error, const InputArguments& arguments) {
  auto diagnostics = error.diagnostics();
  auto& first = diagnostics.front();
  if (first.code != Code::usage) return error;
  constexpr std::pair<std::string_view, std::string_view> names[] = {
      {"mean ", "--mean "}, {"deviation ", "--std "}, {"resize ", "--resize "}, {"crop ", "--crop "}};
  for (auto& [field, option] : names)
    if (first.message.starts_with(field)) first.message.replace(0, field.size(), option);
  if (first.help.find("(colour)") != std::string::npos)
    first.help = arguments.grey ? "leave `--grey` out, or give one value"
                                : "add `--colour`, which makes three channels of a grey picture, or give one value";
  return Error(diagnostics);
}

void check_finite(const at::Tensor& x, const std::string& path) {
  if (!x.is_floating_point()) return;
  auto flat = x.reshape({-1});
  constexpr std::int64_t piece = 1 << 22;  // of a mapped file, no more than that is looked at at once
  for (std::int64_t begin = 0; begin < flat.numel(); begin += piece) {
    auto part = flat.slice(0, begin, begin + piece).isfinite();
    if (part.all().item<bool>()) continue;
    auto place = begin + part.logical_not().nonzero()[0].item<std::int64_t>();
    std::vector<std::int64_t> index;
    for (auto d = x.dim(); d-- > 0; place /= x.size(d)) index.insert(index.begin(), place % x.size(d));
    throw Error({.code = Code::wrong_input,
                 .message = filled("input {} holds a value that is not finite, first at [{}]", files::quoted_name(path),
                                   fmt::join(index, ", ")),
                 .help = "relevance of such an input would mean nothing: mend the input; for a mask, -1e30 serves "
                         "where -inf stands"});
  }
}

// The options for pictures that were given, as an array is not changed by any.
std::string for_pictures(const InputArguments& arguments) {
  std::vector<std::string> given;
  auto add = [&](bool is_given, const char* name) {
    if (is_given) given.emplace_back(name);
  };
  add(!arguments.prepare.empty(), "--prepare");
  add(!arguments.resize.empty(), "--resize");
  add(!arguments.crop.empty(), "--crop");
  add(arguments.grey, "--grey");
  add(arguments.colour, "--colour");
  if (given.empty()) return arguments.mean.empty() && arguments.deviation.empty() ? "" : "--mean and --std are";
  add(!arguments.mean.empty(), "--mean");
  add(!arguments.deviation.empty(), "--std");
  return filled("{} {}", fmt::join(given, ", "), given.size() == 1 ? "is" : "are");
}

}  // namespace

void InputArguments::add_to(CLI::App& command) {
  command
      .add_option("--input", inputs,
                  "a picture (.png, .jpg), an array (.npy, .npz or x.npz:name), or a .pt tensor; dimension 0 counts "
                  "samples. Once for each of a model's inputs. Many, each by itself: a folder, a pattern in quotes "
                  "('photos/*.jpg'), @list.txt with a path on each line, or - for such lines from standard input")
      ->type_name("FILE.png|FILE.jpg|FILE.jpeg|FILE.npy|FILE.npz|FILE.pt|DIR")
      ->required()
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all()
      ->group("Input");
  command.add_flag("--recursive", recursive, "of a folder: what is in folders below it, too")->group("Input");
  command.add_flag("--null", null_separated, "of @list.txt and -: paths end with NUL, not with the line")
      ->group("Input");
  one_of(command.add_option("--prepare", prepare,
                            "pictures as most networks take them: --resize 256, --crop 224, --mean and --std of "
                            "ImageNet, --colour; what is given beside it counts instead"),
         {"imagenet"})
      ->group("Pictures");
  command.add_option("--resize", resize, "the shorter side, or height x width, in pixels; bilinear, with antialias")
      ->type_name("N|HxW")
      ->group("Pictures");
  command.add_option("--crop", crop, "then the middle part of that size; zeros around a smaller picture")
      ->type_name("N|HxW")
      ->group("Pictures");
  command.add_flag("--grey", grey, "one channel of three")->group("Pictures");
  command.add_flag("--colour", colour, "three equal channels of one")->group("Pictures");
  command
      .add_option("--mean", mean,
                  "subtracted: one value or one for each channel, with commas between; or imagenet, which means its "
                  "--std and --colour, too")
      ->delimiter(',')
      ->type_name("NUMBERS|imagenet")
      ->group("Pictures");
  command.add_option("--std", deviation, "divided by after --mean")
      ->delimiter(',')
      ->type_name("NUMBERS|imagenet")
      ->group("Pictures");
}

bool InputArguments::many() const { return inputs.size() == 1 && is_many(inputs.front()); }

InputList InputArguments::list() const {
  if (inputs.size() != 1)
    throw usage_error(filled("{} times --input are inputs of one run, not a list", inputs.size()),
                      "give --input once, with a folder, a pattern, @list.txt or -");
  return list_inputs(inputs.front(), {.recursive = recursive, .null_separated = null_separated});
}

Preparation InputArguments::preparation() const {
  if (grey && colour) throw usage_error("--grey and --colour exclude each other", "leave one of them out");
  Preparation out;
  if (prepare == "imagenet") out = Preparation::imagenet();
  auto known_mean = Preparation::imagenet().mean, known_deviation = Preparation::imagenet().deviation;
  if (!resize.empty()) out.resize = sizes_in(resize, "--resize");
  if (!crop.empty()) out.crop = sizes_in(crop, "--crop");
  if (is_imagenet(mean)) {
    out.mean = known_mean, out.colour = true;
    if (deviation.empty()) out.deviation = known_deviation;
  } else if (!mean.empty()) {
    out.mean = channels_in(mean, "--mean");
  }
  if (is_imagenet(deviation))
    out.deviation = known_deviation;
  else if (!deviation.empty())
    out.deviation = channels_in(deviation, "--std");
  out.grey = grey;
  out.colour = (out.colour || colour) && !grey;
  for (auto value : out.deviation)
    if (!(value > 0))
      throw usage_error("--std has to be positive", "give the deviations that the model was trained with");
  return out;
}

ReadInput InputArguments::read(const InputItem& item) const {
  auto file = files::read_tensor_file(item.path);
  ReadInput out{.x = file.tensor, .picture = {}, .warnings = file.warnings};
  auto warn = [&](std::string message, std::string help) {
    out.warnings.push_back({.code = Code::wrong_input,
                            .severity = Severity::warning,
                            .message = std::move(message),
                            .help = std::move(help)});
  };
  if (file.is_picture) {
    auto how = preparation();
    try {
      auto in_frame = how;
      in_frame.mean.clear(), in_frame.deviation.clear();
      out.picture = framed(file.tensor, in_frame);
      out.x = prepared(out.picture, {.mean = how.mean, .deviation = how.deviation});
      if (!how.crop.empty()) {
        auto uncropped = how.resize.empty() ? file.tensor : framed(file.tensor, {.resize = how.resize});
        if (uncropped.size(2) < how.crop.front() || uncropped.size(3) < how.crop.back())
          warn(filled("picture {} has {} × {} pixels, less than --crop asks for: there are zeros around it",
                      files::quoted_name(item.path), uncropped.size(3), uncropped.size(2)),
               "add `--resize`, or crop less");
      }
    } catch (const Error& error) {
      throw as_option(error, *this);
    }
  } else if (auto given = for_pictures(*this); !given.empty()) {
    warn(filled("{} is an array, which is taken as it is: {} for pictures", files::quoted_name(item.path), given),
         "prepare the array where it is made, or give a picture");
  }
  if (out.x.dim() == 0 && inputs.size() == 1)
    throw Error({.code = Code::wrong_input,
                 .message = filled("input {} is a single number, without a batch", files::quoted_name(item.path)),
                 .help = "dimension 0 counts samples"});
  check_finite(out.x, item.path);
  return out;
}

std::vector<ReadInput> InputArguments::read_all() const {
  preparation();  // what contradicts itself is told before anything is read
  auto given = for_pictures(*this);
  std::vector<ReadInput> out;
  bool pictures = false;
  for (auto& each : inputs) {
    auto items = list_inputs(each, {.recursive = recursive, .null_separated = null_separated}).items;
    if (items.size() != 1)
      throw usage_error(
          filled("{} stands for {} inputs, and here one is taken at a time", files::quoted(each), items.size()),
          filled("write `--input {}`, or `--output maps/` for all of them", files::quoted(items.front().path)));
    out.push_back(read(items.front()));
    pictures = pictures || out.back().picture.defined();
  }
  if (!pictures && !given.empty())
    throw usage_error(filled("{} for pictures", given), "an array is taken as it is: leave them out");
  return out;
}

}  // namespace ascribe::command
