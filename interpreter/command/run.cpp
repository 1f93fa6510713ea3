// `ascribe run`: a model, an input and rules in; relevance and a heatmap out.
#include <ATen/ATen.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <iostream>
#include <optional>

#include "ascribe/attribute.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/command/atomic_file.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/interruption.hpp"
#include "interpreter/command/model_arguments.hpp"
#include "interpreter/command/npy.hpp"
#include "interpreter/command/picture_page.hpp"
#include "interpreter/command/progress_line.hpp"
#include "interpreter/command/report_table.hpp"
#include "interpreter/command/tokens.hpp"

namespace ascribe::command {
namespace {

struct RunOptions {
  ModelArguments model;
  PictureArguments picture;
  std::string labels, tokens, start = "output", report = "text";
  std::vector<std::string> outputs, targets, at;
  std::int64_t of_output = -1;
  bool profile = false;
  std::optional<std::int64_t> position;
};

// Which outputs to explain: indices, names with --labels, or `all`.
Target chosen_target(const RunOptions& options) {
  if (options.targets.empty()) return Target::largest();
  if (options.targets == std::vector<std::string>{"all"}) return Target::all();
  std::vector<std::string> labels;
  if (!options.labels.empty()) labels = read_lines(options.labels, "labels");
  std::vector<std::int64_t> indices;
  for (auto& text : options.targets) {
    if (text == "all") throw usage_error("--target all stands alone", "leave the others out");
    std::int64_t index = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error == std::errc() && end == text.data() + text.size()) {
      indices.push_back(index);
      continue;
    }
    if (labels.empty())
      throw usage_error(filled("--target {} is no index", quoted_name(text)),
                        "give the outputs' names with --labels, or write `--target 3` or `--target all`");
    indices.push_back(Target::named({text}, labels).indices().front());
  }
  return Target(std::move(indices));
}

Target target_of(const RunOptions& options) {
  auto target = [&] {
    if (options.start == "output") return chosen_target(options);
    if (options.start == "one") return chosen_target(options).from_one();
    if (!options.start.ends_with(".npy"))
      throw usage_error(filled("--start is `output`, `one` or a .npy file, not '{}'", options.start),
                        "write `--start one`");
    if (!options.targets.empty() || options.position)
      throw usage_error(
          filled("{} and a --start file exclude each other", options.position ? "--position" : "--target"),
          "the file says how much relevance each output has");
    return Target::from(read_npy(options.start));
  }();
  if (options.position) target = target.at_position(*options.position);
  return options.of_output < 0 ? target : target.of_output(static_cast<std::size_t>(options.of_output));
}

void check_ending(const std::string& path, const char* what, const char* ending, const char* example) {
  if (!path.ends_with(ending))
    throw usage_error(filled("{} is a {} file, not '{}'", what, ending, path), filled("write `{}`", example));
}

// A file that is to be written, and the tensor that goes there.
struct Result {
  std::string path;
  at::Tensor relevance;
};

// `features.0=inner.npy`
std::vector<std::pair<std::string, std::string>> inner_layers(const RunOptions& options) {
  std::vector<std::pair<std::string, std::string>> out;
  for (auto& text : options.at) {
    auto equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0)
      throw usage_error(filled("--at {} names no layer and file", quoted_name(text)),
                        "write `--at features.0=inner.npy`");
    out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    check_ending(out.back().second, "--at's file", ".npy", "--at features.0=inner.npy");
  }
  return out;
}

// Every result with its file. A layer that is called several times has a file for each call: inner.1.npy, inner.2.npy.
std::vector<Result> results(const RunOptions& options, const Attribution& attribution) {
  std::vector<Result> out;
  std::vector<at::Tensor> relevances;
  for (auto& each : attribution.relevances)
    if (each.defined()) relevances.push_back(each);
  if (options.outputs.size() == 1) relevances = {attribution.relevance};  // of the first input that gets some
  if (!options.outputs.empty() && relevances.size() != options.outputs.size())
    throw usage_error(
        filled("{} input{} get{} relevance, and there are {} files for it", relevances.size(),
               relevances.size() == 1 ? "" : "s", relevances.size() == 1 ? "s" : "", options.outputs.size()),
        "give --output once for each of them, or once for the first");
  for (std::size_t i = 0; i < options.outputs.size(); ++i) out.push_back({options.outputs[i], relevances[i]});
  for (auto& [layer, path] : inner_layers(options)) {
    auto& calls = attribution.layers.at(layer);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (!calls[i].defined())
        throw Error({.code = Code::unknown_layer,
                     .message = filled("no relevance reaches layer '{}'", layer),
                     .help = "choose a layer on the way from the target to the input"});
      auto stem = path.substr(0, path.size() - std::string_view(".npy").size());
      out.push_back({calls.size() == 1 ? path : filled("{}.{}.npy", stem, i + 1), calls[i]});
    }
  }
  for (auto& each : out)
    if (std::count_if(out.begin(), out.end(), [&](auto& other) { return other.path == each.path; }) > 1)
      throw usage_error(filled("'{}' is to be written twice", each.path), "give each result a file of its own");
  return out;
}

