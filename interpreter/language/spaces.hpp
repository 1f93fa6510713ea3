// Which space each expression lives in, and whether its operators may join what they join.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "interpreter/language/names.hpp"
#include "interpreter/language/program.hpp"

namespace ascribe::language {

class SpaceChecker {
 public:
  /// `parameters`: the types of the definition's parameters. `merged`: input and output are one space (in `backward`).
  SpaceChecker(Reporter reporter, std::vector<Type> parameters, bool merged = false)
      : reporter_(std::move(reporter)), parameters_(std::move(parameters)), merged_(merged) {}

  /// The expression's type; unknown after a mistake, which is reported.
  Type infer(const Expression& expression);

  /// Reports where `actual` is not what a clause or parameter takes: a number of the space or a smaller one.
  bool expect(Type actual, Type wanted, Span where, const std::string& what);

 private:
  Type infer_node(const Expression& expression);
  Type joined(Type a, Type b, Span where);
  Type number(const ExpressionPointer& expression);
  /// The truth value's space, as a number's.
  Type truth_of(const ExpressionPointer& expression, const char* what);
  Type reduction(const BuiltinCall& node, Span where);
  Type function_call(const FunctionCall& node, Span where);
  Type stabilize(const Stabilize& node, Span where);
  Type apply(const Function& function, std::vector<Type> arguments, Span where);

  Reporter reporter_;
  std::vector<Type> parameters_;
  bool merged_;
  std::map<const Expression*, Type> lets_;
};

/// Whether a value of one type can be given to a parameter of another.
bool accepts(Type parameter, Type argument);

}  // namespace ascribe::language
