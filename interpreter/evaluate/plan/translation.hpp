// From a rule's expressions to a graph of values.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "interpreter/evaluate/plan/value_graph.hpp"
#include "interpreter/language/resolved.hpp"

namespace ascribe::evaluate::plan {

/// What an expression can refer to. Nothing is owned.
struct Names {
  std::span<const language::Parameter> parameters;  ///< of the rule
  std::span<const language::Value> arguments;
  double inputs = 1;  ///< how many of the layer's inputs get relevance
  /// `x`, `positive.y`, …; nothing where there is no such value element by element (`grad`, `w`).
  std::function<std::optional<Value>(language::Quantity, int term)> quantity;
};

/// Functions, lets and stabilizers are filled in.
class Translation {
 public:
  Translation(ValueGraph& graph, Names names) : graph_(graph), names_(std::move(names)) {}

  /// Nothing where it is not computed element by element; then `obstacle` says what stands in the way.
  std::optional<Value> translate(const language::Expression& expression);
  const std::string& obstacle() const { return obstacle_; }

 private:
  using Bound = std::variant<Value, language::Value>;
  using Frame = std::vector<Bound>;
  struct Failed {};  // thrown, and caught by translate()

  Value value(const language::Expression& expression, const Frame* frame);
  Value of_argument(std::size_t index, const Frame* frame);
  Value of_call(const language::BuiltinCall& call, const Frame* frame);
  Value of_reduction(const language::BuiltinCall& call, Value of, const Frame* frame);
  Value of_function(const language::Function& function, Frame arguments);
  Value of_stabilize(const language::Stabilize& node, const Frame* frame);
  Value of_chain(const language::Chain& node, const Frame* frame);
  Bound bind(const language::Expression& expression, const language::Parameter& parameter, const Frame* frame);
  /// z + ε·sign z
  Value stabilized(Value z, Value epsilon);
  [[noreturn]] void fail(std::string obstacle);

  ValueGraph& graph_;
  Names names_;
  std::string obstacle_;
};

}  // namespace ascribe::evaluate::plan
