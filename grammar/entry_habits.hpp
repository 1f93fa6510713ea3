// What people write out of habit where a composite's entries say which layers they are for: names and globs without
// quotes, brackets and other words between kinds, counts in other places, rules in quotes.
#pragma once

#include <cstddef>
#include <optional>

#include "grammar/diagnostic.hpp"

namespace ascribe {

class Expectations;

/// The message for an entry that the grammar could not read on beyond `expected`; nothing where it is no such habit.
/// `begin` is where the definition begins.
std::optional<Diagnostic> explain_entry(const SourcePointer& source, std::size_t begin, const Expectations& expected);

}  // namespace ascribe
