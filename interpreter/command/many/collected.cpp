#include "interpreter/command/many/collected.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/files/npy.hpp"
#include "interpreter/files/npz.hpp"
#include "interpreter/model/archive.hpp"

namespace ascribe::command {
namespace fs = std::filesystem;
namespace {

std::string name_of(const Summary::Json& input) { return input.value("name", ""); }

std::vector<const Summary::Json*> inputs_of(const std::map<std::size_t, Summary::Batch>& batches) {
  std::vector<const Summary::Json*> out;
  for (auto& [number, batch] : batches)
    for (auto& input : batch.inputs) out.push_back(&input);
  return out;
}

bool has_failed(const Summary::Json* input) { return input->contains("error"); }

// The file that a run made which this one goes on with.
class Before {
 public:
  explicit Before(const std::string& path) : path_(path) {}

  at::Tensor relevance_of(const std::string& name, std::size_t row) {
    if (path_.ends_with(".npy")) {
      if (!rows_.defined()) rows_ = files::read_npy(path_);
      return rows_.narrow(0, static_cast<std::int64_t>(row), 1);
    }
    if (!file_) {
      file_.emplace(path_);
      archive_.emplace(
          file_->size(), [this](auto place, auto* into, auto count) { file_->read(place, into, count); },
          /*has_folder=*/false);
    }
    return files::read_npz(*archive_, name, files::ArrayPath{path_, name});
  }

 private:
  std::string path_;
  at::Tensor rows_;
  std::optional<files::InputFile> file_;
  std::optional<model::Archive> archive_;
};

}  // namespace

std::string part_path(const std::string& collected, const std::string& name) {
  return collected + ".parts/" + name + ".npy";
}

bool Collected::is_one(const std::string& given) { return given.ends_with(".npz") || given.ends_with(".npy"); }

Collected::Collected(const std::string& given, const std::string& shard) : path_(given) {
  if (!shard.empty()) path_.insert(path_.size() - 3, shard + ".");
}

bool Collected::has_rows() const { return path_.ends_with(".npy"); }

void Collected::check(const at::Tensor& relevance) {
  if (!has_rows()) return;
  auto refuse = [&](const std::string& why) {
    throw Error({.code = Code::wrong_tensor,
                 .message = filled("{} has a row for each input: {}", files::quoted(path_), why),
                 .help = "write an archive: `--output all.npz`"});
  };
  if (relevance.dim() == 0 || relevance.size(0) != 1)
    refuse(filled("relevance of shape {} is of several samples", shown_shape(relevance.sizes())));
  Row row{relevance.scalar_type(), relevance.sizes().slice(1).vec()};
  if (!row_) row_ = row;
  if (row != *row_)
    refuse(filled("relevance of shape {} ({}) does not fit to rows of shape {} ({})", shown_shape(row.shape),
                  at::toString(row.type), shown_shape(row_->shape), at::toString(row_->type)));
}

Summary::Json Collected::place_of(const std::string& name, std::size_t row) const {
  Summary::Json out{{"what", "relevance"}, {"path", fs::path(path_).filename().string()}};
  if (has_rows())
    out["row"] = row;
  else
    out["array"] = name;
  return out;
}

Summary::Json Collected::write(const std::map<std::size_t, Summary::Batch>& batches) {
  auto inputs = inputs_of(batches);
  if (std::all_of(inputs.begin(), inputs.end(), has_failed)) return {};
  Before before(path_);
  auto relevance_of = [&](const Summary::Json& input, std::size_t row) {
    auto part = part_path(path_, name_of(input));
    return fs::exists(part) ? files::read_npy(part) : before.relevance_of(name_of(input), row);
  };
  if (has_rows()) {
    for (std::size_t i = 0; i < inputs.size() && !row_; ++i)
      if (!has_failed(inputs[i])) check(relevance_of(*inputs[i], i));
    auto shape = row_->shape;
    shape.insert(shape.begin(), 1);
    auto missing = at::full(shape, std::numeric_limits<double>::quiet_NaN(), row_->type);
    shape[0] = static_cast<std::int64_t>(inputs.size());
    files::write_file(path_, [&](const files::Write& write) {
      write(files::npy_header(row_->type, shape, files::quoted(path_)));
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        auto relevance = has_failed(inputs[i]) ? missing : relevance_of(*inputs[i], i);
        check(relevance);
        write(files::npy_parts(relevance, files::quoted(path_)).bytes());
      }
    });
  } else {
    std::erase_if(inputs, has_failed);
    std::vector<std::string> names;
    for (auto* input : inputs) names.push_back(name_of(*input));
    files::write_npz(path_, names, [&](std::size_t i) { return relevance_of(*inputs[i], i); });
  }
  return {{"path", fs::path(path_).filename().string()}, {"bytes", fs::file_size(path_)}};
}

void Collected::remove_parts(const std::map<std::size_t, Summary::Batch>& batches) const {
  std::error_code ignored;
  for (auto* input : inputs_of(batches)) {
    // What else lies there is not ours, and folders stay that are not empty.
    for (fs::path part = part_path(path_, name_of(*input));
         part != fs::path(path_).parent_path() && fs::remove(part, ignored);)
      part = part.parent_path();
  }
}

}  // namespace ascribe::command
