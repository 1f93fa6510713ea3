#include "interpreter/evaluate/plan/compiled_rule.hpp"

#include <algorithm>

namespace ascribe::evaluate::plan {

std::shared_ptr<CompiledRule> CompiledRule::of(const language::BoundRule& rule) {
  auto& memo = *rule.memo;
  std::lock_guard lock(memo.mutex);
  if (!memo.compiled) memo.compiled = std::make_shared<CompiledRule>(rule);
  return std::static_pointer_cast<CompiledRule>(memo.compiled);
}

const Plan& CompiledRule::plan(const language::BoundRule& rule, const Facts& facts) {
  std::lock_guard lock(mutex_);
  auto found = std::find_if(plans_.begin(), plans_.end(), [&](auto& each) { return each.first == facts; });
  if (found == plans_.end()) found = plans_.emplace(plans_.end(), facts, make_plan(rule, facts));
  return found->second;
}

}  // namespace ascribe::evaluate::plan
