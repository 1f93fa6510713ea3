#include "interpreter/pack/pack_folder.hpp"

#include <algorithm>
#include <map>

#include "grammar/filled_text.hpp"
#include "interpreter/pack/files.hpp"

namespace ascribe {
namespace {

namespace fs = std::filesystem;
using Kind = Files::Kind;

bool is_hidden(const std::string& name) { return name.starts_with('.'); }

fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(path == "." ? "" : ".");
}

// The folders around a path, innermost first.
std::vector<fs::path> folders_around(const fs::path& real) {
  std::vector<fs::path> out;
  for (auto folder = parent_of(real); !folder.empty(); folder = parent_of(folder)) {
    out.push_back(folder);
    if (folder == folder.parent_path()) break;  // the root
  }
  return out;
}

bool is_pack(const Reading& reading, const fs::path& folder) {
  return reading.kind(folder / pack_file_name) == Kind::file;
}

bool is_plain(const std::string& name) {
  return find_invalid_utf8(name) == std::string::npos && std::none_of(name.begin(), name.end(), [&](const char& c) {
           return c == '\\' || is_control(name, static_cast<std::size_t>(&c - name.data()));
         });
}

std::string in_lower_case(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return name;
}

class Walk {
 public:
  Walk(Reading& reading, const fs::path& folder) : reading_(reading), folder_(folder) {}

  std::vector<PackFile> files() {
    open_.push_back({"", 0});
    while (!open_.empty()) {
      auto [prefix, depth] = std::move(open_.back());
      open_.pop_back();
      look_into(prefix, depth);
    }
    if (!mistakes_.empty()) {
      put_in_order(mistakes_);
      cut(mistakes_);
      throw Error(std::move(mistakes_));
    }
    auto is_first = [](const PackFile& file) { return file.name == pack_file_name; };
    std::sort(files_.begin(), files_.end(),
              [&](auto& a, auto& b) { return std::pair(!is_first(a), a.name) < std::pair(!is_first(b), b.name); });
    refuse_equal_names();
    return std::move(files_);
  }

 private:
  // `prefix` is empty or ends with a slash.
  void look_into(const std::string& prefix, std::size_t depth) {
    auto entries = reading_.list(prefix.empty() ? folder_ : folder_ / prefix.substr(0, prefix.size() - 1));
    bool nested = std::any_of(entries.begin(), entries.end(),
                              [](auto& each) { return each.name == pack_file_name && each.kind == Kind::file; });
    if (nested && depth > 0) return;
    for (auto& entry : entries) {
      if (is_hidden(entry.name)) continue;
      auto name = prefix + entry.name;
      bool rule = entry.name.ends_with(".rule") && entry.name != ".rule";
      if (entry.kind == Kind::link)
        report(Code::outside_of_pack, filled("'{}' is a link: what a pack holds lies in its folder", at(name)),
               "put the file itself there, or import the pack that it belongs to");
      else if (rule && entry.kind != Kind::file)
        report(Code::bad_pack, filled("'{}' cannot be read: it is no regular file", at(name)),
               "in a pack, only the names of rule files end in `.rule`");
      else if (entry.kind == Kind::folder && depth == reading_.options().limits.folder_depth)
        throw GiveUp({.code = Code::too_deep,
                      .message = filled("'{}' lies more than {} folders deep", at(name), depth),
                      .help = "put the pack's files into fewer folders"});
      else if (entry.kind == Kind::folder)
        open_.push_back({name + "/", depth + 1});
      else if (rule && !is_plain(name))
        report(Code::bad_pack, filled("'{}' has a name that a pack's file cannot have", at(name)),
               "rename it: names are UTF-8, without control characters and backslashes");
      else if (rule)
        files_.push_back({name, folder_ / name});
    }
  }

  // They would be one file on another machine.
  void refuse_equal_names() const {
    std::map<std::string, std::string> seen;
    for (auto& file : files_)
      if (auto [first, fresh] = seen.emplace(in_lower_case(file.name), file.name); !fresh)
        throw Error({.code = Code::bad_pack,
                     .message = filled("'{}' and '{}' of the pack '{}' differ in the case of letters only",
                                       shown(first->second), shown(file.name), shown(folder_)),
                     .help = "rename one of them: where case does not count, they are one file"});
  }

  std::string at(const std::string& name) const { return shown(folder_ / name); }
  void report(Code code, std::string message, std::string help) {
    mistakes_.push_back({.code = code, .message = std::move(message), .help = std::move(help)});
  }

  struct Open {
    std::string prefix;
    std::size_t depth;
  };
  Reading& reading_;
  const fs::path& folder_;
  std::vector<Open> open_;
  std::vector<PackFile> files_;
  std::vector<Diagnostic> mistakes_;
};

}  // namespace

std::vector<PackFile> files_of_pack(Reading& reading, const fs::path& folder) { return Walk(reading, folder).files(); }

std::string why_no_pack(const Reading& reading, const fs::path& folder) {
  auto kind = reading.kind(folder / pack_file_name);
  return kind == Kind::file      ? ""
         : kind == Kind::nothing ? "without a pack.rule"
         : kind == Kind::link    ? "whose pack.rule is a link"
         : kind == Kind::folder  ? "whose pack.rule is a folder"
                                 : "whose pack.rule is no file that can be read";
}

fs::path folder_of_pack(const Reading& reading, const fs::path& path) {
  auto kind = reading.behind(path);
  if (kind == Kind::nothing) throw unreadable(path, "no such folder", "give the path of a pack's folder");
  if (kind == Kind::file && path.filename() == pack_file_name) return parent_of(path);
  auto why = kind == Kind::folder ? why_no_pack(reading, path) : "";
  if (kind == Kind::folder && why.empty()) return path;
  if (kind == Kind::other) throw unreadable(path, cannot_be_looked_at, check_permissions);
  throw unreadable(path, kind == Kind::folder ? "it is a folder " + why : "it is no folder",
                   "give the path of a pack: a folder with a pack.rule");
}

std::optional<fs::path> pack_around(const Reading& reading, const fs::path& real) {
  auto inside = real;
  for (auto& folder : folders_around(real)) {
    if (is_hidden(inside.filename().string())) return {};
    if (is_pack(reading, folder)) return folder;
    inside = folder;
  }
  return {};
}

std::optional<fs::path> keeper_of_pack(const Reading& reading, const fs::path& real) {
  bool kept = false;
  auto inside = real;
  for (auto& folder : folders_around(real)) {
    kept = kept || inside.filename().string().starts_with('_');
    if (is_hidden(inside.filename().string())) return {};
    if (kept && is_pack(reading, folder)) return folder;
    inside = folder;
  }
  return {};
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  if (folder == ".") return !path.is_absolute();
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

}  // namespace ascribe
