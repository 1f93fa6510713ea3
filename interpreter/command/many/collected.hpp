// One file for the relevance of many inputs.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "interpreter/command/many/summary.hpp"

namespace ascribe::command {

/// `all.npz`, an archive of arrays by the inputs' names, without those that failed; or `all.npy`, an array with a row
/// for each input in order, NaN for those that failed. Until all are there, each is a file of its own in
/// `all.npz.parts/`, so that a run that was cut goes on.
class Collected {
 public:
  static bool is_one(const std::string& given);
  /// `shard`: `3-of-16`, which becomes a part of the name, or nothing.
  Collected(const std::string& given, const std::string& shard);

  const std::string& path() const { return path_; }
  bool has_rows() const;
  /// Throws Error (wrong_tensor) where it has no place in a file in which those before it have one.
  void check(const at::Tensor& relevance);
  /// What a line of the summary says of where an input's relevance will be.
  Summary::Json place_of(const std::string& name, std::size_t row) const;
  /// Makes the file, of parts, and of the file that was there where a part is not. Gives what Summary::finish() takes:
  /// null where all inputs failed. Throws Error (unwritable_file, wrong_tensor, unreadable_file).
  Summary::Json write(const std::map<std::size_t, Summary::Batch>& batches);
  void remove_parts(const std::map<std::size_t, Summary::Batch>& batches) const;

 private:
  struct Row {
    at::ScalarType type;
    std::vector<std::int64_t> shape;
    bool operator==(const Row&) const = default;
  };

  std::string path_;
  std::optional<Row> row_;  // as the first input had it
};

/// Where an input's relevance is until all are in `collected`.
std::string part_path(const std::string& collected, const std::string& name);

}  // namespace ascribe::command
