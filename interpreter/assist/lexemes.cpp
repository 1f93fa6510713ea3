#include "interpreter/assist/lexemes.hpp"

#include <algorithm>

#include "grammar/characters.hpp"
#include "grammar/parser.hpp"

namespace ascribe::assist {
namespace {

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

class Cutter {
 public:
  explicit Cutter(std::string_view text) : text_(text) {}

  std::vector<Lexeme> all() {
    std::vector<Lexeme> out;
    for (std::size_t i = text_.starts_with("\xEF\xBB\xBF") ? 3 : 0; i < text_.size();) {
      if (std::string_view(" \t\r\n").find(text_[i]) != std::string_view::npos) {
        ++i;
        continue;
      }
      out.push_back(next(i));
      i = out.back().span.end;
    }
    return out;
  }

 private:
  using Kind = Lexeme::Kind;

  char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }

  Lexeme next(std::size_t begin) const {
    auto c = text_[begin];
    if (is_letter(c)) {
      auto end = begin;
      while (is_name_character(at(end))) ++end;
      return {is_reserved(text_.substr(begin, end - begin)) ? Kind::word : Kind::name, {begin, end}};
    }
    if (is_digit(c)) return {Kind::number, {begin, number_end(begin)}};
    if (c == '#') return {Kind::comment, {begin, std::min(text_.find('\n', begin), text_.size())}};
    if (c == '"') return string(begin);
    for (std::string_view two : {"==", "!=", "<=", ">=", "=>"})
      if (text_.substr(begin, 2) == two) return {Kind::mark, {begin, begin + 2}};
    auto end = begin + 1;
    while (end < text_.size() && continues_character(text_[end])) ++end;
    return {Kind::mark, {begin, end}};
  }

  std::size_t number_end(std::size_t i) const {
    auto digits = [&] {
      while (is_digit(at(i))) ++i;
    };
    digits();
    if (at(i) == '.' && is_digit(at(i + 1))) ++i, digits();
    if (at(i) == 'e' || at(i) == 'E') {
      auto sign = at(i + 1) == '+' || at(i + 1) == '-' ? 2U : 1U;
      if (is_digit(at(i + sign))) i += sign, digits();
    }
    return i;
  }

  Lexeme string(std::size_t begin) const {
    auto i = begin + 1;
    for (; i < text_.size() && text_[i] != '\n'; ++i) {
      if (text_[i] == '"') return {Kind::text, {begin, i + 1}};
      if (text_[i] == '\\') ++i;
    }
    return {Kind::text, {begin, std::min(i, text_.size())}, false};
  }

  std::string_view text_;
};

}  // namespace

std::vector<Lexeme> cut(std::string_view text) { return Cutter(text).all(); }

bool is_reserved(std::string_view word) {
  static const auto words = [] {
    auto all = reserved_words();
    std::sort(all.begin(), all.end());
    return all;
  }();
  return std::binary_search(words.begin(), words.end(), word);
}

bool begins_item(std::string_view word) {
  constexpr std::string_view words[] = {"rule", "composite", "fn", "test", "pack", "import"};
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

std::size_t begin_of_name(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  auto begin = offset;
  while (begin > 0 && is_name_character(text[begin - 1])) --begin;
  while (begin < offset && is_digit(text[begin])) ++begin;
  return begin;
}

}  // namespace ascribe::assist
