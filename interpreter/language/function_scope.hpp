// The functions and packs that can be reached from where an expression stands.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/syntax.hpp"
#include "interpreter/language/reporter.hpp"
#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// The functions that an expression can call, besides the built-in ones.
class FunctionScope {
 public:
  virtual ~FunctionScope() = default;
  /// Nothing where no function has that name; null where it has a mistake or cannot be reached, which is reported.
  virtual std::optional<std::shared_ptr<const Function>> find(const syntax::Path& path, const Reporter& reporter) = 0;
  /// Whether a name needs no qualifier to be a function's.
  virtual bool is_function(std::string_view name) const = 0;
  /// Whether a name needs no qualifier to be a rule's or composite's, which `relevance` is given.
  virtual bool is_target(std::string_view name) const = 0;
  /// All of the functions' names, for messages.
  virtual std::vector<std::string> function_names() const = 0;
  /// Whether `qualifier.name` leads to a pack: `std` or an import.
  virtual bool is_pack(std::string_view qualifier) const = 0;
  virtual std::vector<std::string> packs() const = 0;
  /// Counts operations that are checked; throws StopChecking beyond `limits.all_operations`.
  virtual void spend(std::size_t operations, Span where) = 0;
};

/// Reports a qualifier that is no pack.
void report_unknown_pack(const syntax::Name& qualifier, Code code, const std::vector<std::string>& known,
                         const Reporter& reporter);

}  // namespace ascribe::language
