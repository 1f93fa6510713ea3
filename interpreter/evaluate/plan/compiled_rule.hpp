// A rule's plans, one for each sort of layer that it has met.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <utility>

#include "interpreter/evaluate/plan/plan.hpp"
#include "interpreter/libtorch/parameter_cache.hpp"

namespace ascribe::evaluate::plan {

/// Shared by all copies of a bound rule, and by threads. What it made of parameters goes when it does.
class CompiledRule {
 public:
  explicit CompiledRule(const language::BoundRule& rule)
      : looks_at_signs(plan::looks_at_signs(rule)), uses_inputs(plan::uses_inputs(rule)) {}
  CompiledRule(const CompiledRule&) = delete;
  CompiledRule& operator=(const CompiledRule&) = delete;
  ~CompiledRule() { libtorch::ParameterCache::instance().forget(owner); }

  /// That of this rule: made by whoever asks first.
  static std::shared_ptr<CompiledRule> of(const language::BoundRule& rule);

  /// Lives as long as this does.
  const Plan& plan(const language::BoundRule& rule, const Facts& facts);

  const libtorch::ParameterCache::Owner owner = libtorch::ParameterCache::new_owner();
  const bool looks_at_signs, uses_inputs;

 private:
  std::mutex mutex_;
  std::list<std::pair<Facts, Plan>> plans_;
};

}  // namespace ascribe::evaluate::plan
