// Calls of rules and composites: which definition, with which arguments.
#pragma once

#include <optional>

#include "interpreter/language/clause.hpp"
#include "interpreter/language/local_names.hpp"
#include "interpreter/language/reporter.hpp"
#include "interpreter/language/scope.hpp"

namespace ascribe::language {

/// What a call leads to, in a definition whose names are `local`; its arguments stand in `clause`. Nothing after a
/// mistake, which is reported.
std::optional<Target> check_target_call(const syntax::Call& call, FileScope& file, LocalNames& local, Clause clause,
                                        const Reporter& reporter);

/// How many operations it takes to check what a call leads to once more, with other arguments.
std::size_t operations_of(const Target& target);

/// Tries a call with the arguments that are written out, so that a requirement that they violate, whatever the others
/// are, is found before anything runs.
void check_constant_call(const Target& target, const Reporter& reporter);

}  // namespace ascribe::language
