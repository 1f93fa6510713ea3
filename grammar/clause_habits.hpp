// What people write out of habit in the clauses of rules and tests, and between definitions: brackets, words and order
// of other languages.
#pragma once

#include <cstddef>
#include <optional>

#include "grammar/diagnostic.hpp"

namespace ascribe {

class Expectations;

/// The message for what the grammar could not read on beyond `expected`; nothing where it is no such habit. `begin` is
/// where the definition begins.
std::optional<Diagnostic> explain_clause(const SourcePointer& source, std::size_t begin, const Expectations& expected);

}  // namespace ascribe
