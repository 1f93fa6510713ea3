// From the written expression to the resolved one: which quantity, parameter, let or function each name means, and
// whether the clause may use it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "grammar/diagnostic.hpp"
#include "grammar/syntax.hpp"
#include "interpreter/language/program.hpp"

namespace ascribe::language {

/// Where an expression stands; it decides what the expression sees (the table of the language's section 3).
enum class Clause { input, param, output, map, reduce, forward, backward, require, argument, function };

/// What the names of one definition mean. Rules have all of it; composites have parameters only.
struct LocalNames {
  const std::vector<Parameter>* parameters = nullptr;
  std::map<std::string, const syntax::Let*, std::less<>> lets{};
  std::vector<std::string> terms{};  ///< named terms
};

/// Reports into a list of diagnostics, with places in one source.
class Reporter {
 public:
  Reporter(SourcePointer source, std::vector<Diagnostic>& diagnostics)
      : source_(std::move(source)), diagnostics_(&diagnostics) {}
  Diagnostic& report(Code code, Span where, std::string message, std::string help = "") const;
  void warn(Code code, Span where, std::string message, std::string help = "") const;
  /// How many diagnostics there are, whoever reported them.
  std::size_t count() const { return diagnostics_->size(); }
  const SourcePointer& source() const { return source_; }

 private:
  SourcePointer source_;
  std::vector<Diagnostic>* diagnostics_;
};

/// A function by its name, checked; null where there is none, or where it could not be checked (which is reported
/// then).
using FindFunction = std::function<std::shared_ptr<const Function>(const syntax::Path&)>;

class NameResolver {
 public:
  NameResolver(Reporter reporter, LocalNames& local, FindFunction find_function,
               std::vector<std::string> function_names)
      : reporter_(std::move(reporter)),
        local_(local),
        find_function_(std::move(find_function)),
        function_names_(std::move(function_names)) {}

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
  ExpressionPointer stabilize_call(const syntax::Call& call, Clause clause);
  ExpressionPointer has_call(const syntax::Call& call, Clause clause);
  ExpressionPointer value_name(const syntax::Path& path, Clause clause);
  ExpressionPointer qualified_name(const syntax::Path& path, Clause clause);
  ExpressionPointer quantity(const syntax::Path& path, Quantity quantity, int term, Clause clause);
  ExpressionPointer let(const syntax::Let& let, Span use, Clause clause);
  ExpressionPointer stabilizer_argument(const syntax::Expression& expression, Clause clause);
  std::optional<std::size_t> parameter_index(std::string_view name) const;
  std::optional<std::int64_t> dimension(const syntax::Expression& expression);
  std::shared_ptr<const Function> function(const syntax::Call& call);

  Reporter reporter_;
  LocalNames& local_;
  FindFunction find_function_;
  std::vector<std::string> function_names_;
  std::map<std::pair<std::string, Clause>, ExpressionPointer> lets_;  // what each let means in each clause
  std::vector<std::string> open_lets_;                                // being resolved, one inside another
  std::size_t operations_ = 0;
  std::map<const Expression*, std::size_t> sizes_;  // of lets, lets inside them filled in
};

/// The word that messages use for a clause: "`map`".
std::string describe(Clause clause);

}  // namespace ascribe::language
