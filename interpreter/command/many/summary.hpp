// What a run over many inputs has done: a file of JSON lines, written as it goes, by which a run that was cut goes on.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ascribe::command {

/// The first line says what was asked; then come, batch by batch, a line for each input and one that ends the batch.
/// A batch counts when its last line is there. Two runs never write one file: it is locked while it is open.
class Summary {
 public:
  using Json = nlohmann::json;

  /// A batch that is done.
  struct Batch {
    std::vector<Json> inputs;
    Json end;
  };

  /// Opens the file, and makes it where there is none. `resume`: goes on with what it says; the batches that are whole,
  /// and whose results are there in the size that they had, and whose inputs are what they were, stay. Without it, all
  /// is begun anew. What the file says is kept until the first batch is done. Throws Error: usage where another run has
  /// it open; unwritable_file.
  Summary(const std::filesystem::path& path, bool resume);
  ~Summary();
  Summary(const Summary&) = delete;
  Summary& operator=(const Summary&) = delete;

  /// What the first line says; null where there was none.
  const Json& header() const { return header_; }
  /// Throws Error (usage) where the file goes on with a run that was asked something else.
  void begin(const Json& header);
  const std::map<std::size_t, Batch>& batches() const { return batches_; }
  /// The lines of one more batch, in one piece.
  void add(std::size_t number, Batch batch);
  /// Brings the batches into order, where they are not. `whole`: the file that all their relevance is in, by path and
  /// bytes; null where each input has its own.
  void finish(const Json& whole = {});
  /// That file, as an earlier run left it, if it is still there.
  const Json& whole() const { return whole_; }

  const std::filesystem::path& path() const { return path_; }

 private:
  int open_locked() const;
  void read();
  std::string text() const;
  void write_again();
  void append(const std::string& text);

  std::filesystem::path path_;
  int descriptor_ = -1;
  Json header_;
  std::map<std::size_t, Batch> batches_;
  Json whole_;
  std::vector<std::size_t> order_;  // in the file
  bool changed_ = true;             // what is to be in the file, and is not
};

/// When an input's file was written last; null where that is not known.
Summary::Json modified(const std::string& file);

/// A number of a line; NaN where it is null, as what is not finite is in JSON.
double number_in(const Summary::Json& json, const char* key);

/// One line.
std::string line_of(const Summary::Json& json);

}  // namespace ascribe::command
