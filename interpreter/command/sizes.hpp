// How many inputs at once, and how many threads: what helps, where nothing is asked for.
#pragma once

#include <cstdint>
#include <string>

#include "interpreter/command/target_arguments.hpp"

namespace ascribe::command {

/// One thread for a model whose work is so little that threads wait for each other longer than they compute: which, on
/// a machine that does other things, too, can take a hundred times as long. Otherwise all cores. By the size of the
/// model's file and that of the input, so that it is the same in each run.
int sensible_threads(const std::string& model, const at::Tensor& x);

/// As many inputs like this one as a quarter of the free memory is enough for, 32 at most; 1 where the model does not
/// take several, or mixes them. `place`: of the input in its list. Throws what attribute() throws of the one input.
std::int64_t sensible_batch_size(const Model& model, const Composite& rules, const ChosenTarget& chosen,
                                 std::size_t place, const at::Tensor& x);

}  // namespace ascribe::command
