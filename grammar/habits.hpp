// What people write out of habit from Python, PyTorch, Zennit, C and others where the grammar stops, and what Ascribe
// writes instead. Names that the grammar takes and nobody defines are in interpreter/language/habits.hpp.
#pragma once

#include <span>
#include <string_view>

#include "grammar/code.hpp"

namespace ascribe {

class Expectations;

/// A spelling that means nothing here, where `fits` says so (null: everywhere).
struct Habit {
  std::string_view written;
  bool (*fits)(const Expectations&);
  std::string_view message, help;
  Code code = Code::foreign_operator;
  bool assigned = false;  ///< a word that counts only where a `=` follows
};

/// Spellings of operators and other marks; the first that fits is meant.
std::span<const Habit> mark_habits();

/// Whole words.
std::span<const Habit> word_habits();

}  // namespace ascribe
