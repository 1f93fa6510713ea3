// Carries a source's tokens into a Layout, one after the other, and their comments along.
#pragma once

#include <cstddef>
#include <string_view>

#include "grammar/layout.hpp"
#include "grammar/tokens.hpp"

namespace ascribe {

/// The tokens are not those that the tree tells of: a fault of ours.
struct Disagreement {};

class TokenWriter {
 public:
  /// `source` has to outlive this object.
  explicit TokenWriter(const Tokens& source) : source_(source) {}

 protected:
  const Token& peek() const { return source_.tokens[next_]; }
  bool at(std::string_view text) const { return peek().text == text; }
  bool has_comments() const { return next_comment_ < peek().comments_end; }
  /// Whether the author left an empty line above the next token or a comment before it.
  bool blank_line_above() const;

  /// Writes the next token, which is `expected` where only one can be. Throws Disagreement.
  void take(std::string_view expected = {});
  /// A comma stands directly behind its element, and a comment between the two behind the comma.
  void take_comma();
  /// Leaves out the next token, but not its comments.
  void drop();

  /// Writes the comments before the next token, among tokens of one line: empty lines around them go.
  void comments();
  /// Writes the first of them if it stands on the line of the token above.
  void trailing_comment();
  /// Writes the comments above a clause, an entry or a definition, or at the end of several. Empty lines stay, but for
  /// those below an opening brace and above a closing one.
  void comments_above(bool below_brace);
  /// Opens a group that the comments before its first token do not break.
  void open_group();

  Layout layout_;

 private:
  const Comment& comment() const { return source_.comments[next_comment_]; }

  const Tokens& source_;
  std::size_t next_ = 0, next_comment_ = 0;
};

}  // namespace ascribe
