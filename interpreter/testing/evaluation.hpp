// What the expressions of tests and sessions are worth: on tensors, without spaces, about one model and its input.
#pragma once

#include <functional>
#include <string>

#include "ascribe/pack.hpp"
#include "interpreter/evaluate/reference/expression.hpp"
#include "interpreter/testing/built_model.hpp"

namespace ascribe::testing {

/// What expressions are about. The functions may throw Error.
struct Subject {
  SourcePointer source;                                              ///< where the expressions stand
  std::function<at::Tensor(language::Quantity)> quantity;            ///< x, y and R
  std::function<at::Tensor(const ascribe::Composite&)> relevance;    ///< of x
  std::function<std::string()> only_kind;                            ///< what a single rule is for (built_model.hpp)
  std::function<at::Tensor(const std::string& name)> named_value{};  ///< of a session
};

class Evaluation {
 public:
  explicit Evaluation(Subject subject) : subject_(std::move(subject)) {}

  evaluate::Operand evaluate(const language::Expression& expression) { return evaluator().evaluate(expression); }
  /// It refers to this object.
  evaluate::ExpressionEvaluator evaluator();
  /// The layer with a value for each of its arguments.
  LayerDescription layer(const language::BuiltLayer& written);
  /// A rule or composite with its arguments. A bare rule is for a single layer whatever its kind is, otherwise for all
  /// linear and convolution layers.
  ascribe::Composite bound(const language::Target& target);

 private:
  at::Tensor test_value(const language::Expression& expression);
  std::int64_t whole(const language::Expression& expression, const char* what, std::int64_t most);
  language::Value argument(const language::Expression& expression, language::Type type);

  Subject subject_;
};

/// A number as a tensor without dimensions, or the tensor that it is.
at::Tensor as_tensor(const evaluate::Operand& operand);

}  // namespace ascribe::testing
