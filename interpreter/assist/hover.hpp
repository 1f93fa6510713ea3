// What there is to say about a place: signatures, doc comments, spaces and values, as Markdown.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "interpreter/assist/symbols.hpp"

namespace ascribe::assist {

struct Hover {
  Span span;
  std::string text;  ///< Markdown
};

/// Nothing where there is nothing to say.
std::optional<Hover> hover(const Project& project, const PagePointer& page, std::size_t offset);

/// About a symbol: how it is called, and what its doc comment or the language's tables say.
std::string about(const Project& project, const PagePointer& page, const Symbol& symbol);

/// How it is called, on one line: `rule norm(epsilon: stabilizer = 1e-6)`. Empty where it is not called.
std::string signature_of(const Project& project, const PagePointer& page, const Symbol& symbol);

/// A doc comment as Markdown.
std::string documentation_text(std::string_view documentation);
/// Its first sentence.
std::string summary_of(std::string_view documentation);

/// A call that is being written.
struct Signature {
  std::string label;
  std::vector<Span> parameters{};  ///< their bytes in the label
  std::size_t active = none;       ///< which one stands at the cursor
  std::string documentation{};
};
std::optional<Signature> signature_help(const Project& project, const PagePointer& page, std::size_t offset);

}  // namespace ascribe::assist
