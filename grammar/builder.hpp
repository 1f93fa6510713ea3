// From PEGTL's tree to our own. Part of the parser, which is its only user.
#pragma once

#include <vector>

#include "grammar/diagnostic.hpp"
#include "grammar/grammar.hpp"
#include "grammar/syntax.hpp"

namespace ascribe {

/// A node of PEGTL's tree; the parser says which of the grammar's rules become nodes.
struct Node : grammar::parse_tree::basic_node<Node> {};

/// The tree of a definition. `comments` are all of the source's, in order. What the grammar lets through and the
/// language does not (a number too large, a positional argument behind a named one) is appended to `diagnostics`.
syntax::Item build_item(const Node& node, const SourcePointer& source, const std::vector<Span>& comments,
                        std::vector<Diagnostic>& diagnostics);

/// The tree of a single call, likewise.
syntax::Call build_call(const Node& node, const SourcePointer& source, const std::vector<Span>& comments,
                        std::vector<Diagnostic>& diagnostics);

/// The tree of a session's value, likewise.
syntax::Statement build_statement(const Node& node, const SourcePointer& source, const std::vector<Span>& comments,
                                  std::vector<Diagnostic>& diagnostics);

}  // namespace ascribe
