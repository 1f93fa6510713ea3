// The inputs that were entered, kept in a file of the user's own from session to session.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ascribe::repl {

/// `$XDG_STATE_HOME/ascribe/history`, otherwise `~/.local/state/ascribe/history`; empty where neither is known.
std::filesystem::path history_file();

/// Inputs, the oldest first; one may have several lines. Nothing fails: where the file cannot be read or written, the
/// history is that of the session.
///
/// In the file, a line of an input that goes on ends with `\`.
class History {
 public:
  static constexpr std::size_t most_entries = 1'000, longest_entry = 10'000;

  /// Reads the file, and shortens it where it has become long.
  explicit History(std::filesystem::path path);

  const std::vector<std::string>& entries() const { return entries_; }
  /// Adds an input and writes it at once, so that nothing is lost whatever ends the session. Whether it was added:
  /// empty ones, repeated ones and very long ones are not.
  bool add(std::string_view entry);

 private:
  void write(std::string_view text, bool anew) const;

  std::filesystem::path path_;
  std::vector<std::string> entries_;
};

}  // namespace ascribe::repl
