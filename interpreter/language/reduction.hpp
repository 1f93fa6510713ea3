// What rules sum up: the form of `reduce` (whether relevance is shared out term by term, so that one can tell what bias
// and stabilizer took), and whether anything goes over whole samples.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "interpreter/language/binding.hpp"
#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// The numbers a_k of a `reduce` of the form Σ a_k·x_k·v_k, one for each of the rule's terms; without a `reduce` they
/// are 1. Nothing where it has another form. `arguments` are the rule's.
std::optional<std::vector<double>> term_weights(const Rule& rule, std::span<const Value> arguments);

/// Whether some clause, function or stabilizer of the rule reduces a tensor: sum, mean, quantile.
bool reduces(const BoundRule& rule);

}  // namespace ascribe::language
