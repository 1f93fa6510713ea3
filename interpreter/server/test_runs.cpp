#include "interpreter/server/test_runs.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

extern char** environ;

namespace ascribe::server {

Outcome run_command(const std::vector<std::string>& command) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  for (auto& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  pid_t child = -1;
  auto failed = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  Outcome out;
  if (failed == 0) {
    char bytes[16384];
    constexpr std::size_t most = 16 << 20;
    while (out.output.size() <= most) {
      auto count = ::read(pipe[0], bytes, sizeof bytes);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      out.output.append(bytes, static_cast<std::size_t>(count));
    }
  }
  ::close(pipe[0]);  // what goes on writing ends by that
  if (failed == 0) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    out.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (out.status == 127) out.status = -1;
  }
  return out;
}

std::string find_command(const std::string& configured) {
  if (!configured.empty()) return configured;
  std::error_code error;
  auto beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "ascribe";
  return !error && std::filesystem::exists(beside, error) ? beside.string() : "ascribe";
}

TestRuns::~TestRuns() {
  for (auto& each : threads_) each.join();
}

void TestRuns::start(std::vector<std::string> command, std::function<void(const Outcome&)> done) {
  threads_.emplace_back([command = std::move(command), done = std::move(done)] { done(run_command(command)); });
}

}  // namespace ascribe::server
