// Which files `--input` stands for: one, or many of them.
#pragma once

#include <string>
#include <vector>

#include "ascribe/error.hpp"

namespace ascribe::command {

/// A file that is to be read.
struct InputItem {
  std::string path;  ///< to be read; may name an array of an archive, `masks.npz:left`
  /// For files that are made of it: unlike all others of the list; the stem, below the folders that the list has in
  /// common (`cats/7`), with its ending where stems clash (`7.jpg`, `7.png`). Without characters that a file system or
  /// a terminal would mind.
  std::string name;
};

struct InputList {
  std::vector<InputItem> items{};      ///< in natural order (`9` before `10`); a list's in its own
  std::vector<Diagnostic> warnings{};  ///< what was left out
};

struct ListOptions {
  bool recursive = false;       ///< of a folder: those below it, too
  bool null_separated = false;  ///< of a list: paths end with NUL, not with the line
};

/// Whether it stands for any number of files: a folder, a pattern (`photos/*.jpg`) that is no file's own name,
/// `@list.txt` (a path on each line, relative to the list), or `-` (the same from standard input).
bool is_many(const std::string& argument);

/// The files, none of which is opened. Standard input can be read once only. Throws Error: usage for options of another
/// form; unreadable_file for folders and lists that cannot be read, or in which there is nothing to read.
InputList list_inputs(const std::string& argument, const ListOptions& options);

/// Gives each item a name. Folders that all of the paths have in common are left out.
void name_items(std::vector<InputItem>& items);

/// Numbers in names count as numbers; what is equal so is compared byte by byte.
bool naturally_before(std::string_view a, std::string_view b);

}  // namespace ascribe::command
