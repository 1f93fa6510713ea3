// The tree of a source: what was written, where, and nothing about what it means. The parser makes it; the checker, the
// formatter and the documentation read it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "grammar/source.hpp"

namespace ascribe::syntax {

struct Name {
  std::string text;
  Span span;
};

struct StringLiteral {
  std::string value;  ///< without quotes and backslashes
  Span span;
};

// ------------------------------------------------------------------------------------------------------- expressions

struct Expression;
using ExpressionPointer = std::unique_ptr<Expression>;

/// `name` or `qualifier.name`.
struct Path {
  std::optional<Name> qualifier;
  Name name;
  Span span;
};

struct Argument {
  std::optional<Name> name;
  ExpressionPointer value;
  Span span;
};

/// A path, with arguments or without: a value, a function's call, a rule with its arguments.
struct Call {
  Path path;
  bool has_arguments = false;  ///< whether there are parentheses
  std::vector<Argument> arguments;
  Span span;
};

struct Number {
  double value;
};

struct List {
  std::vector<Expression> elements;
};

/// `( … )`
struct Group {
  ExpressionPointer inner;
};

enum class Operator {
  add,
  subtract,
  multiply,
  divide,
  power,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  logical_and,
  logical_or,
  negate,
  logical_not
};

/// `a + b - c`: operands of one precedence, joined from left to right; operators[i] stands before operands[i + 1].
/// Kept flat, so that a long sum is not a deep tree.
struct Chain {
  std::vector<Expression> operands;
  std::vector<Operator> operators;
};

/// `a == b within t`
struct Comparison {
  Operator op;
  ExpressionPointer left, right, within;  ///< `within` may be null
};

struct Power {
  ExpressionPointer base, exponent;
};

struct Unary {
  Operator op;  ///< negate or logical_not
  ExpressionPointer operand;
};

struct Conditional {
  ExpressionPointer condition, consequence, alternative;
};

struct Expression {
  Span span;
  std::variant<Number, StringLiteral, List, Group, Call, Chain, Comparison, Power, Unary, Conditional> node;
};

// -------------------------------------------------------------------------------------------------------------- items

struct Parameter {
  Name name;
  std::optional<Name> type;
  ExpressionPointer default_value;  ///< may be null
  Span span;
};

enum class Stage { input, param, output, map, reduce, forward, backward };

/// `input = …`, `param … = …`, `output = …`, `map = …`
struct Modifier {
  Stage stage;
  ExpressionPointer selector;  ///< of `param`: a string, a list or a name; null: every parameter
  ExpressionPointer value;
  Span keyword;
  Span span;
};

struct Let {
  Name name;
  ExpressionPointer value;
  Span span;
};

struct Term {
  Name name;
  std::vector<Modifier> modifiers;
  Span span;
};

/// `reduce = …`, `forward = …`, `backward = …`
struct Outcome {
  Stage stage;
  ExpressionPointer value;
  Span keyword;
  Span span;
};

struct Require {
  ExpressionPointer condition;
  std::optional<StringLiteral> message;
  Span span;
};

using Clause = std::variant<Modifier, Term, Let, Outcome, Require>;

struct Rule {
  Name name;
  std::vector<Parameter> parameters;
  std::optional<Call> alias;  ///< `rule a = b(…)`; otherwise the clauses count
  std::vector<Clause> clauses;
};

/// `convolution "features.*"`: a kind, a glob over module names, or both.
struct Layers {
  std::optional<Name> kind;
  std::optional<StringLiteral> glob;
  Span span;
};

/// `first 5`, `last`
struct Count {
  bool last = false;
  std::optional<std::uint64_t> number;
  Span span;
};

struct Entry {
  std::optional<Count> count;
  std::vector<Layers> layers;
  Call target;
  Span span;
};

struct Composite {
  Name name;
  std::vector<Parameter> parameters;
  std::optional<Call> alias;
  std::vector<Entry> entries;
};

struct Function {
  Name name;
  std::vector<Parameter> parameters;
  ExpressionPointer body;
};

struct Field {
  Name name;
  ExpressionPointer value;
  Span span;
};

struct Expect {
  ExpressionPointer condition;
  std::optional<Name> fails;  ///< the code after `fails`
  Span span;
};

struct Test {
  StringLiteral name;
  std::vector<std::variant<Expect, Let, Field>> clauses;
};

struct Pack {
  Name name;
  std::vector<Field> fields;
};

struct Import {
  StringLiteral path;
  Name name;
};

struct Item {
  std::variant<Rule, Composite, Function, Test, Pack, Import> node;
  std::string documentation;  ///< the `##` lines directly above, without their marks
  Span span;
};

/// `layer = linear(3, 2)`, or an expression by itself: what a session's input holds besides definitions.
struct Statement {
  std::optional<Name> name;
  ExpressionPointer value;
  Span span;
};

/// What was entered into a session.
struct Input {
  SourcePointer source;
  std::vector<std::variant<Item, Statement>> parts;
};

struct File {
  SourcePointer source;
  std::vector<Item> items;
  std::vector<Span> comments;         ///< every comment from its `#` to the end of its line, in order
  std::vector<std::string> broken{};  ///< names of rules, composites and functions that could not be read
  bool whole = true;                  ///< false: there were mistakes, and the items that hold them are missing
};

}  // namespace ascribe::syntax
