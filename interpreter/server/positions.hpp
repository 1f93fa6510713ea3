// Places as editors count them, and paths as they call them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/source.hpp"
#include "interpreter/server/transport.hpp"

namespace ascribe::server {

/// What `character` counts.
enum class Encoding { utf8, utf16 };

/// Lines of a text: from offsets to an editor's positions and back. Line ends are "\n", "\r\n" and "\r". A place in the
/// middle of a character is that before it, one behind a line's end is the end, one behind the last line the text's
/// end.
class Lines {
 public:
  Lines(std::string_view text, Encoding encoding);

  Json position(std::size_t offset) const;
  Json range(Span span) const {
    return {{"start", position(span.begin)}, {"end", position(std::max(span.begin, span.end))}};
  }
  std::size_t offset(std::size_t line, std::size_t character) const;
  /// Of a `Position`; throws Json::exception where it is none.
  std::size_t offset(const Json& position) const;
  /// Of a `Range`, with its ends in order.
  Span span(const Json& range) const;
  /// How many units a piece without a line's end has.
  std::size_t units(std::string_view piece) const;

 private:
  std::string_view text_;
  Encoding encoding_;
  std::vector<std::size_t> starts_;
  std::vector<bool> plain_;  // lines of ASCII: a unit is a byte
};

/// The path of a `file:` URI; nothing for another one.
std::optional<std::filesystem::path> path_of(std::string_view uri);
/// `file:///a%20b`: of an absolute path.
std::string uri_of(const std::filesystem::path& path);

}  // namespace ascribe::server
