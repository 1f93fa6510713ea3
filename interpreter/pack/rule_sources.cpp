#include "interpreter/pack/rule_sources.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <set>

#include "grammar/limits.hpp"
#include "grammar/parser.hpp"
#include "interpreter/language/pack_checker.hpp"
#include "interpreter/pack/files.hpp"
#include "interpreter/pack/pack_folder.hpp"
#include "interpreter/pack/reading.hpp"

namespace ascribe {

namespace fs = std::filesystem;

std::vector<fs::path> rule_paths(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path};
  std::vector<fs::path> out;
  fs::recursive_directory_iterator entry(path, error), end;
  while (!error && entry != end) {
    std::error_code unknown;  // what vanishes meanwhile is no file
    if (entry->path().extension() == ".rule" && !entry->is_directory(unknown)) out.push_back(entry->path());
    entry.increment(error);
  }
  if (error) throw unreadable(path, reason(error.value()), "check its permissions");
  if (out.empty())
    throw unreadable(path, "the folder holds no .rule file",
                     "give the path of a .rule file, or of a folder that holds some");
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<fs::path> pack_paths(const fs::path& path) {
  auto files = rule_paths(path);
  std::set<fs::path> packs, out;
  for (auto& file : files)
    if (file != path && file.filename() == "pack.rule") packs.insert(file.parent_path());
  for (auto& file : files) {
    auto folder = file.parent_path();
    while (file != path && folder != path && !packs.contains(folder) && folder.has_relative_path())
      folder = folder.parent_path();
    out.insert(packs.contains(folder) ? folder : file);
  }
  return {out.begin(), out.end()};
}

void refuse_newer_language(const fs::path& path) {
  LoadOptions options;
  Reading reading(options);
  auto folder = pack_around(reading, reading.resolve(path));
  if (!folder) return;
  std::vector<Diagnostic> mistakes;  // for whoever checks the pack
  auto manifest = path.filename() == pack_file_name ? path : *folder / pack_file_name;
  if (auto newer = language::needs_newer_language(parse_file(reading.read(manifest), mistakes)))
    throw Error({std::move(*newer)});
}

void refuse_unreadable_input() {
  // The stream takes every end for the same; the C library beneath it knows.
  if (std::ferror(stdin))
    throw Error(
        {.code = Code::unreadable_file, .message = "cannot read standard input", .help = "check where it comes from"});
}

SourcePointer read_source(const fs::path& path) {
  LoadOptions options;
  if (path != "-") return Reading(options).read(path);
  // One byte more than is allowed: what has no end is not read to its end.
  std::string text(limits.source_bytes + 1, '\0');
  std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
  refuse_unreadable_input();
  text.resize(static_cast<std::size_t>(std::cin.gcount()));
  return std::make_shared<Source>("<stdin>", std::move(text));
}

}  // namespace ascribe
