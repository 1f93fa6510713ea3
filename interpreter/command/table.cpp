#include "interpreter/command/table.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/source.hpp"
#include "grammar/text_width.hpp"

namespace ascribe::command {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t narrowest_name = 8;

using Cells = std::vector<std::vector<std::string>>;

// Which columns have anything in them, and how wide each is.
struct Widths {
  std::vector<bool> used;
  std::vector<std::size_t> widths;

  explicit Widths(const Cells& rows) : used(rows.front().size()), widths(rows.front().size()) {
    for (auto& row : rows)
      for (std::size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], count_characters(row[i]));
        used[i] = used[i] || (&row != &rows.front() && !row[i].empty());
      }
  }
  std::size_t total() const {
    std::size_t out = 0;
    for (std::size_t i = 0; i < widths.size(); ++i)
      if (used[i]) out += widths[i] + (out > 0 ? gap : 0);
    return out;
  }
};

template <typename ToTheRight>
std::string lines_of(const Cells& rows, const Widths& widths, const ToTheRight& to_the_right) {
  std::string out;
  for (auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!widths.used[i]) continue;
      auto padding = std::string(widths.widths[i] - count_characters(row[i]), ' ');
      line += (line.empty() ? "" : std::string(gap, ' ')) + (to_the_right(i) ? padding + row[i] : row[i] + padding);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

// Its end, which says more of a name than its beginning.
std::string cut_from_the_left(const std::string& text, std::size_t width) {
  auto count = count_characters(text);
  if (count <= width) return text;
  std::size_t begin = 0;
  for (auto left = count - (width - 1); left > 0; --left) begin += character_at(text, begin).bytes;
  return "…" + text.substr(begin);
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t from_right) {
  return lines_of(rows, Widths(rows), [&](std::size_t column) { return column >= from_right; });
}

std::string fitted(const Table& table, std::optional<std::size_t> width) {
  Cells cells(1);
  for (auto& column : table.columns) cells.front().push_back(column.title);
  cells.insert(cells.end(), table.rows.begin(), table.rows.end());
  auto is_too_wide = [&](const Widths& widths) { return width && widths.total() > *width; };
  auto to_the_right = [&](std::size_t column) { return table.columns[column].to_the_right; };

  if (is_too_wide(Widths(cells)))
    for (std::size_t i = 0; i < table.columns.size(); ++i)
      if (auto& shortened = table.columns[i].shortened)
        for (std::size_t row = 1; row < cells.size(); ++row) cells[row][i] = shortened(cells[row][i]);
  Widths widths(cells);
  std::vector<std::string> left_out;
  while (is_too_wide(widths)) {
    std::optional<std::size_t> least;
    for (std::size_t i = 1; i < table.columns.size(); ++i)
      if (widths.used[i] && (!least || table.columns[i].worth < table.columns[*least].worth)) least = i;
    if (!least || std::count(widths.used.begin(), widths.used.end(), true) <= 2) break;
    widths.used[*least] = false;
    left_out.push_back(table.columns[*least].title);
  }
  if (is_too_wide(widths)) {
    auto others = widths.total() - widths.widths.front();
    auto room = std::max(narrowest_name, *width > others ? *width - others : 0);
    for (auto& row : cells) row.front() = cut_from_the_left(row.front(), room);
    widths.widths.front() = std::min(widths.widths.front(), room);
  }
  auto out = lines_of(cells, widths, to_the_right);
  if (!left_out.empty()) out += filled("without room for: {}\n", fmt::join(left_out, ", "));
  return out;
}

}  // namespace ascribe::command
