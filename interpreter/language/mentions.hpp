// Which names an expression mentions, whatever they mean and whether they are right: what is mentioned is not unused.
#pragma once

#include <set>
#include <string>

#include "grammar/syntax.hpp"

namespace ascribe::language {

using Mentions = std::set<std::string, std::less<>>;

/// Adds the first name of every path: `a` of `a`, of `a.y` and of `a(…)`.
void collect_mentions(const syntax::Expression& expression, Mentions& out);
void collect_mentions(const syntax::Call& call, Mentions& out);

/// What a rule's clauses mention, lets that they use included; `unused_lets` are the names of the others.
struct RuleMentions {
  Mentions names;
  Mentions unused_lets;
};
RuleMentions collect_mentions(const syntax::Rule& rule);

/// Adds the qualifiers of all paths in an item: `acme` of `acme.relative`.
void collect_qualifiers(const syntax::Item& item, Mentions& out);

}  // namespace ascribe::language
