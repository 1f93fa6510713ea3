#include "interpreter/command/model_arguments.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "grammar/filled_text.hpp"
#include "interpreter/command/atomic_file.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/tensor_file.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/definitions.hpp"

namespace ascribe::command {
namespace {

// One value for all channels, or one for each.
at::Tensor per_channel(const std::vector<double>& values, const at::Tensor& image, const char* option) {
  auto channels = image.size(1);
  if (values.size() != 1 && static_cast<std::int64_t>(values.size()) != channels)
    throw usage_error(
        filled("{} has {} values, the picture {} channel{}", option, values.size(), channels, channels == 1 ? "" : "s"),
        "give one value, or one for each channel");
  return at::tensor(values, image.options()).reshape({1, -1, 1, 1});
}

// A file where a name out of it is wanted.
[[noreturn]] void refuse_file(const std::string& path, const std::string& argument, const LoadOptions& options) {
  std::string name = "NAME";
  auto pack = Pack::load(path, options);
  for (auto& [each, definition] : Inside::definitions(pack).targets)
    if (name == "NAME" || std::holds_alternative<std::shared_ptr<const language::Composite>>(definition)) name = each;
  throw usage_error(
      filled("{} takes the name of a composite or a rule, and {} is a file", argument, command::quoted(path)),
      filled("write `--load {} {}{}`", command::quoted(path), argument.starts_with('-') ? argument + " " : "", name));
}

bool is_picture(const std::string& path) {
  auto ending = std::filesystem::path(path).extension().string();
  return ending == ".png" || ending == ".PNG";
}

}  // namespace

void RuleArguments::add_loading_to(CLI::App& command) {
  command.add_option("--load", load, filled("rule files and packs whose names {} may use", name))
      ->type_name("FILE.rule|DIR")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  loading.add_to(command);
}

void ModelArguments::add_to(CLI::App& command, bool rules_required) {
  command.add_option("--model", model, "an exported program (.pt2) or a TorchScript file (.pt)")
      ->type_name("FILE.pt2|FILE.pt")
      ->required();
  command
      .add_option("--input", inputs,
                  "a .npy array, a .png picture, or a .pt tensor; dimension 0 counts samples. Once for each input")
      ->type_name("FILE.npy|FILE.png|FILE.pt")
      ->required()
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  auto* option =
      command
          .add_option("--rules", rules,
                      "a composite, such as 'epsilon_plus(epsilon = 0.1)', or one rule for all linear layers")
          ->type_name("RULES");
  if (rules_required) option->required();
  add_loading_to(command);
  command.add_option("--mean", mean, "of a picture: subtracted, one value or one for each channel")->delimiter(',');
  command.add_option("--std", deviation, "of a picture: divided by after --mean")->delimiter(',');
  command.add_option("--device", device, "cpu or cuda:0")->type_name("DEVICE");
  command.add_option("--threads", threads, "threads for one operator (default: all cores)")->check(CLI::PositiveNumber);
}

Composite RuleArguments::read() const {
  if (rules.ends_with(".rule") && std::filesystem::exists(rules)) refuse_file(rules, name, loading.options());
  auto pack = load.empty()
                  ? Pack::standard()
                  : Pack::load(std::vector<std::filesystem::path>(load.begin(), load.end()), loading.options());
  return pack.call(rules, name);
}

std::vector<at::Tensor> ModelArguments::read_inputs() const {
  std::vector<at::Tensor> out;
  bool pictures = false;
  for (auto& value : deviation)
    if (!(value > 0))
      throw usage_error("--std has to be positive", "give the deviations that the model was trained with");
  for (auto& path : inputs) {
    auto x = read_tensor(path);
    if (is_picture(path)) {
      pictures = true;
      if (!mean.empty()) x = x - per_channel(mean, x, "--mean");
      if (!deviation.empty()) x = x / per_channel(deviation, x, "--std");
    }
    if (x.dim() == 0 && inputs.size() == 1)
      throw Error({.code = Code::wrong_input,
                   .message = filled("input {} is a single number, without a batch", quoted_name(path)),
                   .help = "dimension 0 counts samples"});
    if (x.is_floating_point() && !x.isfinite().all().item<bool>()) {
      auto place = x.isfinite().logical_not().nonzero()[0];
      std::vector<std::int64_t> index(place.data_ptr<std::int64_t>(), place.data_ptr<std::int64_t>() + place.numel());
      throw Error({.code = Code::wrong_input,
                   .message = filled("input {} holds a value that is not finite, first at [{}]", quoted_name(path),
                                     fmt::join(index, ", ")),
                   .help = "relevance of such an input would mean nothing: mend the input; for a mask, -1e30 serves "
                           "where -inf stands"});
    }
    out.push_back(std::move(x));
  }
  if (!pictures && (!mean.empty() || !deviation.empty()))
    throw usage_error("--mean and --std are for pictures", "an array is taken as it is: leave them out");
  return out;
}

Model ModelArguments::read_model() const {
  if (threads > 0) at::set_num_threads(threads);
  auto out = Model::load(model);
  return device == "cpu" ? out : out.to(device);
}

}  // namespace ascribe::command
