// From the written expression to the resolved one: which quantity, parameter, let or function each name means, and
// whether the clause may use it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grammar/diagnostic.hpp"
#include "grammar/syntax.hpp"
#include "interpreter/language/program.hpp"

namespace ascribe::language {

/// Where an expression stands; it decides what the expression sees (the table of the language's section 3).
enum class Clause {
  input,
  param,
  output,
  map,
  reduce,
  forward,
  backward,
  require,
  argument,
  function,
  test,  ///< an expectation; the others are the fields of a test
  test_model,
  test_x,
  test_R,
  session  ///< what is entered at a prompt; it sees what an expectation sees, and the session's values
};
bool is_in_test(Clause clause);

/// A value that has a name in a session. Numbers and single truth values stand for themselves wherever the name is.
struct SessionValue {
  Type type;                  ///< of a model: unknown
  std::optional<double> one;  ///< the number, or 1 or 0 for a truth value; nothing for tensors
};

/// What the names of one definition mean. Rules have all of it; composites have parameters only.
struct LocalNames {
  const std::vector<Parameter>* parameters = nullptr;
  std::map<std::string, const syntax::Let*, std::less<>> lets{};
  std::vector<std::string> terms{};  ///< named terms
  /// In sessions: what has a name there. It comes before the language's own x and R.
  std::map<std::string, SessionValue, std::less<>> values{};
  /// In tests: the rule or composite that `relevance(…)` is given, with its arguments.
  std::function<std::optional<Target>(const syntax::Call&, Clause)> find_target{};
};

/// Ends checking where it would go on for too long. Without a reason there are more than `limits.messages` errors.
struct StopChecking {
  std::optional<Diagnostic> reason;
};

/// Does what may end in StopChecking, and adds the reason.
template <typename Action>
void until_stopped(std::vector<Diagnostic>& diagnostics, Action action) {
  try {
    action();
  } catch (const StopChecking& stop) {
    if (stop.reason) diagnostics.push_back(*stop.reason);
  }
}

/// Reports into a list of diagnostics, with places in one source. Beyond `limits.messages`, warnings are dropped, and
/// an error throws StopChecking.
class Reporter {
 public:
  Reporter(SourcePointer source, std::vector<Diagnostic>& diagnostics)
      : source_(std::move(source)), diagnostics_(&diagnostics) {}
  Diagnostic& report(Code code, Span where, std::string message, std::string help = "") const;
  void warn(Code code, Span where, std::string message, std::string help = "", std::vector<Label> others = {}) const;
  /// How many errors there are, whoever reported them; one more than `limits.messages` for all beyond.
  std::size_t error_count() const;
  const SourcePointer& source() const { return source_; }

 private:
  std::size_t count(Severity severity) const;

  SourcePointer source_;
  std::vector<Diagnostic>* diagnostics_;
};

/// The functions that an expression can call, besides the built-in ones.
class FunctionScope {
 public:
  virtual ~FunctionScope() = default;
  /// Nothing where no function has that name; null where it has a mistake or cannot be reached, which is reported.
  virtual std::optional<std::shared_ptr<const Function>> find(const syntax::Path& path, const Reporter& reporter) = 0;
  /// Whether a name needs no qualifier to be a function's.
  virtual bool is_function(std::string_view name) const = 0;
  /// Whether a name needs no qualifier to be a rule's or composite's, which `relevance` is given.
  virtual bool is_target(std::string_view name) const = 0;
  /// All of the functions' names, for messages.
  virtual std::vector<std::string> function_names() const = 0;
  /// Whether `qualifier.name` leads to a pack: `std` or an import.
  virtual bool is_pack(std::string_view qualifier) const = 0;
  virtual std::vector<std::string> packs() const = 0;
  /// Counts operations that are checked; throws StopChecking beyond `limits.all_operations`.
  virtual void spend(std::size_t operations, Span where) = 0;
};

/// Reports a qualifier that is no pack.
void report_unknown_pack(const syntax::Name& qualifier, Code code, const std::vector<std::string>& known,
                         const Reporter& reporter);

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

/// `name` or `qualifier.name`.
std::string shown(const syntax::Path& path);

/// The word that messages use for a clause: "`map`".
std::string describe(Clause clause);

}  // namespace ascribe::language
