#include "interpreter/evaluate/clauses.hpp"

#include <algorithm>

namespace ascribe::evaluate {

const language::Names* selected_names(const language::BoundRule& rule, const language::ParameterSelector& selector) {
  if (selector.names) return &*selector.names;
  return selector.parameter ? &std::get<language::Names>(rule.arguments[*selector.parameter]) : nullptr;
}

const language::Expression* clause_for(const language::BoundRule& rule, const language::Term& term,
                                       const std::string& parameter) {
  for (auto& clause : term.params) {
    auto* names = selected_names(rule, clause.selector);
    if (!names || std::find(names->begin(), names->end(), parameter) != names->end()) return clause.value.get();
  }
  return nullptr;
}

std::size_t receivers(const Layer& layer) {
  return static_cast<std::size_t>(std::count(layer.gets_relevance.begin(), layer.gets_relevance.end(), true));
}

}  // namespace ascribe::evaluate
