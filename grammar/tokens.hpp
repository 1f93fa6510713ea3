// The tokens of a source that the parser has accepted, with the comments between them: what a formatter must carry
// over.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "grammar/syntax.hpp"

namespace ascribe {

struct Comment {
  std::string_view text;  ///< from `#` on, without blanks at its end
  bool trailing;          ///< behind a token on the same line
  bool blank_before;      ///< whether an empty line stands above
};

/// A name with its qualifier (`positive.y`), a reserved word, a number, a string, an operator or a mark.
struct Token {
  std::string_view text;  ///< empty at the end of the source
  std::size_t line = 0;   ///< on which it begins, from 0
  bool blank_before = false;
  std::size_t comments_begin = 0, comments_end = 0;  ///< those directly before it, in `Tokens::comments`
  std::size_t closed_on = 0;                         ///< of `{`: the line of its `}`
};

struct Tokens {
  std::vector<Token> tokens;  ///< the last one stands for the end of the source
  std::vector<Comment> comments;
};

/// Cuts the source of a file without mistakes into tokens. They point into the source.
Tokens cut_into_tokens(const syntax::File& file);

/// Whether both have the same tokens and comments in the same order. `;` and `,` do not count: lines may end with the
/// one and lists with the other, and a comment may stand on either side of them.
bool same_order(const Tokens& a, const Tokens& b);

}  // namespace ascribe
