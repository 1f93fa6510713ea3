// `load(…)` and `image(…)`: models and tensors from files.
#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>

#include "grammar/filled_text.hpp"
#include "interpreter/command/repl/evaluator.hpp"
#include "interpreter/command/repl/home.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/files/tensor_file.hpp"

namespace ascribe::repl {
namespace {

std::string ending_of(const std::string& path) {
  auto ending = std::filesystem::path(path).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return ending;
}

TensorValue tensor_from(const std::string& path) {
  return {files::read_tensor(path), language::Type::number(language::Space::input), path};
}

// A `.pt` file holds a model or a tensor; whoever knows what is in it says so.
Value from_pt(const std::string& path) {
  try {
    return ModelValue{Model::load(path), {}, path};
  } catch (const Error& error) {
    if (error.diagnostics().front().code != Code::wrong_model) throw;
    try {
      return tensor_from(path);
    } catch (const Error&) {
    }
    throw;
  }
}

// One number for all channels, or one for each, laid along dimension 1.
at::Tensor per_channel(Evaluator& evaluator, const syntax::Expression& written, const at::Tensor& image,
                       const char* what) {
  auto value = evaluator.value(written);
  at::Tensor numbers;
  if (auto* one = std::get_if<double>(&value)) numbers = at::full({1}, *one, image.options());
  if (auto* several = std::get_if<TensorValue>(&value)) numbers = several->tensor.to(image.options());
  auto channels = image.dim() > 1 ? image.size(1) : 1;
  if (!numbers.defined() || numbers.dim() != 1 || (numbers.size(0) != 1 && numbers.size(0) != channels))
    throw evaluator.refusal(Code::wrong_type, written.span,
                            filled("`{}` is a number, or a list with one for each of the {} channel{}", what, channels,
                                   channels == 1 ? "" : "s"),
                            filled("write `{} = [{}]`", what, channels == 1 ? "0.5" : "0.485, 0.456, 0.406"));
  std::vector<std::int64_t> shape(static_cast<std::size_t>(image.dim()), 1);
  if (image.dim() > 1) shape[1] = -1;
  return numbers.reshape(shape);
}

bool is_a_tensor_file(const std::string& path) {
  constexpr std::string_view endings[] = {".npy", ".npz", ".png", ".jpg", ".jpeg"};
  return std::find(std::begin(endings), std::end(endings), ending_of(path)) != std::end(endings);
}

}  // namespace

Value value_from(const std::string& path) {
  if (ending_of(path) == ".rule")
    throw Error({.code = Code::usage,
                 .message = filled("{} holds rules, not a value", files::quoted_name(path)),
                 .help = filled("write `:load {}`", path)});
  if (is_a_tensor_file(path)) return tensor_from(path);
  if (ending_of(path) == ".pt") return from_pt(path);
  return ModelValue{Model::load(path), {}, path};
}

std::optional<Error> no_text_in(const std::string& path, bool of_session) {
  std::error_code unknown;
  bool is_model = ending_of(path) == ".pt" || ending_of(path) == ".pt2";
  if (!(is_model || is_a_tensor_file(path)) || !std::filesystem::is_regular_file(path, unknown)) return {};
  auto in_session = filled("`{} = load(\"{}\")`", is_model ? "model" : "x", path);
  return Error(Diagnostic{
      .code = Code::usage,
      .message = filled("{} holds a {}, and no text", files::quoted_name(path), is_model ? "model" : "tensor"),
      .help = of_session ? filled("write {}", in_session)
              : is_model ? filled("write `ascribe repl --model {}`, or in the session {}", path, in_session)
                         : filled("write in the session {}", in_session)});
}

Result load(Evaluator& evaluator, const CallArguments& arguments) {
  return {value_from(with_home(evaluator.string(*arguments.positional.front(), "the file")).string())};
}

Result image(Evaluator& evaluator, const CallArguments& arguments) {
  auto out = tensor_from(with_home(evaluator.string(*arguments.positional.front(), "the file")).string());
  auto *mean = arguments.find("mean"), *deviation = arguments.find("std");
  if ((mean || deviation) && !out.tensor.is_floating_point()) out.tensor = out.tensor.to(at::kFloat);
  if (mean) out.tensor = out.tensor - per_channel(evaluator, *mean, out.tensor, "mean");
  if (deviation) {
    auto by = per_channel(evaluator, *deviation, out.tensor, "std");
    if (!by.gt(0).all().item<bool>())
      throw evaluator.refusal(Code::wrong_type, deviation->span, "`std` has to be positive",
                              "give the deviations that the model was trained with");
    out.tensor = out.tensor / by;
  }
  return {std::move(out)};
}

}  // namespace ascribe::repl
