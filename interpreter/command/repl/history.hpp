// The lines that were entered, kept in a file of the user's own from session to session.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ascribe::repl {

/// `$XDG_STATE_HOME/ascribe/history`, otherwise `~/.local/state/ascribe/history`; empty where neither is known.
std::filesystem::path history_file();

/// Lines, the oldest first. Nothing fails: where the file cannot be read or written, the history is that of the
/// session.
class History {
 public:
  static constexpr std::size_t most_lines = 1'000, longest_line = 10'000;

  /// Reads the file, and shortens it where it has become long.
  explicit History(std::filesystem::path path);

  const std::vector<std::string>& lines() const { return lines_; }
  /// Adds a line and writes it at once, so that nothing is lost whatever ends the session. Whether it was added: empty
  /// lines, repeated ones and very long ones are not.
  bool add(std::string_view line);

 private:
  void write(std::string_view text, bool anew) const;

  std::filesystem::path path_;
  std::vector<std::string> lines_;
};

}  // namespace ascribe::repl
