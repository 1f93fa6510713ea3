// Which names an expression mentions, whatever they mean and whether they are right: what is mentioned is not unused.
#pragma once

#include <set>
#include <string>

#include "grammar/syntax.hpp"

namespace ascribe::language {

using Mentions = std::set<std::string, std::less<>>;

/// Adds the first name of every path that leads to a value: `a` of `a` and of `a.y`. Where a name stands decides what
/// it is: `a` of `a(…)` is a function, in `relevance(a)` a rule, and no value of the same name is used there.
void collect_mentions(const syntax::Expression& expression, Mentions& out);

/// The same for the arguments alone of a call whose name is no value: what an entry or an alias leads to, a layer.
void collect_argument_mentions(const syntax::Call& call, Mentions& out);

/// The same for the `model` of a test, whose layers are called by their kinds.
void collect_model_mentions(const syntax::Expression& model, Mentions& out);

/// What a rule's clauses mention, lets that they use included; `unused_lets` are the names of the others.
struct RuleMentions {
  Mentions names;
  Mentions unused_lets;
};
RuleMentions collect_mentions(const syntax::Rule& rule);

/// Adds the qualifiers of all paths in an item that no term of the item is meant by: `acme` of `acme.relative`.
void collect_qualifiers(const syntax::Item& item, Mentions& out);

}  // namespace ascribe::language
