#include "interpreter/server/positions.hpp"

#include <algorithm>

namespace ascribe::server {
namespace {

// Bytes of the character that begins so; 1 for what begins none.
std::size_t bytes_of(unsigned char first) {
  return first >= 0xF0 && first < 0xF8 ? 4 : first >= 0xE0 ? (first < 0xF0 ? 3 : 1) : first >= 0xC0 ? 2 : 1;
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Bytes of the character at a place; those of a broken one are characters of their own.
std::size_t bytes_at(std::string_view text, std::size_t at) {
  auto wanted = bytes_of(static_cast<unsigned char>(text[at]));
  for (std::size_t i = 1; i < wanted; ++i)
    if (at + i >= text.size() || !continues(text[at + i])) return 1;
  return wanted;
}

int hex(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

}  // namespace

Lines::Lines(std::string_view text, Encoding encoding) : text_(text), encoding_(encoding), starts_{0}, plain_{true} {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) >= 0x80) plain_.back() = false;
    if (text[i] == '\n' || (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')))
      starts_.push_back(i + 1), plain_.push_back(true);
  }
}

std::size_t Lines::units(std::string_view piece) const {
  if (encoding_ == Encoding::utf8) return piece.size();
  std::size_t out = 0;
  for (std::size_t i = 0; i < piece.size();) {
    auto bytes = bytes_at(piece, i);
    out += bytes == 4 ? 2 : 1;
    i += bytes;
  }
  return out;
}

Json Lines::position(std::size_t offset) const {
  offset = std::min(offset, text_.size());
  auto begin = offset;  // of the character that the place is in; stray bytes are characters of their own
  for (int longest = 3; longest > 0 && begin > 0 && begin < text_.size() && continues(text_[begin]); --longest) --begin;
  if (begin < offset && begin + bytes_at(text_, begin) > offset) offset = begin;
  auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
  auto line = static_cast<std::size_t>(next - starts_.begin()) - 1;
  auto bytes = offset - starts_[line];
  return {{"line", line}, {"character", plain_[line] ? bytes : units(text_.substr(starts_[line], bytes))}};
}

std::size_t Lines::offset(std::size_t line, std::size_t character) const {
  if (line >= starts_.size()) return text_.size();
  auto begin = starts_[line];
  auto end = line + 1 < starts_.size() ? starts_[line + 1] : text_.size();
  while (end > begin && (text_[end - 1] == '\n' || text_[end - 1] == '\r')) --end;
  auto at = begin;
  if (plain_[line]) return begin + std::min(character, end - begin);
  for (std::size_t left = character; at < end;) {
    auto bytes = bytes_at(text_, at);
    auto size = encoding_ == Encoding::utf8 ? bytes : bytes == 4 ? 2 : 1;
    if (left < size) break;
    left -= size;
    at += bytes;
  }
  return at;
}

std::size_t Lines::offset(const Json& position) const {
  auto number = [&](const char* key) {
    auto value = position.at(key).get<double>();
    return value < 0 ? std::size_t{0} : static_cast<std::size_t>(std::min(value, 4e9));
  };
  return offset(number("line"), number("character"));
}

Span Lines::span(const Json& range) const {
  auto begin = offset(range.at("start")), end = offset(range.at("end"));
  return {std::min(begin, end), std::max(begin, end)};
}

std::optional<std::filesystem::path> path_of(std::string_view uri) {
  constexpr std::string_view scheme = "file://";
  if (!uri.starts_with(scheme)) return {};
  uri.remove_prefix(scheme.size());
  auto slash = uri.find('/');
  if (slash == std::string_view::npos) return {};
  uri.remove_prefix(slash);  // a host's name
  uri = uri.substr(0, uri.find_first_of("?#"));
  std::string out;
  for (std::size_t i = 0; i < uri.size(); ++i) {
    if (uri[i] == '%' && i + 2 < uri.size() && hex(uri[i + 1]) >= 0 && hex(uri[i + 2]) >= 0) {
      out += static_cast<char>(hex(uri[i + 1]) * 16 + hex(uri[i + 2]));
      i += 2;
    } else {
      out += uri[i];
    }
  }
  if (out.find('\0') != std::string::npos) return {};
  return std::filesystem::path(out).lexically_normal();
}

std::string uri_of(const std::filesystem::path& path) {
  std::string out = "file://";
  constexpr const char* digits = "0123456789ABCDEF";
  for (unsigned char byte : path.string()) {
    bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                 std::string_view("-._~/").find(static_cast<char>(byte)) != std::string_view::npos;
    if (plain)
      out += static_cast<char>(byte);
    else
      (out += '%') += {digits[byte / 16], digits[byte % 16]};
  }
  return out;
}

}  // namespace ascribe::server
