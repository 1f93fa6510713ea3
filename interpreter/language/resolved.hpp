// What the checker makes of a file: rules, composites and functions with every name resolved and every space known to
// fit. Immutable, free of LibTorch; evaluators read it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "grammar/code.hpp"
#include "grammar/syntax.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/type.hpp"

namespace ascribe::language {

// ------------------------------------------------------------------------------------------------- arguments (values)

struct Function;

/// Numbers in C order; an empty shape is a single number.
struct Array {
  std::vector<std::int64_t> shape;
  std::shared_ptr<const std::vector<double>> values;
};

using Names = std::vector<std::string>;
struct Stabilizer;

/// What a parameter can be given: a number, numbers with a shape, names, or a stabilizer.
using Value = std::variant<double, Array, Names, Stabilizer>;

/// A number ε means z + ε·sign(z); a function is called with z in front of `rest`.
struct Stabilizer {
  double epsilon = 0;
  std::shared_ptr<const Function> function;  ///< null: the number counts
  std::vector<Value> rest;
};

/// As it would be written: `0.25`, `["bias"]`, `clipped(0.001)`.
std::string describe(const Value& value);

// -------------------------------------------------------------------------------------------------------- expressions

struct Expression;
using ExpressionPointer = std::shared_ptr<const Expression>;

enum class Quantity { x, w, y, v, R, grad, layer_x, layer_y, inputs, other };
inline constexpr int this_term = -1;

constexpr Space space_of(Quantity quantity) {
  switch (quantity) {
    case Quantity::w:
      return Space::param;
    case Quantity::y:
    case Quantity::R:
    case Quantity::layer_y:
      return Space::output;
    case Quantity::inputs:
      return Space::scalar;
    case Quantity::x:
    case Quantity::v:
    case Quantity::grad:
    case Quantity::layer_x:
    case Quantity::other:
      break;
  }
  return Space::input;
}

struct Constant {
  double value;
};

/// A parameter of the rule or function that is being evaluated.
struct ParameterReference {
  std::size_t index;
};

/// `x`, `positive.y`, `layer.x`, …; `term` counts the rule's terms.
struct QuantityReference {
  Quantity quantity;
  int term = this_term;
};

/// A let, already filled in: wherever it is used in one evaluation, it is evaluated once.
struct LetReference {
  ExpressionPointer value;
};

struct List {
  std::vector<ExpressionPointer> elements;
};

struct NameList {
  Names names;
};

/// A built-in that has no node of its own; `dimensions` of a reduction.
struct BuiltinCall {
  Builtin builtin;
  std::vector<ExpressionPointer> arguments;
  std::vector<std::int64_t> dimensions;
};

/// A function without its first argument.
struct StabilizerFunction {
  std::shared_ptr<const Function> function;
  std::vector<ExpressionPointer> rest;
};

/// `epsilon` yields a number, a stabilizer parameter, or a StabilizerFunction.
struct Stabilize {
  ExpressionPointer z, epsilon;
  bool by_stabilizer;
};

struct HasParameter {
  std::string name;
};

struct FunctionCall {
  std::shared_ptr<const Function> function;
  std::vector<ExpressionPointer> arguments;  ///< one for each of the function's parameters
};

using syntax::Operator;

struct Chain {
  std::vector<ExpressionPointer> operands;
  std::vector<Operator> operators;  ///< operators[i] stands before operands[i + 1]; from left to right
};

struct Comparison {
  Operator op;
  ExpressionPointer left, right, within;  ///< `within` may be null
};

struct Power {
  ExpressionPointer base, exponent;
};

struct Unary {
  Operator op;
  ExpressionPointer operand;
};

struct Conditional {
  ExpressionPointer condition, consequence, alternative;
};

struct Target;

/// In tests: numbers written out, as a tensor.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<ExpressionPointer> elements;  ///< in C order
};

/// In tests: normally distributed numbers.
struct Random {
  std::vector<ExpressionPointer> sizes;
  ExpressionPointer seed;
};

/// In tests: what a rule or composite hands to the input.
struct Relevance {
  std::shared_ptr<const Target> rules;
};

/// In sessions: a value that has a name there, looked up when it is needed.
struct NamedValue {
  std::string name;
  Type type;
};

struct Expression {
  std::variant<Constant, ParameterReference, QuantityReference, LetReference, List, NameList, BuiltinCall,
               StabilizerFunction, Stabilize, HasParameter, FunctionCall, Chain, Comparison, Power, Unary, Conditional,
               Tensor, Random, Relevance, NamedValue>
      node;
  Span span;  ///< in the source of the definition that holds it
};

// -------------------------------------------------------------------------------------------------------- definitions

