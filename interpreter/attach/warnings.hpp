// What rules on a model are warned of: no mistakes, and hardly meant.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ascribe/report.hpp"
#include "grammar/diagnostic.hpp"
#include "interpreter/language/binding.hpp"

namespace ascribe::attaching {

/// Which numbers are finite: all relevance that is given out, not all of it, or not even the input.
enum class Finite { all, input, nothing };

/// What was seen of a model while rules were attached.
struct Seen {
  const Report& report;
  const language::BoundComposite& rules;
  /// The modules that were called, by which `module` and `class` entries choose.
  const std::set<std::string>&paths, &classes;
  /// The functions with a derivative of their own that relevance goes through.
  const std::vector<std::string>& own_derivatives;
  /// The row of the layer that made the explained output; empty: none is known to have.
  std::optional<std::size_t> last{};
  Finite finite = Finite::all;
};

/// What is wrong where a composite is for no layer of the model, so that it is for another model; else empty.
std::optional<Diagnostic> no_layer_matched(const Report& report, const language::BoundComposite& rules);

std::vector<Diagnostic> warnings_of(const Seen& seen);

}  // namespace ascribe::attaching
