#include "grammar/diagnostic.hpp"

#include <algorithm>
#include <tuple>

#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"

namespace ascribe {

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](auto& d) { return d.severity == Severity::error; });
}

void put_in_order(std::vector<Diagnostic>& diagnostics) {
  auto key = [](const Diagnostic& d) {
    return std::tuple(d.primary.source ? d.primary.source->name() : std::string(), d.primary.span.begin,
                      d.primary.span.end, d.code, std::string_view(d.message));
  };
  std::stable_sort(diagnostics.begin(), diagnostics.end(), [&](auto& a, auto& b) { return key(a) < key(b); });
  diagnostics.erase(
      std::unique(diagnostics.begin(), diagnostics.end(), [&](auto& a, auto& b) { return key(a) == key(b); }),
      diagnostics.end());
}

void cut(std::vector<Diagnostic>& diagnostics) {
  if (diagnostics.size() <= limits.messages) return;
  diagnostics.resize(limits.messages);
  diagnostics.push_back({.code = Code::too_large,
                         .message = filled("there are more than {} messages; the others are left out", limits.messages),
                         .help = "mend these first"});
}

}  // namespace ascribe
