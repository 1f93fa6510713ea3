// `ascribe run`: a model, an input and rules in; relevance and a heatmap out.
#include <ATen/ATen.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>

#include "ascribe/attribute.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/glob.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/input_misfit.hpp"
#include "interpreter/command/interruption.hpp"
#include "interpreter/command/many/collected.hpp"
#include "interpreter/command/many/destination.hpp"
#include "interpreter/command/many/many.hpp"
#include "interpreter/command/model_arguments.hpp"
#include "interpreter/command/picture_page.hpp"
#include "interpreter/command/progress_line.hpp"
#include "interpreter/command/report_table.hpp"
#include "interpreter/command/screen.hpp"
#include "interpreter/command/target_arguments.hpp"
#include "interpreter/command/tokens.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/files/npy.hpp"

namespace ascribe::command {
namespace {

struct RunOptions {
  ModelArguments model;
  TargetArguments target;
  PictureArguments picture;
  ManyArguments many;
  std::string tokens, report = "text";
  std::vector<std::string> outputs, at;
  bool profile = false;
};

// The folder that a name is meant as, where there may be many inputs.
void check_no_folder(const RunOptions& options, const std::string& path, const char* option) {
  if (options.model.many() && std::filesystem::path(path).extension().empty())
    throw usage_error(filled("{} '{}' is one file, and there may be many inputs", option, path),
                      filled("write `{} {}/`", option, path));
}

void check_ending(const std::string& path, const char* what, const char* ending, const char* example) {
  if (!path.ends_with(ending))
    throw usage_error(filled("{} is a {} file, not '{}'", what, ending, path), filled("write `{}`", example));
}

// A file that is to be written, and the tensor that goes there.
struct Result {
  std::string path;
  at::Tensor relevance;
  std::string of;  // which inner layer's it is
};

// `features.0=inner.npy`, or of several layers `features.*=inner/`.
struct InnerLayers {
  std::string layers, path;

