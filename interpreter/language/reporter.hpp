// Where mistakes are reported to while a source is checked, and where that ends.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "grammar/diagnostic.hpp"

namespace ascribe::language {

/// Ends checking where it would go on for too long. Without a reason there are more than `limits.messages` errors.
struct StopChecking {
  std::optional<Diagnostic> reason;
};

/// Does what may end in StopChecking, and adds the reason.
template <typename Action>
void until_stopped(std::vector<Diagnostic>& diagnostics, Action action) {
  try {
    action();
  } catch (const StopChecking& stop) {
    if (stop.reason) diagnostics.push_back(*stop.reason);
  }
}

/// Reports into a list of diagnostics, with places in one source. Beyond `limits.messages`, warnings are dropped, and
/// an error throws StopChecking.
class Reporter {
 public:
  Reporter(SourcePointer source, std::vector<Diagnostic>& diagnostics)
      : source_(std::move(source)), diagnostics_(&diagnostics) {}
  Diagnostic& report(Code code, Span where, std::string message, std::string help = "") const;
  void warn(Code code, Span where, std::string message, std::string help = "", std::vector<Label> others = {}) const;
  /// How many errors there are, whoever reported them; one more than `limits.messages` for all beyond.
  std::size_t error_count() const;
  const SourcePointer& source() const { return source_; }

 private:
  std::size_t count(Severity severity) const;

  SourcePointer source_;
  std::vector<Diagnostic>* diagnostics_;
};

}  // namespace ascribe::language
