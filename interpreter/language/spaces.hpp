// Which space each expression lives in, and whether its operators may join what they join.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "interpreter/language/reporter.hpp"
#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// What a parameter is given: its type, and of a stabilizer that is a function, which one, and what it is given itself.
struct Given {
  Type type;
  std::shared_ptr<const Function> function{};
  std::vector<Given> rest{};
};

/// Where an expression is evaluated: in a clause of a rule; in `backward`, where input and output are one space; in
/// arguments, defaults and requirements, which are computed before any layer is there.
enum class Moment { clause, backward, before_layer };

class SpaceChecker {
 public:
  SpaceChecker(Reporter reporter, std::vector<Given> parameters, Moment moment = Moment::clause)
      : reporter_(std::move(reporter)), parameters_(std::move(parameters)), moment_(moment) {}
  /// `parameters`: the types of the definition's parameters.
  SpaceChecker(Reporter reporter, const std::vector<Type>& parameters, Moment moment = Moment::clause)
      : SpaceChecker(std::move(reporter), std::vector<Given>(), moment) {
    for (auto type : parameters) parameters_.push_back({type});
  }

  /// The expression's type; unknown after a mistake, which is reported.
  Type infer(const Expression& expression);

  /// The same, and which function it is, if it is one.
  Given given(const Expression& expression);

  /// Reports where `actual` is not what a clause or parameter takes: a number of the space or a smaller one.
  bool expect(Type actual, Type wanted, Span where, const std::string& what);

 private:
  Type infer_node(const Constant& node, Span where);
  Type infer_node(const ParameterReference& node, Span where);
  Type infer_node(const QuantityReference& node, Span where);
  Type infer_node(const LetReference& node, Span where);
  Type infer_node(const List& node, Span where);
  Type infer_node(const NameList& node, Span where);
  Type infer_node(const BuiltinCall& node, Span where);
  Type infer_node(const StabilizerFunction& node, Span where);
  Type infer_node(const Stabilize& node, Span where);
  Type infer_node(const HasParameter& node, Span where);
  Type infer_node(const FunctionCall& node, Span where);
  Type infer_node(const Chain& node, Span where);
  Type infer_node(const Comparison& node, Span where);
  Type infer_node(const Power& node, Span where);
  Type infer_node(const Unary& node, Span where);
  Type infer_node(const Conditional& node, Span where);
  Type infer_node(const Tensor& node, Span where);
  Type infer_node(const Random& node, Span where);
  Type infer_node(const Relevance& node, Span where);
  Type infer_node(const NamedValue& node, Span where);
  Type joined(Type a, Type b, Span where);
  Type number(const ExpressionPointer& expression);
  Type number(Type type, Span where);
  /// The truth value's space, as a number's.
  Type truth_of(const ExpressionPointer& expression, const char* what);
  Type let(const Expression& value);
  Type conditional(const Conditional& node, Span where);
  Type list(const List& node);
  Type fold(const BuiltinCall& node, Span where);
  Type reduction(const Reduction& reduction, const BuiltinCall& node, Span where);
  /// Of quantile.
  bool share(const Expression& expression);
  Type function_call(const FunctionCall& node, Span where);
  Type stabilize(const Stabilize& node, Span where);
  Type apply(const Function& function, std::vector<Given> arguments, Span where);
  /// What stands behind z in a stabilizer function, where it becomes a value of its own: numbers, no tensors.
  std::vector<Given> kept(const StabilizerFunction& node);
  bool accepts(Type parameter, Type argument) const;

  Reporter reporter_;
  std::vector<Given> parameters_;
  Moment moment_;
  std::map<const Expression*, Type> lets_;
};

/// Whether a value of one type can be given to a parameter of another.
bool accepts(Type parameter, Type argument);

}  // namespace ascribe::language
