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
  std::string model, rules, heatmap, start = "output", report = "text", device = "cpu";
  std::vector<std::string> inputs, outputs, load;
  std::vector<double> mean, deviation;
  std::int64_t target = -1, of_output = 0;
  bool has_target = false, has_of_output = false;
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

bool is_picture(const std::string& path) {
  auto ending = std::filesystem::path(path).extension().string();
  return ending == ".png" || ending == ".PNG";
}

at::Tensor read_input(const std::string& path, const Options& options) {
  auto x = read_tensor(path);
  if (is_picture(path)) {
    if (!options.mean.empty()) x = x - per_channel(options.mean, x, "--mean");
    if (!options.deviation.empty()) {
      for (auto value : options.deviation)
        if (!(value > 0))
          throw usage_error("--std has to be positive", "give the deviations that the model was trained with");
      x = x / per_channel(options.deviation, x, "--std");
    }
  }
  if (x.dim() == 0 && options.inputs.size() == 1)
    throw Error({.code = Code::wrong_input,
                 .message = fmt::format("input {} is a single number, without a batch", command::quoted(path)),
                 .help = "dimension 0 counts samples"});
  if (x.is_floating_point() && !x.isfinite().all().item<bool>()) {
    auto place = x.isfinite().logical_not().nonzero()[0];
    std::vector<std::int64_t> index(place.data_ptr<std::int64_t>(), place.data_ptr<std::int64_t>() + place.numel());
    throw Error({.code = Code::wrong_input,
                 .message = fmt::format("input {} holds a value that is not finite, first at [{}]",
                                        command::quoted(path), fmt::join(index, ", ")),
                 .help = "relevance of such an input would mean nothing: mend the input"});
  }
  return x;
}

std::vector<at::Tensor> read_inputs(const Options& options) {
  if ((!options.mean.empty() || !options.deviation.empty()) &&
      std::none_of(options.inputs.begin(), options.inputs.end(), is_picture))
    throw usage_error("--mean and --std are for pictures", "an array is taken as it is: leave them out");
  std::vector<at::Tensor> out;
  for (auto& path : options.inputs) out.push_back(read_input(path, options));
  return out;
}

Target start_of(const Options& options) {
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

Target target_of(const Options& options) {
  auto target = start_of(options);
  if (!options.has_of_output) return target;
  if (options.of_output < 0)
    throw usage_error(fmt::format("--of-output counts from 0, not {}", options.of_output), "write `--of-output 0`");
  return target.of_output(static_cast<std::size_t>(options.of_output));
}

// What is written: the relevance of the first input that gets some, or of each of them.
std::vector<at::Tensor> relevances_for(const Options& options, const Attribution& attribution) {
  if (options.outputs.size() == 1) return {attribution.relevance};
  std::vector<at::Tensor> out;
  for (auto& each : attribution.relevances)
    if (each.defined()) out.push_back(each.cpu());
  if (out.size() != options.outputs.size())
    throw usage_error(
        fmt::format("--output is given {} times, but {} of the {} inputs get{} relevance", options.outputs.size(),
                    out.size(), attribution.relevances.size(), out.size() == 1 ? "s" : ""),
        "give one for each of them, or one for the first");
  return out;
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
  for (auto& output : options.outputs) {
    if (!output.ends_with(".npy"))
      throw usage_error(fmt::format("--output is a .npy file, not '{}'", output), "write `--output relevance.npy`");
    if (std::count(options.outputs.begin(), options.outputs.end(), output) > 1)
      throw usage_error(fmt::format("--output '{}' is given twice", output), "give each relevance a file of its own");
  }
  if (!options.heatmap.empty() && !options.heatmap.ends_with(".png"))
    throw usage_error(fmt::format("--heatmap is a .png file, not '{}'", options.heatmap),
                      "write `--heatmap heatmap.png`");
  if (options.threads > 0) at::set_num_threads(options.threads);
  for (auto& output : options.outputs) check_writable(output);
  if (!options.heatmap.empty()) check_writable(options.heatmap);

  auto pack = options.load.empty()
                  ? Pack::standard()
                  : Pack::load(std::vector<std::filesystem::path>(options.load.begin(), options.load.end()));
  auto rules = pack.call(options.rules, "--rules");
  auto target = target_of(options);
  auto inputs = read_inputs(options);
  auto model = Model::load(options.model);
  if (options.device != "cpu") model = model.to(options.device);

  auto attribution = attribute(model, rules, inputs, target);
  attribution.relevance = attribution.relevance.cpu();
  attribution.output = attribution.output.cpu();
  at::Tensor picture;
  if (!options.heatmap.empty()) picture = heatmap(attribution.relevance);
  auto relevances = relevances_for(options, attribution);
  for (std::size_t i = 0; i < relevances.size(); ++i) write_npy(options.outputs[i], relevances[i]);
  if (picture.defined()) write_png(options.heatmap, picture);

  warn_where_not_finite(attribution);
  std::cout << (options.report == "json" ? describe_as_json(attribution, rules.description())
                                         : describe_as_text(attribution, rules.description()));
  if (options.report == "text") {
    for (auto& output : options.outputs) std::cout << "written to " << output << "\n";
    if (picture.defined()) std::cout << "heatmap in " << options.heatmap << "\n";
  }
  return fine;
}

}  // namespace

Run add_run(CLI::App& app) {
  auto* command = app.add_subcommand("run", "Explains what a saved model says about an input");
  auto options = std::make_shared<Options>();
  command->add_option("--model", options->model, "an exported program (.pt2) or a TorchScript file (.pt)")->required();
  command
      ->add_option("--input", options->inputs,
                   "a .npy array, a .png picture, or a .pt tensor; dimension 0 counts samples; once for each input of "
                   "the model")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all()
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
  auto* of_output = command->add_option("--of-output", options->of_output,
                                        "of a model with several outputs, the one that is explained, from 0");
  command
      ->add_option("--output", options->outputs,
                   "where the relevance goes (.npy), in the input's shape; of several inputs, that of the first that "
                   "gets some, or once for each")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all()
      ->required();
  command->add_option("--heatmap", options->heatmap, "where the picture of the relevance goes (.png)");
  command->add_option("--report", options->report, "text or json")->check(CLI::IsMember({"text", "json"}));
  command->add_option("--mean", options->mean, "of a picture: subtracted, one value or one for each channel")
      ->delimiter(',');
  command->add_option("--std", options->deviation, "of a picture: divided by after --mean")->delimiter(',');
  command->add_option("--device", options->device, "cpu or cuda:0");
  command->add_option("--threads", options->threads, "threads for one operator (default: all cores)")
      ->check(CLI::PositiveNumber);
  return [options, target, of_output] {
    options->has_target = target->count() > 0;
    options->has_of_output = of_output->count() > 0;
    return run(*options);
  };
}

}  // namespace ascribe::command
