// Tests that are run in a process of their own, because running rules needs LibTorch, and this program does without.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace ascribe::server {

/// Runs a command and gives what it wrote to its output, with its exit status; -1 where it could not be run. Ends it
/// when that is more than 16 MiB.
struct Outcome {
  int status = -1;
  std::string output{};
};
Outcome run_command(const std::vector<std::string>& command);

/// The command `ascribe`: the one that is configured, beside this program, or on the PATH.
std::string find_command(const std::string& configured);

/// Threads that end with this.
class TestRuns {
 public:
  ~TestRuns();
  /// Runs it, then calls `done` on that thread.
  void start(std::vector<std::string> command, std::function<void(const Outcome&)> done);

 private:
  std::vector<std::thread> threads_;
};

}  // namespace ascribe::server
