#include "interpreter/command/item_names.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "grammar/filled_text.hpp"

namespace ascribe::command {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t longest_part =
    200;  // bytes of a file's or folder's name: most systems have 255, and endings follow

// The bytes of the UTF-8 character that begins there; 0 where none does.
std::size_t character_at(std::string_view text, std::size_t at) {
  auto first = static_cast<unsigned char>(text[at]);
  std::size_t size = first < 0x80                    ? 1
                     : first >= 0xC2 && first < 0xE0 ? 2
                     : first >= 0xE0 && first < 0xF0 ? 3
                     : first >= 0xF0 && first < 0xF5 ? 4
                                                     : 0;
  if (size == 0 || at + size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80) return 0;
  return size;
}

// Of one part of a path.
std::string safe_part(std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < part.size() && out.size() < longest_part;) {
    auto size = character_at(part, i);
    auto c = static_cast<unsigned char>(part[i]);
    bool control = size == 0 || c < 0x20 || c == 0x7F ||
                   (size == 2 && c == 0xC2 && static_cast<unsigned char>(part[i + 1]) < 0xA0);
    bool forbidden = std::string_view("\\:*?\"<>|").find(part[i]) != std::string_view::npos ||
                     (i == 0 && (c == '.' || c == '-' || c == '~'));
    if (control || forbidden)
      out += '_';
    else
      out += part.substr(i, size);
    i += std::max<std::size_t>(size, 1);
  }
  return out;
}

std::string safe_name(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    auto part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (!out.empty()) out += '/';
    out += safe_part(part);
  }
  return out.empty() ? "input" : out;
}

// Without the ending that says what kind of file it is; `masks.npz:left` is `masks.left`.
std::string stem_of(const std::string& name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::array<std::string_view, 7> endings{".png", ".jpg", ".jpeg", ".npy", ".npz", ".pt", ".pth"};
  if (auto array = lower.rfind(".npz:"); array != lower.npos)
    return name.substr(0, array) + "." + name.substr(array + 5);
  for (auto ending : endings)
    if (lower.size() > ending.size() && lower.ends_with(ending) && lower[lower.size() - ending.size() - 1] != '/')
      return name.substr(0, name.size() - ending.size());
  return name;
}

bool digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool naturally_before(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  auto number = [](std::string_view text, std::size_t& at) {
    while (at < text.size() && text[at] == '0') ++at;
    auto begin = at;
    while (at < text.size() && digit(text[at])) ++at;
    return text.substr(begin, at - begin);
  };
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      auto left = number(a, i), right = number(b, j);
      if (left.size() != right.size()) return left.size() < right.size();
      if (left != right) return left < right;
      continue;
    }
    if (a[i] != b[j]) {
      auto rank = [](char c) { return c == '/' ? -1 : static_cast<int>(static_cast<unsigned char>(c)); };
      return rank(a[i]) < rank(b[j]);
    }
    ++i, ++j;
  }
  if (a.size() - i != b.size() - j) return a.size() - i < b.size() - j;
  return a < b;
}

void name_within(std::vector<InputItem>& items) {
  std::unordered_map<std::string, std::size_t> stems;
  std::vector<std::string> found;
  for (auto& each : items) ++stems[found.emplace_back(safe_name(stem_of(each.name)))];
  std::unordered_set<std::string> taken;
  std::unordered_map<std::string, std::size_t> next;  // a list may name one file many times
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto name = stems[found[i]] == 1 ? found[i] : safe_name(items[i].name);
    auto unlike = name;
    for (auto& count = next.try_emplace(name, 1).first->second; !taken.insert(unlike).second;)
      unlike = filled("{}.{}", name, ++count);
    items[i].name = std::move(unlike);
  }
}

void name_items(std::vector<InputItem>& items) {
  std::vector<std::string> whole;
  std::error_code ignored;
  auto here = fs::current_path(ignored);
  for (auto& each : items) {
    auto path = fs::path(each.path);
    whole.push_back((path.is_absolute() ? path : here / path).lexically_normal().string());
  }
  std::string common = whole.empty() ? "" : whole.front().substr(0, whole.front().rfind('/') + 1);
  for (auto& each : whole)
    while (!each.starts_with(common)) common.resize(common.rfind('/', common.size() - 2) + 1);
  for (std::size_t i = 0; i < items.size(); ++i) items[i].name = whole[i].substr(common.size());
  name_within(items);
}

}  // namespace ascribe::command
