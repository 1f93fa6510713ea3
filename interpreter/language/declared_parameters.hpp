// The parameters of rules, composites and functions: their types and defaults.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "interpreter/language/mentions.hpp"
#include "interpreter/language/scope.hpp"

namespace ascribe::language {

/// One parameter for each that is written; those with a mistake, which is reported, have the unknown type. A function's
/// parameters take any space.
std::vector<Parameter> check_parameters(const std::vector<syntax::Parameter>& written, FileScope& file,
                                        bool of_function);

/// A rule or a composite with what stands in its head.
template <typename Defined, typename Written>
std::shared_ptr<Defined> with_head(const Written& written, const std::string& documentation, const Place& place,
                                   FileScope& file) {
  auto out = std::make_shared<Defined>();
  out->name = written.name.text;
  out->documentation = documentation;
  out->place = place;
  out->parameters = check_parameters(written.parameters, file, false);
  return out;
}

/// Reports the parameters that a definition does not mention.
void report_unused(const Mentions& mentions, const syntax::Name& definition,
                   const std::vector<syntax::Parameter>& written, const Reporter& reporter);

/// Reports a let that nothing uses.
void report_unused_let(const syntax::Let& let, const Reporter& reporter);

}  // namespace ascribe::language
