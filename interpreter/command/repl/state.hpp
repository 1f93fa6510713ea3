// All that a session remembers: copied before an input is run, and kept only if the input was without mistakes.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "interpreter/command/repl/definitions.hpp"
#include "interpreter/command/repl/value.hpp"

namespace ascribe::repl {

/// What the current model gives for x, until either changes.
struct Output {
  Model model;
  at::Tensor x, y;
};

struct State {
  Definitions definitions;
  std::map<std::string, Value, std::less<>> values;
  std::string model;  ///< the name of the current model, which was named last; empty: there is none
  std::shared_ptr<const Output> output{};
};

}  // namespace ascribe::repl
