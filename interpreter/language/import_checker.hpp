// The imports of one file: what their aliases may be called, and whether they are used.
#pragma once

#include <map>
#include <string_view>

#include "interpreter/language/scope.hpp"

namespace ascribe::language {

class ImportChecker {
 public:
  ImportChecker(const Imports& imports, FileScope& file) : imports_(imports), file_(file) {}

  /// Makes the alias known to the file.
  void add(const syntax::Import& written);
  /// Reports the aliases that no path of the file begins with.
  void report_unused(const syntax::File& file) const;

 private:
  const Imports& imports_;
  FileScope& file_;
  std::map<std::string_view, const syntax::Import*> known_;  // by alias
};

}  // namespace ascribe::language
