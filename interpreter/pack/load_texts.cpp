// Texts that lie in no folder: the standard pack's own, what is entered, what a host brings.
#include "grammar/fixes.hpp"
#include "grammar/parser.hpp"
#include "interpreter/language/checker.hpp"
#include "interpreter/language/pack_checker.hpp"
#include "interpreter/pack/loader.hpp"

namespace ascribe {

Loaded load_texts(const std::vector<SourcePointer>& sources, const language::Definitions* standard) {
  std::vector<Diagnostic> diagnostics;
  std::vector<syntax::File> files;
  std::vector<const syntax::File*> pointers;
  for (auto& source : sources) files.push_back(parse_file(source, diagnostics));
  for (auto& file : files) {
    pointers.push_back(&file);
    language::refuse_packs(file, diagnostics);
    for (auto& item : file.items)
      if (auto* written = std::get_if<syntax::Import>(&item.node))
        diagnostics.push_back({.code = Code::bad_import,
                               .message = "a text lies in no folder: its imports lead nowhere",
                               .primary = {file.source, written->path.span, ""},
                               .help = "write it into a file and load that"});
  }
  auto definitions = language::check(pointers, {standard}, diagnostics);
  cut(diagnostics);
  add_fixes(diagnostics);
  if (has_errors(diagnostics)) throw Error(std::move(diagnostics));
  return {.definitions = std::make_shared<const language::Definitions>(std::move(definitions)),
          .warnings = std::move(diagnostics)};
}

}  // namespace ascribe