  bool are_several() const { return layers.find_first_of("*?[") != std::string::npos; }
  std::string path_of(std::string layer) const {
    if (!are_several()) return path;
    for (auto& c : layer)  // names come from the model's file
      if (c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '_';
    if (path.ends_with('/')) return path + layer + ".npy";
    auto star = path.find('*');
    return path.substr(0, star) + layer + path.substr(star + 1);
  }
};

bool is_picture(const std::string& path) { return path.ends_with(".png") || path.ends_with(".svg"); }

std::vector<InnerLayers> inner_layers(const RunOptions& options) {
  std::vector<InnerLayers> out;
  for (auto& text : options.at) {
    auto equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0)
      throw usage_error(filled("--at {} names no layer and file", files::quoted_name(text)),
                        "write `--at features.0=inner.npy`");
    InnerLayers each{text.substr(0, equals), text.substr(equals + 1)};
    auto star = each.path.find('*');
    if (each.are_several() && star != std::string::npos &&
        (star != each.path.rfind('*') || each.path.find('/', star) != std::string::npos))
      throw usage_error(
          filled("--at {} is no pattern for files: it has one `*`, in the file's name", files::quoted_name(text)),
          filled("write `--at '{}=inner_*.npy'`", each.layers));
    if (each.are_several() && !each.path.ends_with('/') && star == std::string::npos)
      throw usage_error(filled("--at {} is for several layers, and names one file", files::quoted_name(text)),
                        filled("write `--at '{}=inner/'`, or `--at '{}=inner_*.npy'`", each.layers, each.layers));
    bool folder = each.are_several() && each.path.ends_with('/');
    if (!folder && !is_picture(each.path)) check_ending(each.path, "--at's file", ".npy", "--at features.0=inner.npy");
    out.push_back(std::move(each));
  }
  return out;
}

// Every result with its file. A layer that is called several times has a file for each call: inner.1.npy, inner.2.npy.
std::vector<Result> results(const RunOptions& options, const std::vector<InnerLayers>& inner,
                            const Attribution& attribution) {
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
  for (std::size_t i = 0; i < options.outputs.size(); ++i) out.push_back({options.outputs[i], relevances[i], ""});
  for (auto& asked : inner) {
    bool reached = false;
    for (auto& [layer, calls] : attribution.layers) {
      if (asked.are_several() ? !matches_glob(asked.layers, layer) : layer != asked.layers) continue;
      auto path = asked.path_of(layer);
      auto dot = path.rfind('.');
      for (std::size_t i = 0; i < calls.size(); ++i) {
        if (!calls[i].defined()) continue;
        reached = true;
        auto call = calls.size() == 1 ? layer : filled("{}, call {}", layer, i + 1);
        out.push_back({calls.size() == 1 ? path : filled("{}.{}{}", path.substr(0, dot), i + 1, path.substr(dot)),
                       calls[i], call});
      }
    }
    if (!reached)
      throw Error({.code = Code::unknown_layer,
                   .message = filled("no relevance reaches layer '{}'", asked.layers),
                   .help = "choose a layer on the way from the target to the input"});
  }
  for (auto& each : out)
    if (std::count_if(out.begin(), out.end(), [&](auto& other) { return other.path == each.path; }) > 1)
      throw usage_error(filled("'{}' is to be written twice", each.path), "give each result a file of its own");
  return out;
}

// What --heatmap names.
std::string picture_file(const RunOptions& options, const PictureArguments& picture, const Composite& rules,
                         const ChosenTarget& chosen, const at::Tensor& input, const Attribution& attribution,
                         const TokenRelevance* tokens) {
  if (tokens && picture.is_page()) return tokens_as_html(*tokens, rules.description(), picture.heatmap.colour_map);
  auto preparation = options.model.preparation();
  PictureFacts facts{.input = input, .mean = preparation.mean, .deviation = preparation.deviation};
  auto target = chosen.whole();
  auto output = chosen_among(attribution.output, attribution, target);
  auto& relevance = tokens ? tokens->relevance : attribution.relevance;
  tell_targets(facts, output, target, chosen.labels().names, relevance.dim() == 0 ? 1 : relevance.size(0));
  if (!picture.is_page()) return drawn(picture, relevance, facts);
  return picture_page(picture, {.attribution = attribution,
                                .rules = rules,
                                .pictures = std::move(facts),
                                .output = output,
                                .labels = chosen.labels().names,
                                .model = options.model.model,
                                .command = own_command_line()});
}

// Channels are summed, or the strongest are shown, as the options for pictures say.
std::string picture_of_inner(const PictureArguments& arguments, const Result& result) {
  auto picture = arguments;
  picture.file = result.path;
  picture.features.clear();
  picture.overlay.reset(), picture.heatmap.beside = false;  // the input is not what the layer saw
  return drawn(picture, result.relevance.cpu(), {.title = result.of});
}

int run(const RunOptions& options) {
  std::vector<std::string> files = options.outputs;
  for (auto& path : files) {
    check_no_folder(options, path, "--output");
    check_ending(path, "--output", ".npy", "--output relevance.npy");
  }
  if (options.picture.wanted()) check_no_folder(options, options.picture.file, "--heatmap");
  AttributeOptions wanted{.to_input = !options.outputs.empty() || options.picture.wanted() || !options.tokens.empty() ||
                                      options.report == "html" || options.at.empty(),
                          .sum_embeddings = true,
                          .sums = !options.profile,
                          .profile = options.profile};
  auto inner = inner_layers(options);
  for (auto& each : inner) {
    wanted.layers.push_back(each.layers);
    if (!each.are_several()) files.push_back(each.path);
  }
  auto drawn_somehow = options.picture;
  if (!drawn_somehow.wanted() && (options.report == "html" || std::any_of(inner.begin(), inner.end(), [](auto& each) {
                                    return is_picture(each.path);
                                  })))
    drawn_somehow.file = "picture.png";
  drawn_somehow.check();
  if (options.picture.wanted()) files.push_back(options.picture.file);
  for (auto& path : files) {
    if (std::count(files.begin(), files.end(), path) > 1)
      throw usage_error(filled("'{}' is to be written twice", path), "give each result a file of its own");
    files::check_writable(path);
    auto is_read = [&](const std::string& given) {
      std::error_code missing;
      return std::filesystem::equivalent(given, path, missing) && !missing;
    };
    auto& inputs = options.model.inputs;
    if (std::any_of(inputs.begin(), inputs.end(), is_read) || is_read(options.model.model) ||
        is_read(options.target.labels) || is_read(options.tokens))
      throw usage_error(filled("'{}' is read, and would be overwritten", path), "give the result a file of its own");
  }

  std::vector<std::string> token_lines;
  if (!options.tokens.empty()) token_lines = read_lines(options.tokens, "tokens");
  auto rules = options.model.read_rules();
  ChosenTarget chosen(options.target);
  auto target = chosen.whole();
  auto inputs = options.model.read_inputs();
  auto model = options.model.read_model();
  options.model.choose_threads(inputs.front());
  Interruption interruption;  // from here on, the work is long, or leaves files
  wanted.stop = interruption.token();
  auto attribution = [&] {
    ProgressLine line;
    wanted.progress = line.callback();
    return attribute(model, rules, inputs, target, wanted);
  }();
  Told told{options.model.model, rules.description(), chosen.described(), chosen.labels(),
            outcome_of(attribution, target, 1)};
  told.labels.check(told.outcome.classes);
  auto written = results(options, inner, attribution);
  auto input = first_explained(inputs, attribution);
  std::optional<TokenRelevance> tokens;
  if (!options.tokens.empty()) tokens = tokens_of(options.tokens, token_lines, input, attribution.relevance);
  std::string picture;
  if (options.picture.wanted())
    picture = picture_file(options, options.picture, rules, chosen, input, attribution, tokens ? &*tokens : nullptr);
  for (auto& each : written) {
    interruption.check(each.path);
    if (auto folder = std::filesystem::path(each.path).parent_path(); !each.of.empty() && !folder.empty())
      files::make_folder(folder);
    if (is_picture(each.path))
      files::write_file(each.path, {picture_of_inner(options.picture, each)});
    else
      files::write_npy(each.path, each.relevance.cpu());
  }
  if (options.picture.wanted()) {
    interruption.check(options.picture.file);
    files::write_file(options.picture.file, {picture});
  }

  for (auto& warning : attribution.warnings) std::cerr << render_text(warning);
  if (options.report == "html") {
    auto page = options.picture;
    page.file = "page.html";
    std::cout << picture_file(options, page, rules, chosen, input, attribution, tokens ? &*tokens : nullptr);
    return fine;
  }
  if (options.report == "json") {
    std::cout << describe_as_json(attribution, told, tokens ? &*tokens : nullptr);
    return fine;
  }
  std::cout << (options.profile ? describe_costs(attribution.report)
                                : describe_as_text(attribution, told, width_of(STDOUT_FILENO)));
  if (tokens)
    std::cout << "\n" << tokens_as_text(*tokens, screen_of(STDOUT_FILENO), options.picture.heatmap.colour_map);
  for (auto& each : written)
    std::cout << (each.of.empty() ? "" : filled("relevance at {} ", each.of)) << "written to " << each.path << "\n";
  if (options.picture.wanted()) std::cout << "heatmap in " << options.picture.file << "\n";
  return fine;
}

// One input, or many: as the files for results say, and the input where there are none.
bool is_for_many(const RunOptions& options) {
  auto results = options.outputs;
  if (options.picture.wanted()) results.push_back(options.picture.file);
  return options.many.any() || std::any_of(results.begin(), results.end(), Destination::is_one) ||
         (options.model.many() &&
          (results.empty() || std::any_of(options.outputs.begin(), options.outputs.end(), Collected::is_one)));
}

int run_many(const RunOptions& options, const std::string& settings) {
  for (auto& [given, option] :
       {std::pair(!options.at.empty(), "--at"), std::pair(!options.tokens.empty(), "--tokens"),
        std::pair(options.profile, "--profile"), std::pair(options.report == "html", "--report html"),
        std::pair(options.outputs.size() > 1, "a second --output")})
    if (given) throw usage_error(filled("{} is for one input", option), "give one file as --input, or leave it out");
  return explain_many({.model = options.model,
                       .target = options.target,
                       .picture = options.picture,
                       .many = options.many,
                       .output = options.outputs.empty() ? "" : options.outputs.front(),
                       .report = options.report,
                       .settings = settings});
}

}  // namespace

Run add_run(CLI::App& app) {
  auto* command = app.add_subcommand("run", "Explains what a saved model says about an input");
  auto options = std::make_shared<RunOptions>();
  options->model.add_to(*command, /*rules_required=*/true);
  options->target.add_to(*command);
  auto several = [&](const char* name, std::vector<std::string>& values, const char* placeholder, const char* help) {
    command->add_option(name, values, help)->type_name(placeholder)->expected(1)->allow_extra_args(false)->take_all();
  };
  several(
      "--output", options->outputs, "FILE.npy|FILE.npz|DIR/",
      "where the relevance goes, in the input's shape: of the first input that gets some, or once for each. Of many "
      "inputs, a folder, a pattern such as 'maps/*.npy', or one file: .npz has an array for each, .npy a row");
  several(
      "--at", options->at, "LAYER=FILE.npy|LAYER=FILE.png|GLOB=DIR/",
      "relevance at the output of an inner layer, or of all that a glob is for. Without --output, it goes no further");
  command
      ->add_option(
          "--tokens", options->tokens,
          "the input's tokens, a line for each, or the vocabulary that its numbers count: prints the relevance "
          "of each")
      ->type_name("FILE");
  options->picture.add_to(*command);
  command->add_flag("--profile", options->profile,
                    "tells what each layer took instead of what it did with relevance: time, operators, memory");
  one_of(command->add_option("--report", options->report,
                             "how results are shown; html is a page with all that is known of one input"),
         {"text", "json", "html"});
  group(*command, "Results", {"--output", "--at", "--tokens", "--heatmap", "--profile", "--report"});
  options->many.add_to(*command);
  return [options, command] {
    if (is_for_many(*options)) return run_many(*options, settings_of(*command));
    return telling_misfits(options->model, [&] { return run(*options); });
  };
}

}  // namespace ascribe::command
