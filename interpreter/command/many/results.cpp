#include "interpreter/command/many/results.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <unordered_set>

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

// The way to a file from a folder, links followed: both may be moved together.
fs::path way_to(const fs::path& path, const fs::path& from) {
  return fs::relative(fs::weakly_canonical(path), fs::weakly_canonical(from));
}

std::string shown_number(double value) { return std::isnan(value) ? "nan" : filled("{:.6g}", value); }

fs::path folder_of_file(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

bool is_within(const fs::path& path, const fs::path& folder) {
  auto [end, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

}  // namespace

Results::Results(const std::string& output, const PictureArguments& picture, const InputArguments& inputs,
                 const ChosenTarget& chosen, std::string shard)
    : picture_(picture), inputs_(inputs), chosen_(chosen), shard_(std::move(shard)) {
  if (Collected::is_one(output) && !Destination::is_one(output)) {
    collected_.emplace(output, shard_);
    files::check_writable(collected_->path());
    relevance_.emplace(part_path(collected_->path(), "*"), "--output", ".npy");
  } else if (!output.empty()) {
    relevance_ = destination(output, "--output", ".npy", {".npy"});
  }
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

std::optional<fs::path> Results::summary() const {
  if (!relevance_ && !pictures_) return {};
  if (collected_) return collected_->path() + ".summary.jsonl";
  return summary_folder() / (shard_.empty() ? "summary.jsonl" : filled("summary.{}.jsonl", shard_));
}

fs::path Results::summary_folder() const {
  if (collected_) return folder_of_file(collected_->path());
  return (relevance_ ? relevance_ : pictures_)->folder();
}

std::string Results::patterns() const {
  std::string out = collected_ ? collected_->path() : "";
  for (auto* each : {&relevance_, &pictures_})
    if (*each && !(collected_ && each == &relevance_))
      out += (out.empty() ? "" : " ") + way_to((*each)->path_of("*"), summary_folder()).string();
  return out;
}

void Results::check_apart(const Inputs& inputs, const std::string& given, bool recursive) const {
  auto help = "write somewhere else: `--output maps/`";
  if (fs::is_directory(given)) {
    auto folder = fs::weakly_canonical(given);
    for (auto* each : {&relevance_, &pictures_}) {
      if (!*each) continue;
      auto into =
          fs::weakly_canonical(collected_ && each == &relevance_ ? summary_folder() : fs::path((*each)->folder()));
      if (into == folder || (recursive && is_within(into, folder)))
        throw usage_error(filled("results in {} would be inputs of the next run over {}",
                                 files::quoted((*each)->folder()), files::quoted(given)),
                          help);
    }
  }
  std::map<fs::path, fs::path> folders;  // of which there are few: each is looked up once
  auto whole = [&](const fs::path& path) {
    auto& folder = folders[path.parent_path()];
    if (folder.empty()) folder = fs::weakly_canonical(fs::absolute(path).parent_path());
    return (folder / path.filename()).string();
  };
  std::unordered_set<std::string> read;
  for (std::size_t i = 0; i < inputs.count(); ++i) read.insert(whole(inputs.item(i).path));
  if (collected_ && read.contains(whole(collected_->path())))
    throw usage_error(filled("{} is an input, and would be overwritten", files::quoted(collected_->path())), help);
  for (std::size_t i = 0; i < inputs.count(); ++i)
    for (auto* each : {&relevance_, &pictures_})
      if (*each && read.contains(whole((*each)->path_of(inputs.item(i).name))))
        throw usage_error(
            filled("{} is an input, and would be overwritten", files::quoted((*each)->path_of(inputs.item(i).name))),
            help);
}

std::string Results::picture_of_input(const Explained& input) const {
  auto preparation = inputs_.preparation();
  PictureFacts facts{.input = input.input};
  if (input.is_picture) facts.mean = preparation.mean, facts.deviation = preparation.deviation;
  tell_targets(facts, input.output, input.target, chosen_.labels().names,
               input.relevance.dim() == 0 ? 1 : input.relevance.size(0));
  auto picture = picture_;
  picture.file = pictures_->path_of("x");  // by its ending
  return drawn(picture, input.relevance, facts);
}

Summary::Json Results::write(Explained& input, bool strict) {
  Summary::Json line{{"file", input.item.path}, {"name", input.item.name}};
  struct File {
    std::string path, bytes;
    Summary::Json told;
  };
  auto place = [&](const char* what, const std::string& path) {
    return Summary::Json{{"what", what}, {"path", way_to(path, summary_folder()).string()}};
  };
  std::vector<File> made;
  if (!input.failure) try {  // what cannot be drawn is one input's fault; what cannot be written is not
      auto& name = input.item.name;
      if (collected_) collected_->check(input.relevance);
      if (relevance_) {
        auto path = relevance_->path_of(name);
        made.push_back({path, encode_npy(input.relevance),
                        collected_ ? collected_->place_of(name, input.row) : place("relevance", path)});
      }
      if (pictures_)
        made.push_back({pictures_->path_of(name), picture_of_input(input), place("picture", pictures_->path_of(name))});
    } catch (const Error& error) {
      if (strict) throw;
      input.failure = error.diagnostics().front();
      input.failure->message = filled("{}: {}", input.item.path, input.failure->message);
    }
  if (input.failure) {
    line["error"] = {{"code", code_name(input.failure->code)}, {"message", input.failure->message}};
    return line;
  }
  line["modified"] = modified(input.item.path);
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
  if (!is_finite(input)) line["finite"] = false;
  for (auto& [path, bytes, told] : made) {
    if (auto folder = fs::path(path).parent_path(); !folder.empty()) files::make_folder(folder);
    // Whoever goes on looks at sizes.
    files::write_file(path, {bytes}, /*durably=*/false);
    told["bytes"] = bytes.size();
    line["results"].push_back(std::move(told));
  }
  return line;
}

std::optional<std::string> Results::collected() const {
  if (!collected_) return {};
  return collected_->path();
}

Summary::Json Results::collect(const Summary& summary, bool changed) {
  if (!collected_) return {};
  if (!changed && !summary.whole().is_null()) return summary.whole();
  return collected_->write(summary.batches());
}

void Results::remove_parts(const Summary& summary) const {
  if (collected_) collected_->remove_parts(summary.batches());
}

bool is_finite(const Explained& input) { return input.relevance.isfinite().all().item<bool>(); }

std::string Results::shown(const Summary::Json& line, bool as_json) const {
  if (as_json) return line_of(line);
  auto out = without_controls(line["file"].get<std::string>());
  if (line.contains("error")) return out + "  failed\n";
  for (auto& sample : line.contains("samples") ? line["samples"] : Summary::Json::array({line})) {
    if (sample.contains("predictions") && !sample["predictions"].empty()) {
      auto& best = sample["predictions"][0];
      out += filled("  {} (output {})", chosen_.labels().told(best["index"].get<std::int64_t>()),
                    shown_number(number_in(best, "value")));
    }
    if (sample.contains("start")) out += filled("  {} started,", shown_number(number_in(sample, "start")));
    out += filled("  {} arrived", shown_number(number_in(sample, "sum")));
  }
  return out + "\n";
}

std::optional<std::string> Results::gallery(const std::map<std::size_t, Summary::Batch>& batches,
                                            const std::string& rules) const {
  if (!pictures_) return {};
  auto name = shard_.empty() ? "index.html" : filled("index.{}.html", shard_);
  auto path = (fs::path(pictures_->folder()) / name).string();
  files::write_file(path, {gallery_page(batches, way_to(summary_folder(), pictures_->folder()), rules)});
  return path;
}

}  // namespace ascribe::command
