// Tables of text, as wide as there is room for.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ascribe::command {

/// Rows as lines whose columns stand below each other, those from `from_right` on to the right. Columns that are empty
/// but for their title, in the first row, are left out.
std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t from_right);

struct Column {
  std::string title;
  bool to_the_right = false;
  /// What is left of a cell where there is little room; the whole cell without it.
  std::function<std::string(const std::string&)> shortened = {};
  /// Where there is too little room even so, columns with smaller numbers go first. The first column stays, and is cut
  /// from the left in the end.
  int worth = 0;
};

struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  ///< one cell for each column
};

/// The table within so many characters; without a width, all of it. What is left out is told by a last line.
std::string fitted(const Table& table, std::optional<std::size_t> width);

}  // namespace ascribe::command
