// The body of a rule: clauses to terms, in the order in which they win, each with the space that it must yield.
#pragma once

#include <set>

#include "interpreter/language/clause.hpp"
#include "interpreter/language/function_scope.hpp"
#include "interpreter/language/local_names.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/language/reporter.hpp"
#include "interpreter/language/spaces.hpp"

namespace ascribe::language {

class RuleChecker {
 public:
  RuleChecker(Reporter reporter, LocalNames& local, FunctionScope& functions)
      : reporter_(reporter), local_(local), resolver_(std::move(reporter), local, functions) {}

  /// Fills `rule`, whose name, place and parameters are there already, from the written clauses.
  void check(const syntax::Rule& written, Rule& rule);

 private:
  struct Applied {
    bool ever = false;     // some term takes it
    bool covered = false;  // some term had something before it
  };

  // The layer's parameters that a term's `param` clauses take so far.
  struct Taken {
    bool all = false;
    std::set<std::string> names;
    std::set<std::size_t> parameters;  // of the rule, of type names

    /// Whether a clause is too late for everything that it is for; takes that for it where not.
    bool covers(const ParameterSelector& selector);
  };

  void collect_names(const syntax::Rule& written);
  /// Whether the name was free; reported where it was not.
  bool define(const syntax::Name& name, const char* what);
  void report_unreachable();
  void term(const syntax::Rule& written, const syntax::Term* own, Term& out);
  void modifier(const syntax::Modifier& written, Term& out, Taken& taken);
  void outcome(const syntax::Outcome& written);
  void requirement(const syntax::Require& written);
  /// Whether every has() stands where a layer's parameters can decide it; reported where not.
  bool has_is_plain(const Expression& expression);
  std::optional<ParameterSelector> selector(const syntax::Modifier& written);
  ExpressionPointer value(const syntax::Expression& written, Clause clause, Type wanted);
  void note_uses(const ExpressionPointer& expression, Clause clause);

  Reporter reporter_;
  LocalNames& local_;
  NameResolver resolver_;
  Rule* rule_ = nullptr;
  std::map<const syntax::Modifier*, Applied> applied_;
  std::map<const syntax::Modifier*, ExpressionPointer> values_;  // a shared modifier is checked once
  std::map<std::string, Span> names_;
};

/// Whether the lists inside a list are all of one length; reported where they are not.
bool well_shaped(const Expression& expression, const Reporter& reporter);

}  // namespace ascribe::language