void warn_where_not_finite(const Attribution& attribution) {
  bool finite = !attribution.relevance.defined() || attribution.relevance.isfinite().all().item<bool>();
  for (auto& [layer, calls] : attribution.layers)
    for (auto& each : calls) finite = finite && (!each.defined() || each.isfinite().all().item<bool>());
  if (finite) return;
  auto* found = first_not_finite(attribution.report);
  auto place = found ? filled("first below layer '{}', rule `{}`", found->name, found->rule)
                     : std::string("in the input itself");
  std::cerr << render_text({.code = Code::not_finite,
                            .severity = Severity::warning,
                            .message = filled("the relevance is not finite, {}", place),
                            .help = "give that layer a larger stabilizer, or another rule"});
}

// The input that `attribution.relevance` is of.
at::Tensor first_explained(const std::vector<at::Tensor>& inputs, const Attribution& attribution) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (attribution.relevances.at(i).defined() && attribution.relevances[i].is_same(attribution.relevance))
      return inputs[i];
  return inputs.front();
}

// The outputs at one position, [batch, classes], to be told as predictions.
at::Tensor at_position(const Attribution& attribution, std::int64_t position) {
  auto samples = attribution.sample_dimension.value_or(0);
  return attribution.output.select(attribution.output.dim() == 3 && samples == 0 ? 1 : 0, position);
}

// What --heatmap names.
std::string picture_file(const RunOptions& options, const Composite& rules, const Target& target,
                         const at::Tensor& input, const Attribution& attribution, const TokenRelevance* tokens) {
  auto& picture = options.picture;
  if (tokens && picture.is_page()) return tokens_as_html(*tokens, rules.description(), picture.heatmap.colour_map);
  PictureFacts facts{.input = input, .mean = options.model.mean, .deviation = options.model.deviation};
  std::vector<std::string> labels;
  if (!options.labels.empty()) labels = read_lines(options.labels, "labels");
  auto output = options.position ? at_position(attribution, *options.position) : attribution.output;
  auto& relevance = tokens ? tokens->relevance : attribution.relevance;
  tell_targets(facts, output, target, labels, relevance.dim() == 0 ? 1 : relevance.size(0));
  if (!picture.is_page()) return drawn(picture, relevance, facts);
  return picture_page(picture, {.attribution = attribution,
                                .rules = rules,
                                .pictures = std::move(facts),
                                .output = output,
                                .labels = std::move(labels),
                                .model = options.model.model,
                                .command = own_command_line()});
}

