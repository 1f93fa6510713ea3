// `ascribe compare`: inputs under several rules, or several models, as a table of pictures and of numbers.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "ascribe/attribute.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/input_misfit.hpp"
#include "interpreter/command/interruption.hpp"
#include "interpreter/command/model_arguments.hpp"
#include "interpreter/command/picture_arguments.hpp"
#include "interpreter/command/progress_line.hpp"
#include "interpreter/command/table.hpp"
#include "interpreter/command/target_arguments.hpp"
#include "interpreter/files/atomic_file.hpp"

namespace ascribe::command {
namespace {

struct CompareOptions {
  ModelArguments common;  // all but models and rules
  std::vector<std::string> models, rules;
  std::string report = "text";
  TargetArguments target;
  PictureArguments picture;
};

// A cell of the table: a model under rules.
struct TableCell {
  std::size_t model, rules;
  at::Tensor relevance;               // on the CPU, of all samples
  std::vector<std::string> captions;  // of each
};

// What is explained at once: all that a model takes, or one of many inputs.
struct Question {
  std::string name;  // of one of many
  std::vector<at::Tensor> inputs;
};

// Of many, each is a row of pictures: more than a screen full is for `ascribe run`.
constexpr std::size_t most_compared = 200;

std::vector<Question> questions_of(const ModelArguments& arguments) {
  if (!arguments.many()) return {{"", arguments.read_inputs()}};
  auto list = arguments.list();
  if (list.items.size() > most_compared)
    throw usage_error(filled("{} inputs are more than a table can show: {}", list.items.size(), most_compared),
                      "compare some of them; `ascribe run` explains any number, once for each of the rules");
  std::vector<Question> out;
  for (auto& item : list.items) {
    auto read = arguments.read(item);
    list.warnings.insert(list.warnings.end(), read.warnings.begin(), read.warnings.end());
    out.push_back({item.name, {read.x}});
  }
  for (auto& warning : list.warnings) std::cerr << render_text(warning);
  return out;
}

std::int64_t samples_of(const at::Tensor& relevance) { return relevance.dim() == 0 ? 1 : relevance.size(0); }

// Of several inputs, one below the other.
at::Tensor stacked(const std::vector<at::Tensor>& tensors, const char* what) {
  if (tensors.size() == 1) return tensors.front();
  std::vector<at::Tensor> out;
  for (auto& each : tensors) {
    out.push_back(each.dim() == 0 ? each.reshape({1}) : each);
    if (out.back().sizes().slice(1) != out.front().sizes().slice(1))
      throw usage_error(filled("{} of shapes {} and {} does not fit into one table", what,
                               shown_shape(out.front().sizes()), shown_shape(out.back().sizes())),
                        "give inputs of one shape: for pictures, `--resize 256 --crop 224`");
  }
  return at::cat(out);
}

std::string name_of_file(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// How alike two maps are: the cosine of the angle between them. Nothing where one of them is all zeros, or not finite.
std::optional<double> cosine_between(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return {};
  auto x = a.to(at::kDouble).flatten(), y = b.to(at::kDouble).flatten();
  auto norms = x.norm().item<double>() * y.norm().item<double>();
  if (!(norms > 0) || !std::isfinite(norms)) return {};
  return at::dot(x, y).item<double>() / norms;
}

double largest_magnitude(const at::Tensor& relevance) {
  return relevance.numel() == 0 ? 0 : relevance.abs().max().item<double>();
}

std::string number_or_nan(double value) {
  return std::isnan(value) ? "nan" : filled("{:.5g}", value);
}  // a NaN's sign means nothing

std::string table_numbers(const CompareOptions& options, const std::vector<TableCell>& cells) {
  if (options.report == "json") {
    auto out = nlohmann::json::array();
    for (auto& cell : cells) {
      auto alike = cosine_between(cells.front().relevance, cell.relevance);
      out.push_back({{"model", options.models[cell.model]},
                     {"rules", options.rules[cell.rules]},
                     {"shape", cell.relevance.sizes().vec()},
                     {"sum", cell.relevance.sum(at::kDouble).item<double>()},
                     {"largest_magnitude", largest_magnitude(cell.relevance)},
                     {"cosine_to_first", alike ? nlohmann::json(*alike) : nlohmann::json()}});
    }
    return nlohmann::json{{"maps", out}}.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  std::vector<std::vector<std::string>> rows{{"rules", "model", "sum", "largest", "cosine to the first"}};
  for (auto& cell : cells) {
    auto alike = cosine_between(cells.front().relevance, cell.relevance);
    rows.push_back({options.rules[cell.rules],
                    options.models.size() > 1 ? name_of_file(options.models[cell.model]) : "",
                    number_or_nan(cell.relevance.sum(at::kDouble).item<double>()),
                    number_or_nan(largest_magnitude(cell.relevance)), alike ? filled("{:.4f}", *alike) : "–"});
  }
  return table(rows, 2);
}

// Rules are columns; models, and the samples of each, are rows.
std::string table_file(const CompareOptions& options, const std::vector<TableCell>& cells, const at::Tensor& input,
                       const std::vector<std::string>& names) {
  auto columns = options.rules.size(), models = options.models.size();
  auto& first = cells.front().relevance;
  auto samples = samples_of(first);
  std::vector<at::Tensor> maps, originals;
  PictureFacts facts{.column_titles = options.rules};
  auto preparation = options.common.preparation();
  PictureFacts seen{.input = input, .mean = preparation.mean, .deviation = preparation.deviation};
  auto original = picture_of(seen);
  for (std::size_t model = 0; model < models; ++model)
    for (std::int64_t i = 0; i < samples; ++i) {
      std::vector<std::string> title;
      if (models > 1) title.push_back(name_of_file(options.models[model]));
      if (samples > 1) title.push_back(names.at(static_cast<std::size_t>(i)));
      facts.row_titles.push_back(title.empty() ? "" : title.size() == 1 ? title[0] : title[0] + ", " + title[1]);
      for (std::size_t k = 0; k < columns; ++k) {
        auto& cell = cells[model * columns + k];
        if (cell.relevance.sizes() != first.sizes())
          throw usage_error(filled("relevance of shapes {} and {} does not fit into one table",
                                   shown_shape(first.sizes()), shown_shape(cell.relevance.sizes())),
                            "compare models whose relevance has one shape, or leave --heatmap out");
        maps.push_back(first.dim() == 0 ? cell.relevance.reshape({1}) : cell.relevance.narrow(0, i, 1));
        if (original.defined()) originals.push_back(original.narrow(0, i, 1));
        facts.captions.push_back(cell.captions.at(static_cast<std::size_t>(i)));
      }
    }
  if (facts.row_titles.size() == 1) facts.row_titles.clear();
  auto picture = options.picture;
  picture.columns = static_cast<std::int64_t>(columns);
  if (original.defined()) facts.input = at::cat(originals);
  if (picture.heatmap.beside) {  // it is the same for all rules
    picture.heatmap.beside = false;
    picture.heatmap.before_rows = true;
  }
  if (picture.form.empty() && picture.features.empty()) picture.form = "maps";  // charts are too wide for columns
  return drawn(picture, at::cat(maps), facts);
}

int compare_maps(const CompareOptions& options) {
  options.picture.check();
  auto& file = options.picture.file;
  if (options.picture.is_page())
    throw usage_error("a table is a .png or .svg file", "write `--heatmap table.png`; `ascribe run` makes pages");
  if (options.picture.columns)
    throw usage_error("--columns is not for a table: its columns are the rules", "leave --columns out");
  if (options.rules.size() * options.models.size() < 2)
    throw usage_error("there is nothing to compare", "give --rules twice, or --model");
  if (options.picture.wanted()) files::check_writable(file);
  ChosenTarget chosen(options.target);
  std::vector<Composite> rules;
  for (auto& each : options.rules) {
    auto arguments = options.common;
    arguments.rules = each;
    rules.push_back(arguments.read_rules());
  }
  auto questions = questions_of(options.common);
  if (options.common.many()) chosen.check_inputs(questions.size());
  Interruption interruption;
  std::vector<TableCell> cells;
  std::vector<at::Tensor> explained;
  std::vector<std::string> names, said_before;
  for (std::size_t i = 0; i < options.models.size(); ++i) {
    auto arguments = options.common;
    arguments.model = options.models[i];
    auto model = arguments.read_model();
    arguments.choose_threads(questions.front().inputs.front());
    for (std::size_t k = 0; k < rules.size(); ++k) {
      std::vector<at::Tensor> relevances;
      PictureFacts told;
      ProgressLine line;
      for (std::size_t q = 0; q < questions.size(); ++q) {
        auto& [name, inputs] = questions[q];
        auto target =
            name.empty() ? chosen.whole()
                         : chosen.of(std::vector<std::size_t>(static_cast<std::size_t>(samples_of(inputs.front())), q));
        auto found = attribute(
            model, rules[k], inputs, target,
            {.sum_embeddings = true, .sums = false, .stop = interruption.token(), .progress = line.callback()});
        chosen.labels().check(outcome_of(found, target, 1).classes);
        relevances.push_back(found.relevance.cpu());
        auto samples = samples_of(found.relevance);
        tell_targets(told, chosen_among(found.output, found, target).cpu(), target, chosen.labels().names, samples);
        if (cells.empty()) {
          explained.push_back(first_explained(inputs, found));
          for (std::int64_t s = 0; s < samples; ++s)
            names.push_back(name.empty()   ? filled("sample {}", s)
                            : samples == 1 ? name
                                           : filled("{}, sample {}", name, s));
        }
        for (auto warning : found.warnings) {
          if (rules.size() > 1 && warning.note.empty())
            warning.note = filled("with the rules {}", files::quoted_name(options.rules[k]));
          auto text = render_text(warning);
          if (std::find(said_before.begin(), said_before.end(), text) != said_before.end()) continue;
          std::cerr << text;
          said_before.push_back(text);
        }
      }
      cells.push_back({i, k, stacked(relevances, "relevance"), std::move(told.captions)});
    }
  }
  auto said = table_numbers(options, cells);
  if (options.picture.wanted()) {
    auto picture = table_file(options, cells, stacked(explained, "what is explained"), names);
    interruption.check(file);
    files::write_file(file, {picture});
  }
  std::cout << said;
  if (options.picture.wanted() && options.report != "json") std::cout << "heatmap in " << file << "\n";
  return fine;
}

}  // namespace

Run add_compare(CLI::App& app) {
  auto* command =
      app.add_subcommand("compare", "Compares rules, or models, on inputs: as a table of pictures, and in numbers");
  auto options = std::make_shared<CompareOptions>();
  auto several = [&](const char* name, std::vector<std::string>& values, const char* placeholder, const char* help) {
    return command->add_option(name, values, help)
        ->type_name(placeholder)
        ->expected(1)
        ->allow_extra_args(false)
        ->take_all();
  };
  several("--rules", options->rules, "RULES",
          "a composite or a rule, as `ascribe run` takes them: once for each column")
      ->required();
  several("--model", options->models, "FILE.pt2|FILE.pt",
          "an exported program or a TorchScript file: once for each row")
      ->required();
  options->common.InputArguments::add_to(*command);
  options->common.add_loading_to(*command);
  command->add_option("--device", options->common.device, "cpu or cuda:0")->type_name("DEVICE");
  command
      ->add_option("--threads", options->common.threads,
                   "threads for one operator (default: all cores, or one for small models)")
      ->check(CLI::PositiveNumber);
  options->target.add_to(*command);
  options->picture.add_to(*command);
  one_of(command->add_option("--report", options->report, "how numbers are shown"), {"text", "json"});
  return [options] { return telling_misfits(options->common, [&] { return compare_maps(*options); }); };
}

}  // namespace ascribe::command
