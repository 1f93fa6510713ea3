#include "grammar/tokens.hpp"

#include <algorithm>

#include "grammar/characters.hpp"

namespace ascribe {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// One past the last byte of the token at `i`. The source has no mistakes: what begins like a number is one.
std::size_t token_end(std::string_view text, std::size_t i) {
  auto at = [&](std::size_t k) { return k < text.size() ? text[k] : '\0'; };
  auto skip = [&](std::size_t k, auto... of_kind) {
    while ((of_kind(at(k)) || ...)) ++k;
    return k;
  };
  if (is_letter(text[i])) {
    i = skip(i, is_letter, is_digit);
    return at(i) == '.' && is_letter(at(i + 1)) ? skip(i + 1, is_letter, is_digit) : i;
  }
  if (is_digit(text[i])) {
    i = skip(i, is_digit);
    if (at(i) == '.') i = skip(i + 1, is_digit);
    if (at(i) == 'e' || at(i) == 'E') i = skip(at(i + 1) == '+' || at(i + 1) == '-' ? i + 2 : i + 1, is_digit);
    return i;
  }
  if (text[i] == '"') {
    for (++i; at(i) != '"' && i < text.size();) i += at(i) == '\\' ? 2 : 1;
    return std::min(i + 1, text.size());
  }
  for (std::string_view two : {"==", "!=", "<=", ">=", "=>"})
    if (text.substr(i, 2) == two) return i + 2;
  return i + 1;
}

}  // namespace

Tokens cut_into_tokens(const syntax::File& file) {
  auto text = file.source->text();
  Tokens out;
  std::vector<std::size_t> open_braces;
  std::size_t line = 0, line_ends = 0, comments_begin = 0;
  bool at_start = true;
  std::size_t i = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  while (i < text.size()) {
    if (is_blank(text[i])) {
      if (text[i] == '\n') ++line, ++line_ends;
      ++i;
      continue;
    }
    if (text[i] == '#') {
      auto end = std::min(text.find('\n', i), text.size());
      auto written = text.substr(i, end - i);
      written = written.substr(0, written.find_last_not_of(" \t\r") + 1);
      out.comments.push_back({written, line_ends == 0 && !at_start, line_ends > 1});
      i = end;
    } else {
      Token token{text.substr(i, token_end(text, i) - i), line, line_ends > 1, comments_begin, out.comments.size()};
      if (token.text == "{") open_braces.push_back(out.tokens.size());
      if (token.text == "}" && !open_braces.empty()) {
        out.tokens[open_braces.back()].closed_on = line;
        open_braces.pop_back();
      }
      i += token.text.size();
      line += static_cast<std::size_t>(std::count(token.text.begin(), token.text.end(), '\n'));
      comments_begin = out.comments.size();
      out.tokens.push_back(token);
    }
    line_ends = 0;
    at_start = false;
  }
  out.tokens.push_back({{}, line, line_ends > 1, comments_begin, out.comments.size()});
  return out;
}

bool same_order(const Tokens& a, const Tokens& b) {
  auto texts = [](const Tokens& all) {
    std::vector<std::string_view> out;
    for (auto& token : all.tokens) {
      for (auto i = token.comments_begin; i < token.comments_end; ++i) out.push_back(all.comments[i].text);
      if (token.text != "," && token.text != ";") out.push_back(token.text);
    }
    return out;
  };
  return texts(a) == texts(b);
}

}  // namespace ascribe
