// A text with a name, and places in it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "export.hpp"

namespace ascribe {

/// A stretch of a source: byte offsets, `end` one past the last byte.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const Span&) const = default;
};

/// Where an offset lies for a reader: both count from 1; `column` counts characters (code points), not bytes.
struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
};

/// A rule file, a command-line argument, a line of input: immutable, shared by everything that points into it.
class ASCRIBE_EXPORT Source {
 public:
  /// `name` is what messages call it (the path as the user gave it); `first_line` is the number of its first line,
  /// where it is a part of something longer.
  Source(std::string name, std::string text, std::size_t first_line = 1);

  const std::string& name() const { return name_; }
  std::string_view text() const { return text_; }
  /// Of a span that leads beyond the text, what there is.
  std::string_view text(Span span) const {
    auto begin = span.begin < text_.size() ? span.begin : text_.size();
    return text().substr(begin, span.end < begin ? 0 : span.end - begin);
  }
  Position position(std::size_t offset) const;
  /// The line's text without its line end; `line` counts from the first line's number. Empty where there is no such
  /// line.
  std::string_view line(std::size_t line) const;

 private:
  std::string name_;
  std::string text_;
  std::size_t first_line_;
  std::vector<std::size_t> line_starts_;
};

using SourcePointer = std::shared_ptr<const Source>;

/// The number of characters (code points) in UTF-8 text.
std::size_t count_characters(std::string_view text);

/// The offset of the first byte that is not valid UTF-8, or npos.
std::size_t find_invalid_utf8(std::string_view text);

}  // namespace ascribe
