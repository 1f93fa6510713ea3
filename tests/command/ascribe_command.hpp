// The command, as a user runs it.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/folder.hpp"

namespace test {
using namespace ascribe;

struct Outcome {
  int code;
  std::string out, err;
};

/// Runs shell commands in a folder, with the examples beside and `ascribe` at hand.
inline Outcome run_shell(const Folder& folder, const std::string& commands) {
  for (auto& entry : std::filesystem::directory_iterator(ASCRIBE_EXAMPLES)) {
    std::error_code there_already;
    std::filesystem::create_symlink(entry.path(), folder / entry.path().filename().string(), there_already);
  }
  Folder results;
  auto script = results.file("script", commands);
  auto bin = std::filesystem::path(ASCRIBE_COMMAND).parent_path();
  auto status =
      std::system(("cd '" + folder.path.string() + "' && PATH='" + bin.string() + "':\"$PATH\" sh '" + script.string() +
                   "' >'" + (results / "out").string() + "' 2>'" + (results / "err").string() + "'")
                      .c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), bytes_of(results / "out"),
          bytes_of(results / "err")};
}

}  // namespace test
