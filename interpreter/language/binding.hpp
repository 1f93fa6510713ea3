// A rule or composite with its arguments: what evaluators and models work with.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "grammar/error.hpp"
#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// What an evaluator makes of a rule once, for all copies of it; empty until it is wanted.
struct RuleMemo {
  std::mutex mutex;
  std::shared_ptr<void> compiled;
};

/// A rule with a value for each of its parameters; aliases are followed. Immutable, shared freely.
struct BoundRule {
  std::shared_ptr<const Rule> rule;  ///< without alias
  std::vector<Value> arguments;
  std::string description;  ///< as it was called: `norm(epsilon = 1e-06)`
  std::shared_ptr<RuleMemo> memo = std::make_shared<RuleMemo>();
};

/// One line of a composite, nested composites flattened: it is for a layer that every condition fits.
struct BoundEntry {
  struct Condition {
    Entry::Count count;
    std::uint64_t number;
    std::vector<LayerSelector> layers;
  };
  std::vector<Condition> conditions;  ///< outermost first
  std::variant<BoundRule, Engine> target;
  Place place;              ///< of the innermost entry
  std::string shown_place;  ///< the same for people: each call of a layer tells it
};

struct BoundComposite {
  std::string description;
  std::vector<BoundEntry> entries;
};

using NamedValues = std::vector<std::pair<std::string, Value>>;

/// Arguments by name; what is not named takes its default. Throws Error: unknown and missing names, wrong types,
/// violated requirements.
BoundRule bind(const std::shared_ptr<const Rule>& rule, const NamedValues& arguments);
BoundComposite bind(const std::shared_ptr<const Composite>& composite, const NamedValues& arguments);

/// A target whose arguments need no parameters, such as the command line's. A rule is bound for all linear and
/// convolution layers.
BoundComposite bind(const Target& target);

/// Throws Error where the target's arguments that need no parameters violate a requirement already.
void try_known_arguments(const Target& target);

/// A rule for every linear and convolution layer.
BoundComposite for_linear_layers(BoundRule rule);

}  // namespace ascribe::language
