#include "interpreter/pack/import_path.hpp"

#include <fmt/ranges.h>

#include "grammar/filled_text.hpp"
#include "interpreter/pack/files.hpp"
#include "interpreter/pack/pack_folder.hpp"

namespace ascribe {
namespace {

namespace fs = std::filesystem;
using Kind = Files::Kind;

constexpr std::size_t longest = 4096;  // bytes of a path

Error refuse(Code code, std::string message, std::string note, std::string help) {
  return Error({.code = code, .message = std::move(message), .note = std::move(note), .help = std::move(help)});
}

Error cannot_import(const std::string& written, const std::string& why, std::string note, std::string help) {
  return refuse(Code::bad_import, filled("cannot import '{}': {}", shown(written), why), std::move(note),
                std::move(help));
}

// Whether it is only looked for from its file: `./acme`, `../acme`, and what leads upwards otherwise.
bool is_relative_only(const fs::path& written) {
  return *written.begin() == "." || *written.begin() == ".." || *written.lexically_normal().begin() == "..";
}

// The shorter way where it leads to the same place, which links may prevent.
fs::path tidied(const Reading& reading, const fs::path& path) {
  auto tidy = path.lexically_normal();
  return reading.resolve(tidy) == reading.resolve(path) ? tidy : path;
}

}  // namespace

FoundImport find_import(const Reading& reading, const std::string& written, const fs::path& importer) {
  constexpr const char* example = "name a pack's folder or a .rule file: `import \"../acme\" as acme`";
  if (written.empty()) throw refuse(Code::bad_import, "the import names nothing", "", example);
  if (fs::path(written).is_absolute())
    throw refuse(Code::bad_import, "an import's path begins at its file or on the search path, not at `/`", "",
                 example);
  if (written.size() > longest)
    throw refuse(Code::bad_import, filled("the path has more than {} bytes", longest), "", example);

  std::vector<fs::path> places{importer.parent_path()};
  if (!is_relative_only(written))
    places.insert(places.end(), reading.options().path.begin(), reading.options().path.end());
  auto normal = fs::path(written).lexically_normal();
  if (!normal.has_filename()) normal = normal.parent_path();
  fs::path path;
  auto kind = Kind::nothing;
  bool searched = false;
  for (std::size_t i = 0; i < places.size() && kind == Kind::nothing; ++i) {
    path = i == 0 ? tidied(reading, places[0] / written) : places[i] / normal;
    kind = reading.behind(path);
    searched = i > 0;
  }

  auto from_here = path == written ? "" : filled("it is '{}'", shown(path));
  if (kind == Kind::nothing) {
    std::vector<std::string> tried;
    for (auto& place : places) {
      bool there = place.empty() || reading.behind(place) == Kind::folder;
      tried.push_back(filled("'{}'{}", shown(place.empty() ? fs::path(".") : place), there ? "" : " (no such folder)"));
    }
    auto with_ending = written + ".rule";
    bool forgotten = false;
    for (auto& place : places) forgotten = forgotten || reading.behind(place / with_ending) == Kind::file;
    throw cannot_import(
        written, "no such file or folder", filled("looked for in {}", fmt::join(tried, ", ")),
        forgotten           ? filled("did you mean `\"{}\"`?", with_ending)
        : places.size() > 1 ? "check the name, or name the folder that it lies in: `--path DIR`"
        : is_relative_only(written)
            ? "the path begins at the folder of this file"
            : "the path begins at the folder of this file, or in a folder of the search path: `--path DIR`");
  }
  if (kind == Kind::file && path.filename() == pack_file_name) {
    path = path.has_parent_path() ? path.parent_path() : fs::path(".");
    kind = Kind::folder;
  }
  auto found = [&](bool folder) { return FoundImport{path, reading.resolve(path).string(), folder, searched}; };
  if (kind == Kind::folder) {
    auto why = why_no_pack(reading, path);
    if (why.empty()) return found(true);
    throw cannot_import(written, "it is a folder " + why, from_here,
                        filled("name one of its .rule files, or give it a pack.rule: `{}`", pack_example));
  }
  if (kind != Kind::file) throw cannot_import(written, cannot_be_looked_at, from_here, check_permissions);
  if (path.extension() != ".rule")
    throw cannot_import(written, "it is no .rule file", from_here, "the names of rule files end in `.rule`");
  return found(false);
}

void refuse_ways_around(const Reading& reading, const std::string& written, const fs::path& importer,
                        const FoundImport& found) {
  auto refuse_at = [&](const char* how, const fs::path& pack, std::string help) {
    return refuse(Code::outside_of_pack,
                  filled("cannot import '{}': it {} the pack '{}'", shown(written), how, shown(pack)), "",
                  std::move(help));
  };
  auto real = fs::path(found.identity), from = reading.resolve(importer);
  auto own = pack_around(reading, from);
  if (own && !found.searched && !lies_in(real, *own))
    throw refuse_at("leads out of", *own,
                    filled("import it by its name, over the search path: `import \"{}\"` and `--path DIR`",
                           shown(real.filename())));
  if (auto pack = found.folder ? std::nullopt : pack_around(reading, real))
    throw refuse_at("is inside", *pack, "import the pack: the folder that has the pack.rule");
  if (!found.folder && own && lies_in(real, *own))
    throw refuse_at("is hidden in", *own,
                    "rename it, so that it belongs to the pack: no part of its path begins with `.`");
  auto keeper = keeper_of_pack(reading, real);
  if (keeper && !lies_in(from, *keeper))
    throw refuse_at("stays inside", *keeper, "folders whose names begin with `_` are for their own pack: import that");
}

}  // namespace ascribe
