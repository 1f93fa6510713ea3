// Tree to program: every name resolved, every space and argument checked, before anything runs.
#pragma once

#include <vector>

#include "grammar/diagnostic.hpp"
#include "grammar/syntax.hpp"
#include "interpreter/language/definitions.hpp"

namespace ascribe::language {

/// Checks files that share one scope, against themselves and against `standard` (null for the standard pack's own
/// files). All mistakes are appended to `diagnostics`; sound definitions are returned whatever happened to others.
Definitions check(const std::vector<syntax::File>& files, const Definitions* standard,
                  std::vector<Diagnostic>& diagnostics);

/// Resolves a call such as the command line's SPEC. `own` wins over `standard`.
std::optional<Target> check_call(const syntax::Call& call, const SourcePointer& source, const Definitions& own,
                                 const Definitions* standard, std::vector<Diagnostic>& diagnostics);

}  // namespace ascribe::language
