// The parameters of rules, composites and functions: their types and defaults.
#pragma once

#include <vector>

#include "interpreter/language/mentions.hpp"
#include "interpreter/language/scope.hpp"

namespace ascribe::language {

/// One parameter for each that is written; those with a mistake, which is reported, have the unknown type. A function's
/// parameters take any space.
std::vector<Parameter> check_parameters(const std::vector<syntax::Parameter>& written, FileScope& file,
                                        bool of_function);

/// Reports the parameters that a definition does not mention.
void report_unused(const Mentions& mentions, const syntax::Name& definition,
                   const std::vector<syntax::Parameter>& written, const Reporter& reporter);

/// Reports a let that nothing uses.
void report_unused_let(const syntax::Let& let, const Reporter& reporter);

}  // namespace ascribe::language
