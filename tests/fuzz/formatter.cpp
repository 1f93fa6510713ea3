// Any source without syntax errors has a canonical text, which means the same and is its own canonical text.
#include "grammar/formatter.hpp"

#include "grammar/parser.hpp"
#include "grammar/syntax_compare.hpp"
#include "tests/fuzz/property.hpp"

using namespace ascribe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto source = fuzz::source_of(data, size);
  std::vector<Diagnostic> mistakes, diagnostics;
  auto file = parse_file(source, mistakes);
  auto text = format_source(source, diagnostics);
  fuzz::check_diagnostics(diagnostics);
  if (!text) {
    fuzz::require(has_errors(mistakes) || (diagnostics.size() == 1 && diagnostics[0].code == Code::too_large),
                  "a source without mistakes is formatted", source->text());
    return 0;
  }
  fuzz::require(!has_errors(mistakes) && diagnostics.empty(), "what is formatted has no mistakes", *text);

  auto formatted = std::make_shared<Source>("formatted.rule", *text);
  auto again = parse_file(formatted, diagnostics);
  fuzz::require(diagnostics.empty() && same_syntax(file, again), "the canonical text means the same", *text);
  fuzz::require(again.comments.size() == file.comments.size(), "the canonical text has the same comments", *text);
  fuzz::require(text->empty() || text->ends_with('\n'), "the last line has an end", *text);
  fuzz::require(text->find(" \n") == text->npos && text->find("\r\n") == text->npos, "no line ends in blanks", *text);
  fuzz::require(format_source(formatted, diagnostics) == text, "the canonical text is its own", *text);
  return 0;
}
