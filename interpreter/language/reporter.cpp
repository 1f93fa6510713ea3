#include "interpreter/language/reporter.hpp"

#include "grammar/limits.hpp"

namespace ascribe::language {

Diagnostic& Reporter::report(Code code, Span where, std::string message, std::string help) const {
  if (error_count() > limits.messages) throw StopChecking{};
  diagnostics_->push_back(
      {.code = code, .message = std::move(message), .primary = {source_, where, ""}, .help = std::move(help)});
  return diagnostics_->back();
}

void Reporter::warn(Code code, Span where, std::string message, std::string help, std::vector<Label> others) const {
  if (count(Severity::warning) > limits.messages) return;
  diagnostics_->push_back({.code = code,
                           .severity = Severity::warning,
                           .message = std::move(message),
                           .primary = {source_, where, ""},
                           .others = std::move(others),
                           .help = std::move(help)});
}

std::size_t Reporter::error_count() const { return count(Severity::error); }

std::size_t Reporter::count(Severity severity) const {
  std::size_t found = 0;
  for (auto& each : *diagnostics_)
    if (each.severity == severity && ++found > limits.messages) break;
  return found;
}

}  // namespace ascribe::language
