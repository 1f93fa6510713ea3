#include "grammar/error.hpp"

#include "grammar/render_text.hpp"

namespace ascribe {

Error::Error(std::vector<Diagnostic> diagnostics)
    : diagnostics_(std::move(diagnostics)), text_(render_text(diagnostics_)) {
  if (!text_.empty()) text_.pop_back();  // the last line end
}

}  // namespace ascribe