int run(const RunOptions& options) {
  if (options.outputs.empty() && options.at.empty() && !options.profile)
    throw usage_error("--output is required", "write `--output relevance.npy`, or `--at features.0=inner.npy`");
  if (options.outputs.empty() && !options.tokens.empty())
    throw usage_error("--tokens shows the relevance of the input, which --output asks for",
                      "write `--output relevance.npy`, too");
  if (options.outputs.empty() && options.picture.wanted())
    throw usage_error("--heatmap shows the relevance of the input, which --output asks for",
                      "write `--output relevance.npy`, too");
  std::vector<std::string> files = options.outputs;
  for (auto& path : files) check_ending(path, "--output", ".npy", "--output relevance.npy");
  AttributeOptions wanted{.to_input = !options.outputs.empty() || options.at.empty(),
                          .sum_embeddings = true,
                          .sums = !options.profile,
                          .profile = options.profile};
  for (auto& [layer, path] : inner_layers(options)) {
    wanted.layers.push_back(layer);
    files.push_back(path);
  }
  options.picture.check();
  if (options.picture.wanted()) files.push_back(options.picture.file);
  for (auto& path : files) {
    if (std::count(files.begin(), files.end(), path) > 1)
      throw usage_error(filled("'{}' is to be written twice", path), "give each result a file of its own");
    check_writable(path);
  }

  std::vector<std::string> token_lines;
  if (!options.tokens.empty()) token_lines = read_lines(options.tokens, "tokens");
  auto rules = options.model.read_rules();
  auto target = target_of(options);
  auto inputs = options.model.read_inputs();
  auto model = options.model.read_model();
  Interruption interruption;  // from here on, the work is long, or leaves files
  wanted.stop = interruption.token();
  auto attribution = [&] {
    ProgressLine line;
    wanted.progress = line.callback();
    return attribute(model, rules, inputs, target, wanted);
  }();
  attribution.output = attribution.output.cpu();
  auto written = results(options, attribution);
  std::optional<TokenRelevance> tokens;
  if (!options.tokens.empty())
    tokens = tokens_of(options.tokens, token_lines, first_explained(inputs, attribution), attribution.relevance);
  std::string picture;
  if (options.picture.wanted())
    picture = picture_file(options, rules, target, first_explained(inputs, attribution), attribution,
                           tokens ? &*tokens : nullptr);
  for (auto& each : written) {
    interruption.check(each.path);
    write_npy(each.path, each.relevance.cpu());
  }
  if (options.picture.wanted()) {
    interruption.check(options.picture.file);
    write_file(options.picture.file, {picture});
  }
  if (options.position) attribution.output = at_position(attribution, *options.position);

  warn_where_not_finite(attribution);
  for (auto& warning : attribution.warnings) std::cerr << render_text(warning);
  if (options.report == "json") {
    std::cout << describe_as_json(attribution, rules.description(), tokens ? &*tokens : nullptr);
    return fine;
  }
  std::cout << (options.profile ? describe_costs(attribution.report)
                                : describe_as_text(attribution, rules.description()));
  if (tokens)
    std::cout << "\n" << tokens_as_text(*tokens, screen_of(STDOUT_FILENO), options.picture.heatmap.colour_map);
  for (auto& each : written) std::cout << "written to " << each.path << "\n";
  if (options.picture.wanted()) std::cout << "heatmap in " << options.picture.file << "\n";
  return fine;
}

}  // namespace

Run add_run(CLI::App& app) {
  auto* command = app.add_subcommand("run", "Explains what a saved model says about an input");
  auto options = std::make_shared<RunOptions>();
  options->model.add_to(*command, /*rules_required=*/true);
  auto several = [&](const char* name, std::vector<std::string>& values, const char* placeholder, const char* help) {
    command->add_option(name, values, help)->type_name(placeholder)->expected(1)->allow_extra_args(false)->take_all();
  };
  several(
      "--target", options->targets, "INDEX|NAME|all",
      "which output to explain: an index of dimension 1 (of the last one in [time, batch, classes]), a name (with "
      "--labels), or `all` (default: the largest; outputs [batch] and [] need none). Several: relevance starts from "
      "each of them");
  command
      ->add_option("--position", options->position,
                   "of outputs [batch, positions, classes], the position that --target is of; -1 is the last")
      ->type_name("INDEX");
  command->add_option("--labels", options->labels, "the outputs' names, a line for each")->type_name("FILE");
  command->add_option("--of-output", options->of_output, "of a model with several outputs, which one, from 0 on")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--start", options->start,
                   "relevance to start from: output, one, or a .npy file of the output's shape")
      ->type_name("output|one|FILE.npy");
  several("--output", options->outputs, "FILE.npy",
          "where the relevance goes, in the input's shape: of the first input that gets some, or once for each");
  several("--at", options->at, "LAYER=FILE.npy",
          "relevance at the output of an inner layer. Without --output, it goes no further");
  command
      ->add_option(
          "--tokens", options->tokens,
          "the input's tokens, a line for each, or the vocabulary that its numbers count: prints the relevance "
          "of each")
      ->type_name("FILE");
  options->picture.add_to(*command);
  command->add_flag("--profile", options->profile,
                    "tells what each layer took instead of what it did with relevance: time, operators, memory");
  one_of(command->add_option("--report", options->report, "how results are shown"), {"text", "json"});
  return [options] { return run(*options); };
}

}  // namespace ascribe::command