struct Parameter {
  std::string name;
  Type type;
  std::optional<Value> default_value;    ///< none: an argument is needed
  ExpressionPointer default_expression;  ///< of functions, whose parameters take values of any space
};

/// Where a definition was written: what messages and reports point at.
struct Place {
  SourcePointer source;
  Span span;
};

/// `rule.rule:3:7`, or an empty string for no place.
std::string describe(const Place& place);

struct Function {
  std::string name;
  Place place;
  std::vector<Parameter> parameters;
  ExpressionPointer body;
  std::size_t operations = 0;  ///< of the body, the functions that it calls filled in
  std::size_t depth = 1;       ///< definitions that lead to definitions, this one included
};

struct Requirement {
  ExpressionPointer condition;
  std::string message;
  bool about_layer;  ///< uses has(): decided where the rule meets a layer, not when it is given its arguments
  Span span;
};

/// The parameters that a `param` clause is for.
struct ParameterSelector {
  std::optional<Names> names;            ///< written out
  std::optional<std::size_t> parameter;  ///< of the rule, of type names; neither: every parameter of the layer
};

struct ParamClause {
  ParameterSelector selector;
  ExpressionPointer value;
};

/// A null modifier is the default of the language's section 1.
struct Term {
  std::string name;  ///< empty for the only term of a rule without terms
  ExpressionPointer input, output, map;
  std::vector<ParamClause> params;  ///< the first that is for a parameter wins
};

struct Rule;
struct Composite;

/// What the engine does with a layer itself: batch norm becomes part of its neighbour, the run ends with a message, or
/// the output is a constant for all that follows.
enum class Engine { merge, refuse, stop };

/// What an entry or an alias leads to, with its arguments (one for each parameter of the target; expressions over the
/// parameters of the definition that it stands in).
struct Target {
  std::variant<std::shared_ptr<const Rule>, std::shared_ptr<const Composite>, Engine> definition;
  std::vector<ExpressionPointer> arguments;
  Span span;
};

struct Rule {
  std::string name, documentation;
  Place place;
  std::vector<Parameter> parameters;
  std::optional<Target> alias;  ///< set: nothing below counts
  std::vector<Requirement> requirements;
  std::vector<Term> terms;  ///< empty where `forward` or `backward` say everything
  ExpressionPointer reduce, forward, backward;
  std::size_t operations = 0;       ///< of all clauses, lets and functions filled in
  bool keeps_shape = false;         ///< `backward` mixes input and output: the layer must keep its shape
  bool backward_per_input = false;  ///< `backward` uses x, grad or inputs, so that each of several inputs gets its own
  bool uses_gradient = false;       ///< `backward` uses grad
  bool uses_other = false;          ///< is for layers with two inputs of one shape
  bool uses_layer_output = false;   ///< whether it needs what the layer gave
  std::size_t depth = 1;            ///< definitions that lead to definitions, this one included
};

/// `convolution "features.*"`, `module "encoder.*.act"`, `class "SMELU"`.
struct LayerSelector {
  /// Layers by kind and name, or every call of a module as one layer: of those with this path, or of this class.
  enum class Selects { layers, module, module_class };

  std::string kind;                 ///< of layers; empty: any
  std::optional<std::string> glob;  ///< of a layer's name, a module's path, a class's name; of modules always there
  Selects selects = Selects::layers;
};

struct Entry {
  enum class Count { all, first, last } count = Count::all;
  std::uint64_t number = 1;
  std::vector<LayerSelector> layers;
  Target target;
  Span span;
};

struct Composite {
  std::string name, documentation;
  Place place;
  std::vector<Parameter> parameters;
  std::optional<Target> alias;
  std::vector<Entry> entries;
  std::size_t all_entries = 0;  ///< one for each kind or glob, the composites that it leads to filled in
  std::size_t operations = 0;   ///< of all that its entries lead to
  std::size_t depth = 1;        ///< definitions that lead to definitions, this one included
};

struct BuildableLayer;

/// `linear(3, 2, seed = 1)` in a test: one expression for each of the layer's arguments; null: not given, or a branch.
struct BuiltLayer {
  const BuildableLayer* layer;
  std::vector<ExpressionPointer> arguments;
  Span span;
  std::vector<std::vector<BuiltLayer>> branches{};  ///< of `product([…], […])`, in order
};

struct Expectation {
  ExpressionPointer condition;  ///< null: the checker refused it already, as `fails` expects
  std::optional<Code> fails;
  Span span;
};

/// A model of layers in sequence, its input, the relevance that it starts from, and what is expected.
struct Test {
  std::string name;
  Place place;
  std::vector<BuiltLayer> model;
  ExpressionPointer x;
  ExpressionPointer R;  ///< null: the model's output
  std::vector<Expectation> expectations;
};

}  // namespace ascribe::language
