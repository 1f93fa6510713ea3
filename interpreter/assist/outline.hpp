// What stands where in a text, whether it can be read as a whole or not: its definitions, their parts, every name and
// what it is used as. The parser refuses what is broken, and the checker looks at nothing that is; an editor's text is
// broken most of the time. What is sound is read as the parser reads it (a test compares the two).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "interpreter/assist/lexemes.hpp"
#include "interpreter/language/clause.hpp"

namespace ascribe::assist {

inline constexpr std::size_t none = static_cast<std::size_t>(-1);

/// What a name is used as, as far as the text around it says.
enum class Use {
  defined,         ///< by an item, a clause or a list of parameters: it begins to mean something here
  target,          ///< a rule, a composite, or what the engine does
  function,        ///< in front of a `(`
  layer,           ///< of a test's model
  value,           ///< in an expression, or what stands before the point of `positive.y`
  member,          ///< behind that point
  pack,            ///< before the point of `std.epsilon`
  argument,        ///< `epsilon` of `epsilon = 1e-6`
  type,            ///< of a parameter
  kind,            ///< in front of `=>`
  parameter_name,  ///< a string in an expression or behind `param`
  field,           ///< of a test or a pack
  code             ///< behind `fails`
};

struct Mention {
  Span span;  ///< of a string with its quotes
  Use use;
  std::size_t item;                                      ///< in which it stands
  std::optional<Span> qualifier{};                       ///< what stands before its point
  std::size_t call = none;                               ///< of an argument's name: whose
  language::Clause clause = language::Clause::argument;  ///< in which it stands
};

struct WrittenArgument {
  Span span;
  std::optional<Span> name{};
  Span value{};
};

/// A call with parentheses.
struct WrittenCall {
  Use use;  ///< of what is called: target, function or layer
  std::optional<Span> qualifier;
  Span name;
  Span inside;  ///< between the parentheses
  bool closed = false;
  std::vector<WrittenArgument> arguments{};
  std::vector<std::size_t> commas{};
  std::size_t item = none;
  language::Clause clause = language::Clause::argument;
};

struct WrittenParameter {
  Span name;
  std::optional<Span> type{}, standard{};
  Span span{};
};

/// A line of a body.
struct Line {
  enum class Sort { modifier, term, let, outcome, require, entry, expect, field };
  Sort sort;
  Span span;
  Span name{};   ///< the word or the name that it begins with; of a let and a term the name
  Span value{};  ///< its expression, an entry's target, a term's body with its braces
  language::Clause clause = language::Clause::argument;
  std::vector<Line> lines{};  ///< of a term
};

struct OutlinedItem {
  enum class Sort { rule, composite, function, test, pack, import };
  Sort sort;
  Span span;
  Span keyword;
  Span name;    ///< of a test its string; empty where it is missing
  Span head;    ///< what says how it is called: up to the `=` or `{`
  Span body{};  ///< with its braces; of aliases, functions and imports what stands behind the `=`
  Span path{};  ///< of an import: its string
  std::vector<WrittenParameter> parameters{};
  std::vector<Line> lines{};
  std::string documentation{};  ///< the `##` lines directly above, without their marks
  Span comment{};               ///< these lines
};

/// What could follow where a text ends.
struct Expected {
  enum class Sort {
    nothing,
    item,
    rule_clause,
    term_clause,
    entry,   ///< a count or layers
    layers,  ///< behind a count or a comma
    test_clause,
    pack_field,
    type,
    expression,
    target,
    layer,   ///< in a test's model
    member,  ///< behind a point
    code,
    import_path,  ///< in a string, as are the next two
    glob,
    parameter_name,
    test_name
  };
  Sort sort = Sort::nothing;
  std::size_t item = none;
  language::Clause clause = language::Clause::argument;  ///< of expressions
  std::size_t call = none;                               ///< the innermost that is open
  bool argument_begins = false;    ///< right behind its `(` or a comma: an argument's name could stand there
  bool behind_value = false;       ///< an expression could go on
  bool behind_comparison = false;  ///< with `within`
  bool whole_begins = false;       ///< of an expression: `if` could stand there
  bool truth_begins = false;       ///< and `not`
  bool let = false;                ///< of a rule, which sees what the clauses see that use it
  Use use = Use::value;            ///< of what stands behind the point
  std::optional<Span> qualifier{};
  std::optional<Span> name{};             ///< what is begun: the kind before a glob
  std::vector<std::string_view> words{};  ///< reserved words that could stand there besides
};

struct Outline {
  std::vector<OutlinedItem> items;
  std::vector<Mention> mentions;  ///< in order
  std::vector<WrittenCall> calls;
  std::vector<Span> nodes;  ///< of expressions that hold others, lists and parentheses
  std::vector<Lexeme> lexemes;
  Expected expected;
};

/// Reads a text. It takes time in proportion to it, and never fails.
Outline outline(std::string_view text);

/// The item that an offset lies in, its doc comment included, or that ends there; `none` between items.
std::size_t item_at(const Outline& outline, std::size_t offset);
/// The name at an offset, or that ends there. Null where there is none.
const Mention* mention_at(const Outline& outline, std::size_t offset);

constexpr bool holds(Span span, std::size_t offset) { return span.begin <= offset && offset <= span.end; }

}  // namespace ascribe::assist
