// The text around the place where the grammar stopped, and messages with an edit about it: what the files share that
// know how others write things.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "grammar/characters.hpp"
#include "grammar/diagnostic.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/syntax_error.hpp"

namespace ascribe {

class UnreadText {
 public:
  UnreadText(const SourcePointer& source, std::size_t begin, const Expectations& expected)
      : source_(source), text_(source->text()), begin_(begin), at_(expected.offset()), expected_(expected) {}

 protected:
  Diagnostic make(Span span, std::string message, std::string help) const {
    return {
        .code = Code::syntax, .message = std::move(message), .primary = {source_, span, ""}, .help = std::move(help)};
  }
  /// With an edit that puts a text there.
  static Diagnostic with_fix(Diagnostic out, Span span, const std::string& text, bool sure) {
    auto put = text.substr(std::min(text.find_first_not_of(' '), text.size()));
    std::string title = text.empty()             ? "leave it out"
                        : span.begin == span.end ? filled("add `{}`", put)
                                                 : filled("write `{}`", put);
    out.fixes.push_back({title, {{span, text}}, sure});
    return out;
  }

  std::size_t behind_blanks(std::size_t at) const {
    return std::min(text_.find_first_not_of(" \t\r\n", at), text_.size());
  }
  std::size_t before_blanks(std::size_t at) const {
    while (at > begin_ && std::string_view(" \t\r\n").find(text_[at - 1]) != std::string_view::npos) --at;
    return at;
  }
  std::string_view word_at(std::size_t at) const {
    auto end = at;
    while (end < text_.size() && is_name_character(text_[end])) ++end;
    return text_.substr(std::min(at, text_.size()), end - at);
  }
  std::string_view word_before(std::size_t end) const {
    auto begin = end;
    while (begin > begin_ && is_name_character(text_[begin - 1])) --begin;
    return text_.substr(begin, end - begin);
  }
  std::string_view line_from(std::size_t at) const { return text_.substr(at, text_.find('\n', at) - at); }
  static bool is_name(std::string_view word) {
    return !word.empty() && is_letter(word[0]) && std::all_of(word.begin(), word.end(), is_name_character);
  }

  const SourcePointer& source_;
  std::string_view text_;
  std::size_t begin_, at_;
  const Expectations& expected_;
};

}  // namespace ascribe
