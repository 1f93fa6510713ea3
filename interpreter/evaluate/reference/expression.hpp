// The value of an expression where a rule meets a layer: numbers, truth and tensors, spread over each other's shapes.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <span>
#include <variant>

#include "grammar/overloaded.hpp"
#include "interpreter/evaluate/reference/operand.hpp"
#include "interpreter/language/resolved.hpp"

namespace ascribe::evaluate {

/// What an expression can refer to. Nothing is owned.
struct Environment {
  std::span<const language::Value> arguments;  ///< of the rule
  /// The tensor of a quantity; `term` as in QuantityReference.
  std::function<at::Tensor(language::Quantity, int term)> quantity;
  /// A tensor of the space's shape, type and device: what arguments of that space are laid on.
  std::function<at::Tensor(Space)> like;
  /// Where what lives in the space holds its samples; null: dimension 0 is the batch.
  std::function<layering::SamplePlace(Space)> samples = {};
  /// How many of the layer's inputs get relevance.
  double inputs = 1;
  /// The types of the rule's parameters.
  std::span<const language::Parameter> parameters;
  /// In tests and sessions: the value of a node that only these have.
  std::function<at::Tensor(const language::Expression&)> test_value = {};
};

class ExpressionEvaluator {
 public:
  explicit ExpressionEvaluator(Environment environment) : environment_(std::move(environment)) {}

  Operand evaluate(const language::Expression& expression);
  /// Whether a truth value holds, for tensors: for every element. `!=` holds where `==` does not.
  bool holds(const language::Expression& expression);
  /// The expression's value in the shape of `like`, which lives in a space.
  at::Tensor evaluate_as(const language::Expression& expression, const at::Tensor& like, Space space = Space::scalar);

 private:
  // What a node is worth; the expression is the one that holds it.
  Operand evaluate_node(const language::Constant&, const language::Expression&);
  Operand evaluate_node(const language::ParameterReference&, const language::Expression&);
  Operand evaluate_node(const language::QuantityReference&, const language::Expression&);
  Operand evaluate_node(const language::LetReference&, const language::Expression&);
  Operand evaluate_node(const language::NamedValue&, const language::Expression&);
  Operand evaluate_node(const language::BuiltinCall&, const language::Expression&);
  Operand evaluate_node(const language::FunctionCall&, const language::Expression&);
  Operand evaluate_node(const language::Stabilize&, const language::Expression&);
  Operand evaluate_node(const language::Conditional&, const language::Expression&);
  Operand evaluate_node(const language::Power&, const language::Expression&);
  Operand evaluate_node(const language::Unary&, const language::Expression&);
  Operand evaluate_node(const language::Comparison&, const language::Expression&);
  Operand evaluate_node(const language::Chain&, const language::Expression&);
  Operand evaluate_node(const OneOf<language::Tensor, language::Random, language::Relevance> auto&,
                        const language::Expression&);
  Operand evaluate_node(
      const OneOf<language::List, language::NameList, language::StabilizerFunction, language::HasParameter> auto&,
      const language::Expression&);

  /// A comparison, or any other truth value that is not put together of some.
  bool decide(const language::Expression& expression);
  Operand argument(std::size_t index);
  layering::SamplePlace samples(Space space) const;
  Operand call(const language::BuiltinCall& call);
  /// Of quantile: a number from 0 to 1.
  double share(const language::Expression& expression);
  using Bound = std::variant<Operand, language::Value>;
  /// What a function's parameter is given, evaluated where the call stands.
  Bound bind(const language::Expression& expression, const language::Parameter& parameter);
  Operand run(const language::Function& function, std::vector<Bound> arguments);
  Operand call(const language::FunctionCall& call);
  Operand stabilize(const language::Stabilize& node);
  Operand stabilize_by(Operand z, const language::Stabilizer& stabilizer);
  Operand choose(const language::Conditional& node);

  Environment environment_;
  // Function calls: the operands of the parameters. Empty where a rule itself is evaluated.
  std::vector<Bound> frame_;
  std::map<const language::Expression*, Operand> lets_;
};

/// The numbers of an argument as a tensor that broadcasts over `like`, which lives in the space (section 5 of the
/// language). Throws Error (rule_does_not_fit); `name` is the argument's.
at::Tensor laid_on(const language::Array& array, const at::Tensor& like, Space space, const std::string& name);

/// A tensor reduced along the call's dimensions, or to one number for each sample. Throws Error (rule_does_not_fit):
/// dimensions that are not there, or that samples lie along.
Operand reduced(const language::BuiltinCall& call, const Operand& z, double share);

/// z + ε·sign z, with sign 0 = 1: the stabilizer of the language's section 1.
at::Tensor stabilized(const at::Tensor& z, double epsilon);

}  // namespace ascribe::evaluate
