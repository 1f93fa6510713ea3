// What could be written at a place: words, names, arguments, files.
#pragma once

#include <string>
#include <vector>

#include "interpreter/assist/symbols.hpp"

namespace ascribe::assist {

struct Offer {
  enum class Sort { word, name, argument, file, label };
  std::string text;  ///< takes the place of what is begun
  Sort sort = Sort::word;
  std::optional<Symbol> symbol{};  ///< what it means; `about` tells more
  std::string detail{};            ///< one line: a signature, a type
  int rank = 0;                    ///< nearer ones are smaller
  std::vector<Edit> others{};      ///< what has to be written besides: an import
};

struct Completion {
  Span replaces;  ///< what is begun: from its first byte to the place
  std::vector<Offer> offers;
};

/// Whatever could stand at an offset, not only what begins like what is there. Files and packs for imports are looked
/// up where `options` say; without them none are offered.
Completion complete(const Project& project, const PagePointer& page, std::size_t offset,
                    const LoadOptions* options = nullptr);

}  // namespace ascribe::assist
