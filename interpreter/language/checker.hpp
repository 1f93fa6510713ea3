// Tree to program: every name resolved, every space and argument checked, before anything runs.
#pragma once

#include <vector>

#include "grammar/diagnostic.hpp"
#include "grammar/syntax.hpp"
#include "interpreter/language/definitions.hpp"

namespace ascribe::language {

/// Checks files that share one scope. All mistakes are appended to `diagnostics`, which hold those of parsing the
/// files; sound definitions are returned whatever happened to others. `pack` items are not looked at: pack_checker.hpp.
Definitions check(const std::vector<const syntax::File*>& files, const Surroundings& surroundings,
                  std::vector<Diagnostic>& diagnostics);

/// Resolves a call such as the command line's SPEC.
std::optional<Target> check_call(const syntax::Call& call, const SourcePointer& source,
                                 const Surroundings& surroundings, std::vector<Diagnostic>& diagnostics);

/// The value of a parameter that is given a stabilizer function, as a call without its first argument. Whether the
/// parameter is there and takes a stabilizer is left to `bind`.
std::optional<Value> check_stabilizer(syntax::Call call, const SourcePointer& source, const Definition& callee,
                                      const std::string& parameter, const Surroundings& surroundings,
                                      std::vector<Diagnostic>& diagnostics);

}  // namespace ascribe::language
