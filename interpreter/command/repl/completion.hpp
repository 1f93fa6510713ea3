// What Tab offers: what assist/ offers in an editor, and what only the session has: its values and models, commands,
// files inside of strings.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "interpreter/command/repl/state.hpp"

namespace ascribe::repl {

/// The words that could stand at the cursor. They begin where `begin` says, and replace what stands from there to the
/// cursor.
struct Completion {
  struct Word {
    std::string text, detail{};  ///< a signature, a type, or nothing
  };
  std::size_t begin = 0;
  std::vector<Word> words{};  ///< in order, each one once

  /// What all of them begin with.
  std::string common() const;
};

/// Of the line that is being written; `before` are the earlier lines of the same input.
Completion complete(const State& state, std::string_view before, std::string_view line, std::size_t cursor);

}  // namespace ascribe::repl
