// The command in a pseudo-terminal, as somebody at a keyboard has it.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/folder.hpp"

namespace test {
using namespace ascribe;

class Terminal {
 public:
  using Environment = std::map<std::string, std::string>;

  /// Starts `ascribe repl` with these arguments in a folder, which is the user's home, too.
  explicit Terminal(const Folder& folder, const std::vector<std::string>& arguments = {},
                    const Environment& environment = {}) {
    winsize size{.ws_row = 40, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
    child_ = ::forkpty(&master_, nullptr, nullptr, &size);
    REQUIRE(child_ >= 0);
    if (child_ == 0) {
      Environment all{{"HOME", folder.path.string()}, {"XDG_STATE_HOME", (folder / "state").string()},
                      {"TERM", "xterm-256color"},     {"LC_ALL", "C.UTF-8"},
                      {"PATH", "/usr/bin:/bin"},      {"OMP_NUM_THREADS", "1"}};
      for (auto& [name, value] : environment) all[name] = value;
      ::clearenv();
      for (auto& [name, value] : all) ::setenv(name.c_str(), value.c_str(), 1);
      if (::chdir(folder.path.c_str()) != 0) ::_exit(99);
      std::vector<char*> words{const_cast<char*>("ascribe"), const_cast<char*>("repl")};
      for (auto& each : arguments) words.push_back(const_cast<char*>(each.c_str()));
      words.push_back(nullptr);
      ::execv(ASCRIBE_COMMAND, words.data());
      ::_exit(98);
    }
    wait_for("Ctrl-D quits.");
    beginning_ = wait_for("> ");
  }

  /// What is shown before the first prompt, and it.
  const std::string& beginning() const { return beginning_; }

  ~Terminal() {
    hang_up();
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void type(const std::string& keys) {
    for (std::size_t done = 0; done < keys.size();) {
      auto count = ::write(master_, keys.data() + done, keys.size() - done);
      REQUIRE(count > 0);
      done += static_cast<std::size_t>(count);
    }
  }

  /// Types a line and waits for what it prints; then for the next prompt.
  std::string enter(const std::string& line, const std::string& answer) {
    type(line + "\n");
    auto out = wait_for(answer);
    return out + wait_for("> ");
  }

  /// What is shown up to this text, which has to come. What was waited for once is gone.
  std::string wait_for(const std::string& text) {
    auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (true) {
      if (auto found = shown_.find(text); found != std::string::npos) {
        auto out = shown_.substr(0, found + text.size());
        shown_.erase(0, out.size());
        return out;
      }
      if (!more(until)) break;
    }
    INFO("shown was: " << shown_);
    FAIL("nothing like this was shown: " << text);
    return "";
  }

  /// Until nothing is shown any more; what was shown is gone.
  void settle() {
    while (more(std::chrono::steady_clock::now() + std::chrono::milliseconds(300))) {
    }
    shown_.clear();
  }

  void resize(unsigned short columns) {
    winsize size{.ws_row = 40, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    REQUIRE(::ioctl(master_, TIOCSWINSZ, &size) == 0);
  }

  /// As a shell has it with Ctrl-Z and `fg`: meanwhile the terminal is the shell's.
  void stop_and_continue() {
    ::kill(child_, SIGSTOP);
    int status = 0;
    REQUIRE(::waitpid(child_, &status, WUNTRACED) == child_);
    REQUIRE(WIFSTOPPED(status));
    termios modes{};
    REQUIRE(::tcgetattr(master_, &modes) == 0);
    modes.c_lflag |= ICANON | ECHO;
    REQUIRE(::tcsetattr(master_, TCSANOW, &modes) == 0);
    ::kill(child_, SIGCONT);
  }

  void hang_up() {
    if (master_ >= 0) ::close(std::exchange(master_, -1));
  }

  /// The exit code, or 1000 and the signal; waits for the end.
  int end() {
    auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    int status = 0;
    while (::waitpid(child_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > until) FAIL("it does not end; shown was: " << shown_);
      if (master_ >= 0)
        more(std::chrono::steady_clock::now() + std::chrono::milliseconds(20));
      else
        ::usleep(5'000);
    }
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

 private:
  // Whether more is shown before `until`.
  bool more(std::chrono::steady_clock::time_point until) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    pollfd waiting{master_, POLLIN, 0};
    if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) <= 0) return false;
    char bytes[4096];
    auto count = ::read(master_, bytes, sizeof bytes);
    if (count <= 0) return false;
    shown_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

  pid_t child_ = -1;
  int master_ = -1;
  std::string beginning_, shown_;
};

}  // namespace test
