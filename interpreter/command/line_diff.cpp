#include "interpreter/command/line_diff.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "grammar/filled_text.hpp"

namespace ascribe::command {
namespace {

using Lines = std::vector<std::string_view>;

constexpr std::size_t context = 3;
// Beyond so many removed and added lines, the search for a shortest difference ends: it takes their square.
constexpr std::ptrdiff_t most_edits = 1000;

// With their line ends; only the last line may have none.
Lines split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    auto length = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return lines;
}

// A line of the result: of both texts (' '), of the first ('-') or of the second ('+').
struct Edit {
  char mark;
  std::string_view line;
};

void replace(const Lines& before, const Lines& after, std::vector<Edit>& edits) {
  for (auto line : before) edits.push_back({'-', line});
  for (auto line : after) edits.push_back({'+', line});
}

// Myers, "An O(ND) difference algorithm and its variations", 1986. On diagonal k = x - y, furthest[k] is how many lines
// of `before` the best path with so many edits has passed.
void find_edits(const Lines& before, const Lines& after, std::vector<Edit>& edits) {
  auto n = static_cast<std::ptrdiff_t>(before.size()), m = static_cast<std::ptrdiff_t>(after.size());
  auto most = std::min(n + m, most_edits);
  auto at = [](const Lines& lines, std::ptrdiff_t i) { return lines[static_cast<std::size_t>(i)]; };
  // `states[d]` holds the diagonals -d … d after d edits.
  std::vector<std::vector<std::ptrdiff_t>> states;
  auto state = [&](std::ptrdiff_t d, std::ptrdiff_t k) -> std::ptrdiff_t& {
    return states[static_cast<std::size_t>(d)][static_cast<std::size_t>(k + d)];
  };
  // Whether the path that comes to diagonal k with its d-th edit adds a line; otherwise it removes one.
  auto adds = [&](std::ptrdiff_t d, std::ptrdiff_t k) {
    return k == -d || (k != d && state(d - 1, k - 1) < state(d - 1, k + 1));
  };
  std::ptrdiff_t d = 0;
  for (bool found = false; !found; ++d) {
    if (d > most) return replace(before, after, edits);
    states.emplace_back(2 * d + 1);
    for (auto k = -d; k <= d && !found; k += 2) {
      auto x = d == 0 ? 0 : adds(d, k) ? state(d - 1, k + 1) : state(d - 1, k - 1) + 1;
      while (x < n && x - k < m && x - k >= 0 && at(before, x) == at(after, x - k)) ++x;
      state(d, k) = x;
      found = x >= n && x - k >= m;
    }
  }
  std::vector<Edit> backwards;
  auto x = n, y = m;
  for (--d; d >= 0; --d) {
    auto k = x - y;
    auto previous = d == 0 ? 0 : adds(d, k) ? k + 1 : k - 1;
    auto from = d == 0 ? 0 : state(d - 1, previous);
    auto behind_edit = d == 0 ? 0 : adds(d, k) ? from : from + 1;
    for (; x > behind_edit; --x, --y) backwards.push_back({' ', at(before, x - 1)});
    if (d == 0) break;
    if (adds(d, k))
      backwards.push_back({'+', at(after, --y)});
    else
      backwards.push_back({'-', at(before, --x)});
  }
  edits.insert(edits.end(), backwards.rbegin(), backwards.rend());
}

// "12,3": from which line on, and how many; the line before where there are none.
std::string range(std::size_t begin, std::size_t count) {
  if (count == 1) return filled("{}", begin + 1);
  return filled("{},{}", count == 0 ? begin : begin + 1, count);
}

std::string show(const std::vector<Edit>& edits) {
  auto changed = [&](std::size_t i) { return edits[i].mark != ' '; };
  std::string out;
  std::size_t before = 0, after = 0;  // lines of either text before `begin`
  for (std::size_t begin = 0; begin < edits.size();) {
    if (!changed(begin)) {
      // A hunk begins with up to three common lines.
      auto reach = std::min(begin + context, edits.size() - 1);
      auto first = begin;
      while (first <= reach && !changed(first)) ++first;
      if (first > reach) {
        ++begin, ++before, ++after;
        continue;
      }
    }
    auto last = begin;  // the last change of the hunk: the next one is too far away to share its context
    for (auto i = begin; i < edits.size() && i <= last + 2 * context + 1; ++i)
      if (changed(i)) last = i;
    auto end = std::min(last + context + 1, edits.size());
    auto count = [&](char mark) {
      return static_cast<std::size_t>(std::count_if(edits.begin() + static_cast<std::ptrdiff_t>(begin),
                                                    edits.begin() + static_cast<std::ptrdiff_t>(end),
                                                    [&](auto& edit) { return edit.mark != mark; }));
    };
    auto of_before = count('+'), of_after = count('-');
    out += filled("@@ -{} +{} @@\n", range(before, of_before), range(after, of_after));
    for (auto i = begin; i < end; ++i) {
      out.append(1, edits[i].mark).append(edits[i].line);
      if (!edits[i].line.ends_with('\n')) out += "\n\\ No newline at end of file\n";
    }
    before += of_before;
    after += of_after;
    begin = end;
  }
  return out;
}

}  // namespace

std::string unified_diff(std::string_view name, std::string_view before, std::string_view after) {
  if (before == after) return {};
  auto old_lines = split(before), new_lines = split(after);
  auto [old_begin, new_begin] = std::mismatch(old_lines.begin(), old_lines.end(), new_lines.begin(), new_lines.end());
  auto [old_end, new_end] = std::mismatch(old_lines.rbegin(), std::make_reverse_iterator(old_begin), new_lines.rbegin(),
                                          std::make_reverse_iterator(new_begin));
  std::vector<Edit> edits;
  for (auto line = old_lines.begin(); line != old_begin; ++line) edits.push_back({' ', *line});
  find_edits({old_begin, old_end.base()}, {new_begin, new_end.base()}, edits);
  for (auto line = old_end.base(); line != old_lines.end(); ++line) edits.push_back({' ', *line});
  return filled("--- {}\n+++ {}\n", name, name) + show(edits);
}

}  // namespace ascribe::command
