// The pieces of any text, also of one that is no rule file yet: what a tolerant reader works on.
#pragma once

#include <string_view>
#include <vector>

#include "grammar/source.hpp"

namespace ascribe::assist {

struct Lexeme {
  enum class Kind { name, word, number, text, mark, comment };
  Kind kind;  ///< `word`: a reserved one; `text`: a string with its quotes
  Span span;
  bool whole = true;  ///< false: a string without its end
};

/// Every byte that is no blank belongs to one piece; nothing is refused.
std::vector<Lexeme> cut(std::string_view text);

/// Whether nothing may be called so.
bool is_reserved(std::string_view word);

/// Whether a word begins a definition: `rule`, `fn`, …, which stand nowhere else.
bool begins_item(std::string_view word);

/// Where the name begins that ends at an offset, or the offset where there is none.
std::size_t begin_of_name(std::string_view text, std::size_t offset);

}  // namespace ascribe::assist
