// How many inputs at once, and how many threads: what helps, where nothing is asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "interpreter/command/target_arguments.hpp"

namespace ascribe::command {

/// One thread for a model whose work is so little that threads wait for each other longer than they compute: which, on
/// a machine that does other things, too, can take a hundred times as long. Otherwise all cores. By the size of the
/// model's file and that of the input, so that it is the same in each run.
int sensible_threads(const std::string& model, const at::Tensor& x);

/// How a model takes several inputs at once: tried with one of them.
class BatchProbe {
 public:
  /// `file`: the model's. What is referred to has to outlive this.
  BatchProbe(const Model& model, std::string file, const Composite& rules, const ChosenTarget& chosen,
             std::stop_token stop);

  /// Which dimension of the model's output counts samples, as the input alone says; `place`: of the input in its list.
  /// Throws what attribute() throws.
  std::optional<std::int64_t> sample_dimension(std::size_t place, const at::Tensor& x);
  /// After that: as many inputs like this one as a quarter of the free memory is enough for, 8 at most, or 32 of a
  /// small model; 1 where the model does not take several, or gives one of them something else than alone. Throws Error
  /// (stopped).
  std::int64_t batch_size(std::size_t place, const at::Tensor& x) const;

 private:
  Attribution explain(const at::Tensor& x, std::size_t place) const;

  const Model& model_;
  std::string file_;
  const Composite& rules_;
  const ChosenTarget& chosen_;
  std::stop_token stop_;
  Attribution alone_;
};

}  // namespace ascribe::command
