#include "grammar/token_writer.hpp"

namespace ascribe {

bool TokenWriter::blank_line_above() const {
  for (auto i = peek().comments_begin; i < peek().comments_end; ++i)
    if (source_.comments[i].blank_before) return true;
  return peek().blank_before;
}

void TokenWriter::take(std::string_view expected) {
  comments();
  if (at("") || (!expected.empty() && !at(expected))) throw Disagreement{};
  layout_.text(peek().text);
  ++next_;
}

void TokenWriter::take_comma() {
  if (!at(",")) throw Disagreement{};
  layout_.text(",");
  drop();
}

void TokenWriter::drop() {
  comments();
  ++next_;
}

void TokenWriter::comments() {
  for (; has_comments(); ++next_comment_) layout_.comment(comment().text, comment().trailing);
}

void TokenWriter::trailing_comment() {
  if (!has_comments() || !comment().trailing) return;
  layout_.comment(comment().text, true);
  ++next_comment_;
}

void TokenWriter::comments_above(bool below_brace) {
  for (; has_comments(); ++next_comment_) {
    if (comment().blank_before && !below_brace) layout_.blank_line();
    layout_.comment(comment().text, comment().trailing);
    below_brace = below_brace && comment().trailing;
  }
  if (peek().blank_before && !below_brace && !at("}")) layout_.blank_line();
}

void TokenWriter::open_group() {
  comments();
  layout_.open_group();
}

}  // namespace ascribe
