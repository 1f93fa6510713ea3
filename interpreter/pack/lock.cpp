#include "interpreter/pack/lock.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "grammar/filled_text.hpp"
#include "interpreter/pack/files.hpp"
#include "interpreter/pack/sha256.hpp"

namespace ascribe {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t digest_digits = 64;
constexpr std::string_view between = "  ";

// Why a path cannot be that of a pack's file; empty where it can.
const char* why_no_name(std::string_view name) {
  if (name.empty()) return "the line names no file";
  if (name.starts_with('/')) return "a lock's paths begin at the pack's folder, not at `/`";
  for (std::size_t begin = 0; begin <= name.size();) {
    auto end = std::min(name.find('/', begin), name.size());
    auto part = name.substr(begin, end - begin);
    if (part == "..") return "the path leads out of the pack";
    if (part.empty() || part == ".") return "the path is not in its shortest form";
    begin = end + 1;
  }
  if (!name.ends_with(".rule")) return "a lock is of rule files, whose names end in `.rule`";
  return "";
}

class LockReader {
 public:
  explicit LockReader(const SourcePointer& source) : source_(source) {}

  std::vector<LockedFile> files() {
    auto text = source_->text();
    for (std::size_t begin = 0; begin < text.size();) {
      auto end = text.find('\n', begin);
      if (end == text.npos) throw refuse({begin, text.size()}, "the last line has no end");
      read({begin, end});
      begin = end + 1;
    }
    return std::move(files_);
  }

 private:
  // A line, without its end.
  void read(Span line) {
    auto text = source_->text(line);
    if (text.ends_with('\r')) throw refuse(line, "the line ends in a carriage return");
    auto digest = text.substr(0, digest_digits);
    if (digest.size() < digest_digits || digest.find_first_not_of("0123456789abcdef") != digest.npos)
      throw refuse(line, "a line begins with the 64 lower-case hexadecimal digits of a SHA-256 digest");
    if (!text.substr(digest_digits).starts_with(between))
      throw refuse(line, "two spaces stand between a digest and its file");
    Span where{line.begin + digest_digits + between.size(), line.end};
    auto name = source_->text(where);
    if (std::string_view why = why_no_name(name); !why.empty()) throw refuse(where, std::string(why));
    if (auto [first, fresh] = places_.emplace(name, where); !fresh)
      throw refuse(where, filled("'{}' is there twice", shown(fs::path(name))),
                   {{source_, first->second, "first here"}});
    files_.push_back({std::string(digest), std::string(name)});
  }

  // One message: a file that is no lock has something to say of each line.
  Error refuse(Span where, std::string message, std::vector<Label> others = {}) const {
    return Error({.code = Code::bad_lock,
                  .message = std::move(message),
                  .primary = {source_, where, ""},
                  .others = std::move(others),
                  .help = filled("if the files are the right ones, write the lock anew: `ascribe pack lock {}`",
                                 in_shell(fs::path(source_->name()).parent_path()))});
  }

  const SourcePointer& source_;
  std::vector<LockedFile> files_;
  std::map<std::string_view, Span> places_;
};

}  // namespace

std::vector<PackText> texts_of_pack(Reading& reading, const fs::path& folder) {
  auto files = files_of_pack(reading, folder);
  reading.refuse_too_many(files.size());
  std::vector<PackText> out;
  for (auto& file : files) {
    auto source = reading.read(file.path);
    out.push_back({std::move(file), std::move(source)});
  }
  return out;
}

std::string lock_of(const std::vector<PackText>& texts) {
  std::map<std::string_view, std::string_view> sorted;
  for (auto& each : texts) sorted.emplace(each.file.name, each.source->text());
  std::string out;
  for (auto& [name, text] : sorted) out += filled("{}{}{}\n", sha256(text), between, name);
  return out;
}

std::vector<LockedFile> read_lock(const SourcePointer& source) { return LockReader(source).files(); }

const char* word_of(Difference::Kind kind) {
  constexpr const char* words[] = {"changed", "missing", "added"};  // in the order of Kind
  return words[static_cast<std::size_t>(kind)];
}

std::vector<Difference> differences(const std::vector<LockedFile>& lock, const std::vector<PackText>& texts) {
  using Kind = Difference::Kind;
  std::map<std::string_view, std::string_view> there;
  for (auto& each : texts) there.emplace(each.file.name, each.source->text());
  std::vector<Difference> out;
  for (auto& [digest, name] : lock) {
    auto found = there.find(name);
    if (found == there.end()) {
      out.push_back({Kind::missing, name});
      continue;
    }
    if (sha256(found->second) != digest) out.push_back({Kind::changed, name});
    there.erase(found);
  }
  for (auto& [name, text] : there) out.push_back({Kind::added, std::string(name)});
  std::sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.name < b.name; });
  return out;
}

bool has_lock(const Reading& reading, const fs::path& folder) {
  auto path = folder / lock_file_name;
  auto kind = reading.kind(path);
  if (kind == Files::Kind::link)
    throw Error({.code = Code::outside_of_pack,
                 .message = filled("'{}' is a link: what a pack holds lies in its folder", shown(path)),
                 .help = filled("remove it and write a lock: `ascribe pack lock {}`", in_shell(folder))});
  if (kind != Files::Kind::file && kind != Files::Kind::nothing)
    throw unreadable(path, "it is no regular file", "remove it, or rename it");
  return kind == Files::Kind::file;
}

SourcePointer find_lock(Reading& reading, const fs::path& folder) {
  return has_lock(reading, folder) ? reading.read(folder / lock_file_name) : nullptr;
}

Diagnostic has_no_lock(const fs::path& folder) {
  return {.code = Code::not_locked,
          .message = filled("the pack '{}' has no lock", shown(folder)),
          .help = filled("get it with its pack.lock, or, if its files are the right ones, `ascribe pack lock {}`",
                         in_shell(folder))};
}

Diagnostic differs(const fs::path& folder, const std::vector<Difference>& found) {
  constexpr std::size_t most = 8;  // files that are named
  std::vector<std::string> names;
  for (auto& each : found) {
    if (names.size() == most) {
      names.push_back(filled("and {} more", found.size() - most));
      break;
    }
    names.push_back(filled("{} '{}'", word_of(each.kind), shown(each.name)));
  }
  return {.code = Code::differs_from_lock,
          .message =
              filled("the files of the pack '{}' are not those of its lock: {}", shown(folder), fmt::join(names, ", ")),
          .help = filled("get the pack anew, or, if the files are meant so, `ascribe pack lock {}`", in_shell(folder))};
}

}  // namespace ascribe
