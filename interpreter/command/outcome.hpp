// What a model said of each sample, and where its relevance started: what `ascribe run` tells.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ascribe/attribute.hpp"

namespace ascribe::command {

/// The names of a model's outputs, one for each, in order.
struct Labels {
  std::string path;  ///< of the file that they are from; empty: there are none
  std::vector<std::string> names;

  /// From a file with a line for each. Throws Error: unreadable_file, too_large.
  static Labels read(const std::string& path);
  /// `Egyptian cat`, or nothing where no name is known.
  std::string of(std::int64_t index) const;
  /// `285 Egyptian cat`, or the index alone.
  std::string told(std::int64_t index) const;
  /// Throws Error (usage) where the model has another number of outputs than there are names.
  void check(std::int64_t outputs) const;
};

struct Scored {
  std::int64_t index;
  double value;
};

/// Index and value, and the label where there are some.
nlohmann::json as_json(const std::vector<Scored>& scored, const Labels& labels);

/// Of outputs [batch, classes], and those that are so at the target's position; empty for all others.
struct Outcome {
  std::int64_t classes = 0;                    ///< how many outputs a target chooses among
  std::vector<std::vector<Scored>> largest{};  ///< of each sample, the largest first
  std::vector<std::vector<Scored>> starts{};  ///< what relevance started from; nothing where these are too many to tell
};

/// The outputs that a target chooses among, of an output or of what it started with: those at its position.
at::Tensor chosen_among(const at::Tensor& output, const Attribution& attribution, const Target& target);

/// The input that `attribution.relevance` is of.
at::Tensor first_explained(const std::vector<at::Tensor>& inputs, const Attribution& attribution);

/// `most`: how many of the largest outputs each sample has in it.
Outcome outcome_of(const Attribution& attribution, const Target& target, std::int64_t most);

}  // namespace ascribe::command
