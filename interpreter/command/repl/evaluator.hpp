// What one input of a session is worth: checked first, as everything is, then evaluated.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "ascribe/attribute.hpp"
#include "interpreter/command/repl/calls.hpp"
#include "interpreter/command/repl/indexing.hpp"
#include "interpreter/command/repl/picture.hpp"
#include "interpreter/command/repl/state.hpp"
#include "interpreter/language/scope.hpp"
#include "interpreter/language/test_expressions.hpp"
#include "interpreter/testing/evaluation.hpp"

namespace ascribe::repl {

/// Where an evaluation looks besides the state.
struct Surroundings {
  Screen screen{};
  std::stop_token stop{};
};

/// A value, and what is to be read about it besides.
struct Result {
  Value value;
  std::string text{};                         ///< instead of the value itself; empty: nothing besides it
  std::string note{};                         ///< in front of either
  std::optional<Diagnostic> without_value{};  ///< why it has none
};

class Evaluator {
 public:
  Evaluator(const State& state, SourcePointer source, Surroundings surroundings);
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  /// Before an expression with parts that the language has no words for, `R[0]` and `2 * relevance(zplus, target = 3)`:
  /// evaluates these, so that they are values with names in it. With `evaluated` off, they are what they would be.
  void prepare(syntax::Statement& statement, const std::vector<Indexing>& indexings, bool evaluated = true);
  /// The value of an expression, which may be a model, or one of the calls that only sessions have. With `whole`, truth
  /// is whether all of it holds, as tests have it; otherwise it is kept element by element. The note tells where
  /// relevance started that is a part of it. Throws Error.
  Result evaluate(const syntax::Expression& written, bool whole);
  /// What the expression would be, in words; nothing is evaluated. Throws Error.
  std::string type(const syntax::Expression& written);
  /// What was computed of the current model's output, for the next input.
  const std::shared_ptr<const Output>& output() const { return output_; }
  /// What is worth knowing about what was evaluated; each of it once.
  const std::vector<Diagnostic>& warnings() const { return warnings_; }

  // For the calls that only sessions have. All throw Error.
  Value value(const syntax::Expression& written);
  std::string string(const syntax::Expression& written, const char* what) const;
  /// Whether it is written as a model: a layer, a list of layers, or a model's name.
  bool is_model(const syntax::Expression& written) const;
  /// Whether it is written as a rule or a composite.
  bool is_rules(const syntax::Expression& written) const;
  ModelValue model(const syntax::Expression& written);
  ModelValue current_model() const;
  /// `x`, or what is given in its place, and for models of several inputs `x2`, `x3`, ….
  std::vector<at::Tensor> inputs(const ModelValue& model, std::optional<at::Tensor> x = {}) const;
  /// Where relevance starts by its value; nothing where R has none.
  std::optional<at::Tensor> R(const at::Tensor& y, const ModelValue& model);
  at::Tensor y(const ModelValue& model, const std::vector<at::Tensor>& inputs, std::optional<std::size_t> output = {});
  void warn(Diagnostic warning);
  /// Tells with the result where relevance started; each line once.
  void note(const std::string& line);
  const State& state() const { return state_; }
  Composite rules(const syntax::Expression& written, const ModelValue& model);
  /// For no model: a rule is for every kind of layer.
  Composite rules(const syntax::Expression& written);
  const SourcePointer& source() const { return source_; }
  const Surroundings& surroundings() const { return surroundings_; }
  Error refusal(Code code, Span where, std::string message, std::string help) const;

 private:
  struct Checked {
    language::ExpressionPointer expression;
    language::Type type;
  };

  Checked check(const syntax::Expression& written);
  Composite rules(const syntax::Expression& written, const std::function<std::string()>& only_kind);
  /// Does what may fail while something at `where` is evaluated: failures get that place.
  template <typename Action>
  auto located(Span where, Action action) -> decltype(action()) {
    try {
      return action();
    } catch (...) {
      rethrow_located(where);
    }
  }
  [[noreturn]] void rethrow_located(Span where) const;
  Result truth(const Checked& checked, bool whole);
  void refuse_rules(const syntax::Expression& written);
  ModelValue built(const syntax::Expression& written);
  at::Tensor x() const;
  at::Tensor named_value(const std::string& name);
  void add_part(const std::string& name, Value value);
  void evaluate_calls(syntax::Expression& written, bool outermost, bool evaluated);
  Value part(Span written);
  std::int64_t index(Span written);
  Value indexed(const Indexing& indexing);
  Result evaluated(const syntax::Expression& written, bool whole);
  /// Tells where a value came from that is not of this model, and remembers it.
  void note_origin(const std::string& name, const TensorValue& value, const ModelValue* model);
  at::Tensor quantity(language::Quantity quantity);
  at::Tensor relevance(const Composite& rules);
  const SessionCall* session_call(const syntax::Expression& written) const;

  const State& state_;
  SourcePointer source_;
  Surroundings surroundings_;
  std::vector<Diagnostic> diagnostics_;
  language::Surroundings names_;
  language::Scope scope_;
  std::unique_ptr<language::FileScope> view_;
  language::LocalNames local_;
  language::TestExpressions expressions_;
  testing::Evaluation evaluation_;
  std::shared_ptr<const Output> output_;
  std::map<std::string, Value, std::less<>> parts_;  // values that have no name but in the tree
  std::vector<Indexing> indexings_;
  std::shared_ptr<const ModelValue> origin_;  // of what is evaluated
  std::vector<Diagnostic> warnings_;
  std::string notes_;
};

/// The expression that stands in a part of a source, with places in all of it, and its indexings. Throws Error where it
/// is none.
std::pair<syntax::Statement, std::vector<Indexing>> expression_of(const SourcePointer& source, Span span);

/// Null where it is none.
inline const syntax::Call* as_call(const syntax::Expression& written) {
  return std::get_if<syntax::Call>(&written.node);
}

/// 2 for `x2`: the number of a further input of a model.
std::optional<std::size_t> input_number(std::string_view name);
std::size_t most_inputs(const ModelValue& model);

/// `rule zplus(epsilon: stabilizer = 1e-06)`
std::string signature(const language::Definition& definition);
std::string signature(const language::Function& function);

/// A model, or a tensor. Throws Error, which has no place.
Value value_from(const std::string& path);
/// Why a file that is there cannot be read as rules or as a script: it holds a model or a tensor.
std::optional<Error> no_text_in(const std::string& path, bool of_session);

// The calls that only sessions have.
Result load(Evaluator& evaluator, const CallArguments& arguments);
Result image(Evaluator& evaluator, const CallArguments& arguments);
Result relevance(Evaluator& evaluator, const CallArguments& arguments);
Result explain(Evaluator& evaluator, const CallArguments& arguments);
Result compare(Evaluator& evaluator, const CallArguments& arguments);

}  // namespace ascribe::repl
