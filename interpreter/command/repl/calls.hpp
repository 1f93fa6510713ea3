// The calls that only sessions have: one table, which evaluation, completion and the help read.
#pragma once

#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/error.hpp"
#include "grammar/syntax.hpp"

namespace ascribe::repl {

struct SessionCall {
  enum class Id { load, image, relevance, explain, compare } id;
  std::string_view name;
  std::string_view example;
  std::string_view signature;
  std::size_t least, most;  ///< positional arguments
  std::vector<std::string_view> named;
  std::string_view documentation;
};

std::span<const SessionCall> session_calls();
/// Null where there is none of this name.
const SessionCall* find_session_call(std::string_view name);

/// The arguments of such a call, read by name.
struct CallArguments {
  std::string_view name;  ///< of what is called
  Span span;              ///< of the whole call
  std::vector<const syntax::Expression*> positional{};
  std::map<std::string_view, const syntax::Expression*> named{};

  /// Null where it was not given.
  const syntax::Expression* find(std::string_view name) const {
    auto found = named.find(name);
    return found == named.end() ? nullptr : found->second;
  }
};

/// Throws Error: too many or too few arguments, unknown and repeated names.
CallArguments read_arguments(const SessionCall& call, const syntax::Call& written, const SourcePointer& source);

}  // namespace ascribe::repl
