#include "interpreter/command/repl/history.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "grammar/source.hpp"

namespace ascribe::repl {
namespace {

namespace fs = std::filesystem;

bool is_text(std::string_view entry) {
  return find_invalid_utf8(entry) == std::string_view::npos &&
         std::none_of(entry.begin(), entry.end(),
                      [](unsigned char c) { return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7F; });
}

// An input as lines of the file.
std::string encoded(std::string_view entry) {
  std::string out;
  for (std::size_t i = 0; i <= entry.size(); ++i) {
    bool ends = i == entry.size() || entry[i] == '\n';
    if (ends && i > 0 && entry[i - 1] == '\\') out += ' ';  // a backslash of its own
    if (ends)
      out += i == entry.size() ? "\n" : "\\\n";
    else
      out += entry[i];
  }
  return out;
}

// The folders above the file, for their owner only where they are made here.
void make_folders(const fs::path& path) {
  fs::path made;
  for (auto& part : path.parent_path()) {
    made /= part;
    ::mkdir(made.c_str(), 0700);  // which fails where it is there, or cannot be
  }
}

}  // namespace

fs::path history_file() {
  auto* state = std::getenv("XDG_STATE_HOME");
  if (state && *state == '/') return fs::path(state) / "ascribe" / "history";
  auto* home = std::getenv("HOME");
  if (home && *home == '/') return fs::path(home) / ".local" / "state" / "ascribe" / "history";
  return {};
}

History::History(fs::path path) : path_(std::move(path)) {
  constexpr std::uintmax_t most_bytes = 1 << 20;  // that are read: the last ones
  std::error_code error;
  if (path_.empty() || !fs::is_regular_file(path_, error)) return;
  auto size = fs::file_size(path_, error);
  if (error) return;
  std::ifstream file(path_, std::ios::binary);
  bool cut = size > most_bytes;
  if (cut) file.seekg(static_cast<std::streamoff>(size - most_bytes));
  std::size_t found = 0;
  std::string entry;
  for (std::string line; std::getline(file, line);) {
    if (cut && found++ == 0) continue;  // half a line
    bool goes_on = line.ends_with('\\');
    if (goes_on) line.back() = '\n';
    entry += line;
    if (goes_on) continue;
    if (is_text(entry) && !entry.empty() && entry.size() <= longest_entry) entries_.push_back(std::move(entry));
    entry.clear();
  }
  if (entries_.size() <= most_entries && !cut) return;
  if (entries_.size() > most_entries) entries_.erase(entries_.begin(), entries_.end() - most_entries);
  std::string text;
  for (auto& each : entries_) text += encoded(each);
  write(text, /*anew=*/true);
}

bool History::add(std::string_view entry) {
  while (entry.ends_with('\n')) entry.remove_suffix(1);
  if (entry.find_first_not_of(" \t\n") == std::string_view::npos || entry.size() > longest_entry || !is_text(entry))
    return false;
  if (!entries_.empty() && entries_.back() == entry) return false;
  entries_.emplace_back(entry);
  write(encoded(entry), /*anew=*/false);
  return true;
}

// One write for an input, at the file's end: sessions beside each other do not mix theirs.
void History::write(std::string_view text, bool anew) const {
  if (path_.empty()) return;
  make_folders(path_);
  auto place = anew ? fs::path(path_.string() + ".new") : path_;
  auto file = ::open(place.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | (anew ? O_TRUNC : O_APPEND), 0600);
  if (file < 0) return;
  struct stat about {};
  bool regular = ::fstat(file, &about) == 0 && S_ISREG(about.st_mode);
  bool whole = regular && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (regular && (about.st_mode & 077) != 0 && about.st_uid == ::geteuid()) (void)::fchmod(file, 0600);
  ::close(file);
  if (!anew) return;
  if (!whole || ::rename(place.c_str(), path_.c_str()) != 0) ::unlink(place.c_str());
}

}  // namespace ascribe::repl
