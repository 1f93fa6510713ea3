// All that a session remembers: copied before an input is run, and kept only if the input was without mistakes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "interpreter/command/outcome.hpp"
#include "interpreter/command/repl/definitions.hpp"
#include "interpreter/command/repl/value.hpp"

namespace ascribe::repl {

/// What the current model gives for its inputs, until either changes.
struct Output {
  ModelValue model;
  std::vector<at::Tensor> inputs;
  at::Tensor y;
};

struct State {
  Definitions definitions;
  std::map<std::string, Value, std::less<>> values;
  std::string model;  ///< the name of the current model, which was named last; empty: there is none
  std::shared_ptr<const Output> output{};
  command::Labels labels{};    ///< of the model's outputs
  std::string without_last{};  ///< why there is no last value; empty: it is there, or nothing was printed
};

/// The name of the value that was printed last.
inline constexpr std::string_view last_value = "_";

}  // namespace ascribe::repl
