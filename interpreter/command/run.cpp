// `ascribe run`: a model, an input and rules in; relevance and a heatmap out.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "ascribe/model.hpp"
#include "interpreter/command/atomic_file.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/heatmap.hpp"
#include "interpreter/command/npy.hpp"
#include "interpreter/command/png.hpp"
#include "interpreter/command/report_table.hpp"
#include "interpreter/command/tensor_file.hpp"

namespace ascribe::command {
namespace {

struct Options {
  std::string model, input, rules, output, heatmap, start = "output", report = "text", device = "cpu";
  std::vector<std::string> load;
  std::vector<double> mean, deviation;
  std::int64_t target = -1;
  bool has_target = false;
  int threads = 0;
};

Error usage_error(std::string message, std::string help) {
  return Error({.code = Code::usage, .message = std::move(message), .help = std::move(help)});
}

// One value for all channels, or one for each.
at::Tensor per_channel(const std::vector<double>& values, const at::Tensor& image, const char* option) {
  auto channels = image.size(1);
  if (values.size() != 1 && static_cast<std::int64_t>(values.size()) != channels)
    throw usage_error(fmt::format("{} has {} values, the picture {} channel{}", option, values.size(), channels,
                                  channels == 1 ? "" : "s"),
                      "give one value, or one for each channel");
  return at::tensor(values, image.options()).reshape({1, -1, 1, 1});
}

at::Tensor read_input(const Options& options) {
  auto x = read_tensor(options.input);
  if (!options.mean.empty() || !options.deviation.empty()) {
    auto ending = std::filesystem::path(options.input).extension().string();
    if (ending != ".png" && ending != ".PNG")
      throw usage_error("--mean and --std are for pictures", "an array is taken as it is: leave them out");
    if (!options.mean.empty()) x = x - per_channel(options.mean, x, "--mean");
    if (!options.deviation.empty()) {
      for (auto value : options.deviation)
        if (!(value > 0))
          throw usage_error("--std has to be positive", "give the deviations that the model was trained with");
      x = x / per_channel(options.deviation, x, "--std");
    }
  }
  if (x.dim() == 0)
    throw Error({.code = Code::wrong_input,
                 .message = fmt::format("input {} is a single number, without a batch", command::quoted(options.input)),
                 .help = "dimension 0 counts samples"});
  if (x.is_floating_point() && !x.isfinite().all().item<bool>()) {
    auto place = x.isfinite().logical_not().nonzero()[0];
    std::vector<std::int64_t> index(place.data_ptr<std::int64_t>(), place.data_ptr<std::int64_t>() + place.numel());
    throw Error({.code = Code::wrong_input,
                 .message = fmt::format("input {} holds a value that is not finite, first at [{}]",
                                        command::quoted(options.input), fmt::join(index, ", ")),
                 .help = "relevance of such an input would mean nothing: mend the input"});
  }
  return x;
}

Target target_of(const Options& options) {
  auto target = options.has_target ? Target(options.target) : Target::largest();
  if (options.start == "output") return target;
  if (options.start == "one") return target.from_one();
  if (!options.start.ends_with(".npy"))
    throw usage_error(fmt::format("--start is `output`, `one` or a .npy file, not '{}'", options.start),
                      "write `--start one`");
  if (options.has_target)
    throw usage_error("--target and a --start file exclude each other",
                      "the file says how much relevance each output has");
  return Target::from(read_npy(options.start));
}

// Relevance went from the last layer to the first: the one that made the first such value is the last in the report.
void warn_where_not_finite(const Attribution& attribution) {
  if (attribution.relevance.isfinite().all().item<bool>()) return;
  auto& layers = attribution.report;
  auto found = std::find_if(layers.rbegin(), layers.rend(),
                            [](auto& layer) { return layer.below && !std::isfinite(*layer.below); });
  auto place = found == layers.rend() ? std::string("in the input itself")
                                      : fmt::format("first below layer '{}', rule `{}`", found->name, found->rule);
  std::cerr << render_text({.code = Code::not_finite,
                            .severity = Severity::warning,
                            .message = fmt::format("the relevance is not finite, {}", place),
                            .help = "give that layer a larger stabilizer, or another rule"});
}

int run(const Options& options) {
  if (!options.output.ends_with(".npy"))
    throw usage_error(fmt::format("--output is a .npy file, not '{}'", options.output),
                      "write `--output relevance.npy`");
  if (!options.heatmap.empty() && !options.heatmap.ends_with(".png"))
    throw usage_error(fmt::format("--heatmap is a .png file, not '{}'", options.heatmap),
                      "write `--heatmap heatmap.png`");
  if (options.threads > 0) at::set_num_threads(options.threads);
  check_writable(options.output);
  if (!options.heatmap.empty()) check_writable(options.heatmap);

  auto pack = options.load.empty()
                  ? Pack::standard()
                  : Pack::load(std::vector<std::filesystem::path>(options.load.begin(), options.load.end()));
  auto rules = pack.call(options.rules, "--rules");
  auto target = target_of(options);
  auto input = read_input(options);
  auto model = Model::load(options.model);
  if (options.device != "cpu") model = model.to(options.device);

  auto attribution = attribute(model, rules, input, target);
  attribution.relevance = attribution.relevance.cpu();
  attribution.output = attribution.output.cpu();
  at::Tensor picture;
  if (!options.heatmap.empty()) picture = heatmap(attribution.relevance);
  write_npy(options.output, attribution.relevance);
  if (picture.defined()) write_png(options.heatmap, picture);

  warn_where_not_finite(attribution);
  std::cout << (options.report == "json" ? describe_as_json(attribution, rules.description())
                                         : describe_as_text(attribution, rules.description()));
  if (options.report == "text") {
    std::cout << "written to " << options.output << "\n";
    if (picture.defined()) std::cout << "heatmap in " << options.heatmap << "\n";
  }
  return fine;
}

}  // namespace

Run add_run(CLI::App& app) {
  auto* command = app.add_subcommand("run", "Explains what a saved model says about an input");
  auto options = std::make_shared<Options>();
  command->add_option("--model", options->model, "a TorchScript file (.pt)")->required();
  command
      ->add_option("--input", options->input,
                   "a .npy array, a .png picture, or a .pt tensor; dimension 0 counts samples")
      ->required();
  command
      ->add_option("--rules", options->rules,
                   "a composite, such as 'epsilon_plus(epsilon = 0.1)', or one rule for all linear layers")
      ->required();
  command->add_option("--load", options->load, "rule files whose names --rules may use")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  auto* target = command->add_option("--target", options->target,
                                     "which output to explain: an index of dimension 1 (default: the largest)");
  command->add_option("--start", options->start,
                      "relevance to start from: output, one, or a .npy file of the output's shape");
  command->add_option("--output", options->output, "where the relevance goes (.npy), in the input's shape")->required();
  command->add_option("--heatmap", options->heatmap, "where the picture of the relevance goes (.png)");
  command->add_option("--report", options->report, "text or json")->check(CLI::IsMember({"text", "json"}));
  command->add_option("--mean", options->mean, "of a picture: subtracted, one value or one for each channel")
      ->delimiter(',');
  command->add_option("--std", options->deviation, "of a picture: divided by after --mean")->delimiter(',');
  command->add_option("--device", options->device, "cpu or cuda:0");
  command->add_option("--threads", options->threads, "threads for one operator (default: all cores)")
      ->check(CLI::PositiveNumber);
  return [options, target] {
    options->has_target = target->count() > 0;
    return run(*options);
  };
}

}  // namespace ascribe::command
