#include "interpreter/language/definition_text.hpp"

#include <vector>

#include "grammar/parser.hpp"

namespace ascribe::language {

std::string definition_text(const Place& place) {
  if (!place.source) return "";
  std::vector<Diagnostic> none;
  auto file = parse_file(place.source, none);
  for (auto& item : file.items)
    if (item.span.begin <= place.span.begin && place.span.begin < item.span.end)
      return std::string(place.source->text(item.span));
  return "";
}

}  // namespace ascribe::language
