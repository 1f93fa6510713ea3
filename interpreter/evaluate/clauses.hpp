// What every evaluator asks of a rule and a layer.
#pragma once

#include <string>

#include "interpreter/evaluate/evaluator.hpp"

namespace ascribe::evaluate {

/// The parameters that a selector names, itself or by what its rule is given; null where it is for all.
const language::Names* selected_names(const language::BoundRule& rule, const language::ParameterSelector& selector);

/// What a term puts in the place of a parameter: its first clause that is for it. Null: the parameter stays.
const language::Expression* clause_for(const language::BoundRule& rule, const language::Term& term,
                                       const std::string& parameter);

/// How many of a layer's inputs get relevance.
std::size_t receivers(const Layer& layer);

}  // namespace ascribe::evaluate
