// Reading expressions of any text, also a broken one, for the outline: names that are mentioned, calls and their
// arguments, and what could stand where the text ends. outline.cpp reads with it what stands around them.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "interpreter/assist/outline.hpp"

namespace ascribe::assist {

class ExpressionReader {
 public:
  explicit ExpressionReader(std::string_view text);

 protected:
  using Clause = language::Clause;

  // -------------------------------------------------------------------------------------------------------- pieces

  bool at_end() const { return at_ >= pieces_.size(); }
  /// Nothing more of this item: the text ends, or another begins.
  bool ended() const { return at_end() || (kind() == Lexeme::Kind::word && begins_item(shown())); }
  Lexeme::Kind kind() const { return pieces_[at_].kind; }
  std::string_view shown(std::size_t i) const {
    auto [begin, end] = pieces_[i].span;
    return text_.substr(begin, end - begin);
  }
  std::string_view shown() const { return shown(at_); }
  bool is(std::string_view mark) const { return !at_end() && kind() != Lexeme::Kind::text && shown() == mark; }
  bool is(Lexeme::Kind wanted) const { return !at_end() && kind() == wanted; }
  bool take(std::string_view mark) {
    if (!is(mark)) return false;
    ++at_;
    return true;
  }
  Span here() const { return at_end() ? Span{text_.size(), text_.size()} : pieces_[at_].span; }
  std::size_t last_end() const { return at_ == 0 ? 0 : pieces_[at_ - 1].span.end; }
  /// Whether the next piece touches the one before it.
  bool touches() const { return at_ > 0 && !at_end() && pieces_[at_].span.begin == pieces_[at_ - 1].span.end; }

  // ------------------------------------------------------------------------------------------ where the text ends

  /// Notes what could stand here, where the text ends and nobody has said it yet. True if it was noted.
  bool wants(Expected::Sort sort, Clause clause = Clause::argument) {
    if (!at_end() || settled_) return false;
    settled_ = true;
    auto& expected = out_.expected;
    expected.sort = sort;
    expected.item = item_;
    expected.clause = clause;
    expected.call = call_;
    expected.argument_begins = argument_begins_;
    expected.let = let_;
    expected.whole_begins = level_ == 0;
    expected.truth_begins = level_ <= 2;
    return true;
  }
  void wants_word(std::string_view word) {
    if (at_end() && !settled_) out_.expected.words.push_back(word);
  }
  /// Nothing of what is outside of a bracket can stand here: it is open.
  void settle() { settled_ = settled_ || at_end(); }

  Mention& mention(Span span, Use use, std::optional<Span> qualifier = {}) {
    return out_.mentions.emplace_back(Mention{span, use, item_, qualifier, none, clause_});
  }

  /// A string: where the text ends within it, `sort` is what it would say.
  Span string(Expected::Sort sort, std::optional<Span> name = {}) {
    auto span = here();
    bool last = at_ + 1 == pieces_.size() && !pieces_[at_].whole && span.end == text_.size();
    ++at_;
    if (last) {
      if (wants(sort)) out_.expected.name = name;
    }
    return span;
  }

  // --------------------------------------------------------------------------------------------------- expressions

  // Noted where it holds more than one part.
  void note(Span span, std::size_t parts);
  void expression(Clause clause);
  /// Operators from the loosest to the tightest.
  void chain(std::size_t level, Clause clause);
  void primary(Clause clause);
  void close(std::string_view mark);
  /// Behind `=>`, in an alias, or in `relevance(…)`.
  void target(Clause clause);
  /// A name with what stands before and behind it: `acme.soft(0.1)`.
  void path(Use use, Clause clause);
  bool touching_end() const { return at_ > 0 && pieces_[at_ - 1].span.end == text_.size(); }
  void arguments(WrittenCall written, Clause clause);
  bool name_is(Span span, std::string_view name) const;
  bool takes_layers(Span span) const;

  std::string_view text_;
  std::vector<Lexeme> pieces_;  // without comments
  std::size_t at_ = 0;
  Outline out_;
  std::size_t item_ = none, call_ = none, depth_ = 0, level_ = 0;
  Clause clause_ = Clause::argument;
  bool argument_begins_ = false, in_branch_ = false, settled_ = false, let_ = false, comparing_ = false;
};

}  // namespace ascribe::assist
