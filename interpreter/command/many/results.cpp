#include "interpreter/command/many/results.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>

#include "grammar/filled_text.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/many/gallery.hpp"
#include "interpreter/command/tokens.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/files/npy.hpp"

namespace ascribe::command {
namespace fs = std::filesystem;
namespace {

Destination destination(const std::string& given, const char* option, const std::string& ending,
                        const std::vector<std::string>& endings) {
  if (!Destination::is_one(given))
    throw usage_error(filled("{} '{}' is one file, and there may be many inputs", option, given),
                      filled("write `{} maps/`, or `{} 'maps/*{}'`", option, option, ending));
  Destination out(given, option, ending);
  auto example = out.path_of("x");
  if (std::none_of(endings.begin(), endings.end(), [&](auto& each) { return example.ends_with(each); }))
    throw usage_error(filled("{} '{}' makes no {} files", option, given, ending),
                      filled("write `{} 'maps/*{}'`", option, ending));
  return out;
}

Summary::Json as_json(const std::vector<Scored>& scored, const Labels& labels) {
  auto out = Summary::Json::array();
  for (auto& each : scored) {
    out.push_back({{"index", each.index}, {"value", each.value}});
    if (!labels.path.empty()) out.back()["label"] = labels.of(each.index);
  }
  return out;
}

}  // namespace

Results::Results(const std::string& output, const PictureArguments& picture, const InputArguments& inputs,
                 const ChosenTarget& chosen)
    : picture_(picture), inputs_(inputs), chosen_(chosen) {
  if (!output.empty()) relevance_ = destination(output, "--output", ".npy", {".npy"});
  if (picture.wanted()) pictures_ = destination(picture.file, "--heatmap", ".png", {".png", ".svg"});
  if (pictures_) {
    auto one = picture;
    one.file = pictures_->path_of("x");
    one.check();
  }
  if (relevance_ && pictures_ && relevance_->path_of("x") == pictures_->path_of("x"))
    throw usage_error("--output and --heatmap name the same files", "give them different endings");
  for (auto* each : {&relevance_, &pictures_})
    if (*each) files::make_folder((*each)->folder());
}

std::optional<fs::path> Results::summary(const std::string& shard) const {
  if (!relevance_ && !pictures_) return {};
  return summary_folder() / (shard.empty() ? "summary.jsonl" : filled("summary.{}.jsonl", shard));
}

fs::path Results::summary_folder() const { return (relevance_ ? relevance_ : pictures_)->folder(); }

std::string Results::kinds() const {
  auto ending = [](const Destination& of) { return fs::path(of.path_of("x")).extension().string(); };
  return (relevance_ ? ending(*relevance_) : "") + (pictures_ ? " " + ending(*pictures_) : "");
}

std::string Results::picture_of_input(const Explained& input) const {
  auto preparation = inputs_.preparation();
  PictureFacts facts{.input = input.input, .mean = preparation.mean, .deviation = preparation.deviation};
  tell_targets(facts, input.output, input.target, chosen_.labels().names,
               input.relevance.dim() == 0 ? 1 : input.relevance.size(0));
  auto picture = picture_;
  picture.file = pictures_->path_of("x");  // by its ending
  return drawn(picture, input.relevance, facts);
}

Summary::Json Results::write(const Explained& input) const {
  Summary::Json line{{"file", input.item.path}, {"name", input.item.name}};
  if (input.failure) {
    line["error"] = {{"code", code_name(input.failure->code)}, {"message", input.failure->message}};
    return line;
  }
  auto samples = Summary::Json::array();
  for (std::size_t i = 0; i < input.sums.size(); ++i) {
    Summary::Json sample{{"sum", input.sums[i]}};
    if (i < input.starts.size()) sample["start"] = input.starts[i];
    if (i < input.outcome.largest.size()) sample["predictions"] = as_json(input.outcome.largest[i], chosen_.labels());
    if (i < input.outcome.starts.size()) sample["targets"] = as_json(input.outcome.starts[i], chosen_.labels());
    samples.push_back(std::move(sample));
  }
  if (samples.size() == 1)
    line.update(samples.front());
  else
    line["samples"] = std::move(samples);
  if (!input.relevance.isfinite().all().item<bool>()) line["finite"] = false;
  auto write = [&](const char* what, const std::string& path, const std::string& bytes) {
    if (auto folder = fs::path(path).parent_path(); !folder.empty()) files::make_folder(folder);
    // Whoever goes on looks at sizes.
    files::write_file(path, {bytes}, /*durably=*/false);
    auto here = fs::path(path).lexically_relative(summary_folder());
    line["results"].push_back({{"what", what}, {"path", here.empty() ? path : here.string()}, {"bytes", bytes.size()}});
  };
  if (relevance_) write("relevance", relevance_->path_of(input.item.name), encode_npy(input.relevance));
  if (pictures_) write("picture", pictures_->path_of(input.item.name), picture_of_input(input));
  return line;
}

std::string Results::shown(const Summary::Json& line, bool as_json) const {
  if (as_json) return line_of(line);
  auto out = without_controls(line["file"].get<std::string>());
  if (line.contains("error")) return out + "  failed\n";
  for (auto& sample : line.contains("samples") ? line["samples"] : Summary::Json::array({line})) {
    if (sample.contains("predictions") && !sample["predictions"].empty()) {
      auto& best = sample["predictions"][0];
      out += filled("  {} (output {:.6g})", chosen_.labels().told(best["index"].get<std::int64_t>()),
                    best["value"].get<double>());
    }
    auto start = sample.value("start", 0.0), sum = sample["sum"].get<double>();
    out += filled("  {:.6g} started, {:.6g} arrived", start, sum);
  }
  return out + "\n";
}

std::optional<std::string> Results::gallery(const std::map<std::size_t, Summary::Batch>& batches,
                                            const std::string& rules) const {
  if (!pictures_) return {};
  auto path = (fs::path(pictures_->folder()) / "index.html").string();
  auto way = summary_folder().lexically_relative(pictures_->folder());
  files::write_file(path, {gallery_page(batches, way, rules)});
  return path;
}

}  // namespace ascribe::command
