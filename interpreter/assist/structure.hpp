// How a text is built, for those who show it: its definitions, what can be folded, what encloses a place, what each
// name is.
#pragma once

#include <string>
#include <vector>

#include "interpreter/assist/symbols.hpp"

namespace ascribe::assist {

/// Something with a name, and what is in it.
struct Listed {
  std::string name, detail;
  Symbol::Sort sort;
  Span span, name_span;
  std::vector<Listed> inner{};
};
std::vector<Listed> listed_symbols(const Page& page);

/// What may be folded: it spans several lines. `comment`: lines of comments.
struct Fold {
  Span span;
  bool comment = false;
};
std::vector<Fold> folds(const Page& page);

/// What encloses an offset, the smallest first; each holds the one before it.
std::vector<Span> enclosing(const Page& page, std::size_t offset);

/// What a stretch is, for colours: in order, apart from each other.
struct Coloured {
  enum class Sort {
    keyword,
    string,
    number,
    comment,
    documentation,
    operation,
    rule,
    function,
    parameter,
    variable,
    property,
    type,
    kind,
    pack
  };
  Span span;
  Sort sort;
  bool defines = false, of_language = false;
};
std::vector<Coloured> colours(const Project& project, const PagePointer& page);

/// The string of an import, and the file that it leads to.
struct ImportLink {
  Span span;
  std::filesystem::path leads;
};
std::vector<ImportLink> import_links(const Project& project, const Page& page);

}  // namespace ascribe::assist
