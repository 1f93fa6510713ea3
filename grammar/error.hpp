// The exception that carries messages.
#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

// As neighbours: hosts find these headers in another folder.
#include "diagnostic.hpp"
#include "export.hpp"

namespace ascribe {

/// The only exception that Ascribe throws. Its diagnostics are those that the command prints.
class ASCRIBE_EXPORT Error : public std::exception {
 public:
  explicit Error(std::vector<Diagnostic> diagnostics);
  explicit Error(Diagnostic diagnostic) : Error(std::vector{std::move(diagnostic)}) {}

  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
  /// The diagnostics as text, without colour.
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::vector<Diagnostic> diagnostics_;
  std::string text_;
};

}  // namespace ascribe
