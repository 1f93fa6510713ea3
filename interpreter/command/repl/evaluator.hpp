// What one input of a session is worth: checked first, as everything is, then evaluated.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "ascribe/attribute.hpp"
#include "interpreter/command/repl/calls.hpp"
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
  std::string text{};  ///< instead of the value itself; empty: nothing besides it
};

class Evaluator {
 public:
  Evaluator(const State& state, SourcePointer source, Surroundings surroundings);
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  /// The value of an expression, which may be a model, or one of the calls that only sessions have. With `whole`, truth
  /// is whether all of it holds, as tests have it; otherwise it is kept element by element. Throws Error.
  Result evaluate(const syntax::Expression& written, bool whole);
  /// What the expression would be, in words; nothing is evaluated. Throws Error.
  std::string type(const syntax::Expression& written);
  /// What was computed of the current model's output, for the next input.
  const std::shared_ptr<const Output>& output() const { return output_; }

  // For the calls that only sessions have. All throw Error.
  Value value(const syntax::Expression& written) { return evaluate(written, false).value; }
  std::string string(const syntax::Expression& written, const char* what) const;
  /// Whether it is written as a model: a layer, a list of layers, or a model's name.
  bool is_model(const syntax::Expression& written) const;
  ModelValue model(const syntax::Expression& written);
  ModelValue current_model() const;
  at::Tensor x() const;
  std::optional<at::Tensor> R(const at::Tensor& y) const;
  at::Tensor y(const ModelValue& model, const at::Tensor& x);
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
  auto located(Span where, Action action) -> decltype(action());
  Result truth(const Checked& checked, bool whole);
  void refuse_rules(const syntax::Expression& written);
  ModelValue built(const syntax::Expression& written);
  at::Tensor named_value(const std::string& name) const;
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
};

/// `rule zplus(epsilon: stabilizer = 1e-06)`
std::string signature(const language::Definition& definition);
std::string signature(const language::Function& function);

// The calls that only sessions have.
Result load(Evaluator& evaluator, const CallArguments& arguments);
Result image(Evaluator& evaluator, const CallArguments& arguments);
Result explain(Evaluator& evaluator, const CallArguments& arguments);
Result compare(Evaluator& evaluator, const CallArguments& arguments);

}  // namespace ascribe::repl
