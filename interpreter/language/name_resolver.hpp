// From the written expression to the resolved one: which quantity, parameter, let or function each name means, and
// whether the clause may use it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/syntax.hpp"
#include "interpreter/language/clause.hpp"
#include "interpreter/language/function_scope.hpp"
#include "interpreter/language/local_names.hpp"
#include "interpreter/language/reporter.hpp"
#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// Every name of a layer's values in rules: x, w, … `layer` is none of them.
std::vector<std::string_view> quantity_words();

class NameResolver {
 public:
  NameResolver(Reporter reporter, LocalNames& local, FunctionScope& functions)
      : reporter_(std::move(reporter)), local_(local), functions_(functions) {}

  /// Null after a mistake, which is reported.
  ExpressionPointer resolve(const syntax::Expression& expression, Clause clause);

  /// One expression for each parameter, from what was written and from defaults. `first` parameters are left out (a
  /// stabilizer function's z). Nothing after a mistake.
  std::optional<std::vector<ExpressionPointer>> resolve_arguments(const syntax::Call& call, const std::string& name,
                                                                  const std::vector<Parameter>& parameters,
                                                                  Clause clause, std::size_t first = 0);

  /// What is given to a parameter, or its default: the parameter's type says how lists, names and functions are read.
  ExpressionPointer resolve_argument(const syntax::Expression& expression, const Parameter& parameter, Clause clause);

  /// How many operations everything resolved so far has, lets and functions filled in.
  std::size_t operations() const { return operations_; }

 private:
  ExpressionPointer make(Span span, decltype(Expression::node) node, std::size_t operations = 1);
  ExpressionPointer call(const syntax::Call& call, Clause clause);
  ExpressionPointer builtin_call(const syntax::Call& call, const BuiltinInfo& info, Clause clause);
  ExpressionPointer own_node(OwnNode node, const syntax::Call& call, Clause clause);
  ExpressionPointer stabilize_call(const syntax::Call& call, Clause clause);
  ExpressionPointer has_call(const syntax::Call& call);
  ExpressionPointer random_call(const syntax::Call& call, Clause clause);
  ExpressionPointer relevance_call(const syntax::Call& call, Clause clause);
  ExpressionPointer tensor(const syntax::Expression& written, Clause clause);
  ExpressionPointer value_name(const syntax::Path& path, Clause clause);
  ExpressionPointer session_value(const syntax::Path& path, const SessionValue& value);
  ExpressionPointer qualified_name(const syntax::Path& path, Clause clause);
  ExpressionPointer quantity(const syntax::Path& path, Quantity quantity, int term, Clause clause);
  ExpressionPointer let(const syntax::Let& let, Span use, Clause clause);
  ExpressionPointer stabilizer_argument(const syntax::Expression& expression, Clause clause);
  std::optional<std::size_t> parameter_index(std::string_view name) const;
  std::optional<std::int64_t> dimension(const syntax::Expression& expression);
  std::shared_ptr<const Function> function(const syntax::Call& call);
  bool is_term(std::string_view name) const;

  Reporter reporter_;
  LocalNames& local_;
  FunctionScope& functions_;
  std::map<std::pair<std::string, Clause>, ExpressionPointer> lets_;  // what each let means in each clause
  std::vector<std::string> open_lets_;                                // being resolved, one inside another
  std::size_t operations_ = 0;
  std::map<const Expression*, std::size_t> sizes_;  // of lets, lets inside them filled in
};

/// Whether a name is one of the language's own values, which nothing may be called.
bool is_protected(std::string_view name);

/// Reports the name of a parameter that nothing can have; false then.
bool check_parameter_name(const syntax::StringLiteral& name, const Reporter& reporter);

/// `name` or `qualifier.name`.
std::string shown(const syntax::Path& path);

}  // namespace ascribe::language
