#include "interpreter/command/input_misfit.hpp"

#include <array>

#include "grammar/filled_text.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/files/format.hpp"

namespace ascribe::command {
namespace {

using model::Misfit;

bool holds_picture(const std::string& path) {
  try {
    files::InputFile file(path);
    std::array<char, 32> start{};
    auto count = std::min<std::uint64_t>(start.size(), file.size());
    file.read(0, start.data(), count);
    auto format = files::format_of({start.data(), count});
    return format == files::Format::png || format == files::Format::jpeg;
  } catch (const Error&) {
    return false;  // it is a folder, say
  }
}

// Of a picture, the options that mend it; empty where none do.
std::string options_for(const Misfit& misfit, const InputArguments& arguments) {
  switch (misfit.what) {
    case Misfit::What::batch:
      return {};
    case Misfit::What::channels:
      if (misfit.wanted == 1 && misfit.shape.at(1) == 3) return "add `--grey`, which makes one channel of three";
      if (misfit.wanted != 3 || misfit.shape.at(1) != 1) return {};
      return arguments.grey ? "leave `--grey` out" : "add `--colour`, which makes three channels of a grey picture";
    case Misfit::What::size:
      break;
  }
  auto& size = misfit.wanted_size;
  if (size.empty())
    return "add `--resize` and `--crop` with the size that the model was trained with; `--prepare imagenet` is 224";
  if (size[0] < 0 || size[1] < 0) return {};
  return arguments.crop.empty() && arguments.prepare.empty()
             ? filled("add `--resize {}x{}`, or `--resize` and `--crop {}x{}` where the model was trained so", size[0],
                      size[1], size[0], size[1])
             : filled("write `--crop {}x{}`, and `--resize` as the model was trained", size[0], size[1]);
}

}  // namespace

Error in_options(const model::InputMisfit& error, const std::string& path, const InputArguments& arguments) {
  auto diagnostic = error.diagnostics().front();
  auto& misfit = error.misfit();
  auto text = filled("input {} {}", files::quoted(path), model::told(misfit));
  bool guessed = misfit.what == Misfit::What::size && misfit.wanted_size.empty();
  (guessed ? diagnostic.note : diagnostic.message) = std::move(text);
  if (holds_picture(path))
    if (auto help = options_for(misfit, arguments); !help.empty()) diagnostic.help = std::move(help);
  return Error(std::move(diagnostic));
}

}  // namespace ascribe::command
