// The inputs of a run, and explaining some of them at once.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "ascribe/attribute.hpp"
#include "interpreter/command/model_arguments.hpp"
#include "interpreter/command/target_arguments.hpp"

namespace ascribe::command {

/// 128 bits of a text, as 32 hexadecimal digits.
std::string digest_of(const std::string& text);

/// Those of a list that a run is for: all of it, or each nth.
class Inputs {
 public:
  /// `shard`: `3/16`, or nothing. Throws Error (usage).
  Inputs(InputList list, const std::string& shard);

  std::size_t all() const { return list_.items.size(); }
  std::size_t count() const;
  const InputItem& item(std::size_t place) const { return list_.items[place_in_list(place)]; }
  std::size_t place_in_list(std::size_t place) const { return shard_ - 1 + place * shards_; }
  /// `3-of-16`, or nothing.
  std::string shard_name() const;
  std::string digest() const;
  const std::vector<Diagnostic>& warnings() const { return list_.warnings; }

 private:
  InputList list_;
  std::size_t shard_ = 1, shards_ = 1;
};

/// An input of a batch: read, or what stood in the way.
struct BatchItem {
  std::size_t place;  ///< in the list
  InputItem item;
  ReadInput read{};
  std::optional<Diagnostic> failure{};
};

/// What came out for an input.
struct Explained {
  InputItem item;
  std::size_t row = 0;  ///< its place among those of this run
  std::optional<Diagnostic> failure{};
  at::Tensor relevance{}, input{};  ///< on the CPU; the input where pictures need it
  bool is_picture = false;          ///< the input; an array is taken as it is
  at::Tensor output{};              ///< [samples, classes] among which the target chooses
  Outcome outcome{};
  Target target = Target::largest();
  std::vector<double> starts{}, sums{};  ///< of each sample
  std::vector<Diagnostic> warnings{};
};

/// Whether an error may be one input's own fault, so that others can go on.
bool is_of_one_input(const Error& error);

class Explainer {
 public:
  /// `sample_dimension`: of the output, as one input alone says it; only where it is 0, inputs share a batch.
  Explainer(const Model& model, const Composite& rules, const ChosenTarget& chosen,
            std::optional<std::int64_t> sample_dimension, bool keeps_inputs, std::stop_token stop);

  struct Found {
    std::vector<Explained> inputs;
    nlohmann::json end;  ///< what the layers kept, of all of them
  };
  /// Inputs of one shape at a time; where that fails, one by one. Throws Error where it is not for an input, many in
  /// turn failed and none did not, or `strict` is set.
  Found explain(std::vector<BatchItem> items, bool strict, const InputArguments& arguments);
  /// Something was explained before.
  void go_on() { any_ = true; }

 private:
  void together(std::vector<BatchItem*> items, std::vector<Explained*> found, Report& report);

  const Model& model_;
  const Composite& rules_;
  const ChosenTarget& chosen_;
  std::optional<std::int64_t> sample_dimension_;
  bool keeps_inputs_, any_ = false;
  std::size_t failures_ = 0;
  std::stop_token stop_;
};

}  // namespace ascribe::command
