// Ctrl-C in long work, and the line that says how far it is: on a terminal, as a user sees it.
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "interpreter/command/interruption.hpp"
#include "interpreter/command/progress_line.hpp"
#include "interpreter/files/npy.hpp"
#include "tests/attach/scripts.hpp"

namespace ascribe::command {
namespace {

using Catch::Contains;
using Catch::EndsWith;
using test::Folder;

bool soon(const std::function<bool()>& holds) {
  for (int turn = 0; turn < 10'000 && !holds(); ++turn) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return holds();
}

// A process on a terminal of its own.
class OnTerminal {
 public:
  explicit OnTerminal(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (auto& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    winsize size{24, 100, 0, 0};
    process_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
    if (process_ == 0) {
      ::setenv("TERM", "xterm", 1);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
  }
  ~OnTerminal() { ::close(terminal_); }

  /// Reads until `text` has appeared, or the process has ended.
  void read_until(const std::string& text) {
    char buffer[4096];
    while (said.find(text) == said.npos) {
      auto got = ::read(terminal_, buffer, sizeof buffer);
      if (got <= 0) return;
      said.append(buffer, static_cast<std::size_t>(got));
    }
  }
  void type(const std::string& keys) { CHECK(::write(terminal_, keys.data(), keys.size()) > 0); }
  int exit_code() {
    int status = 0;
    ::waitpid(process_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  std::string said;

 private:
  int terminal_ = -1;
  pid_t process_ = -1;
};

TEST_CASE("long work shows how far it is on a terminal, and Ctrl-C ends it with 130 and without files") {
  Folder folder;
  std::vector<torch::jit::Module> layers;
  auto weight = at::full({16, 16, 3, 3}, 0.01, at::kFloat);
  for (int i = 0; i < 400; ++i)
    layers.push_back(test::script("def forward(self, x):\n  return torch.conv2d(x, self.weight, padding=[1, 1])\n",
                                  {{"weight", weight}}));
  test::sequence(layers).save(folder / "model.pt");
  files::write_npy(folder / "x.npy", at::ones({1, 16, 200, 200}));

  auto began = std::chrono::steady_clock::now();
  OnTerminal run({ASCRIBE_COMMAND, "run", "--model", folder / "model.pt", "--input", folder / "x.npy", "--rules",
                  "zplus", "--target", "all", "--output", folder / "r.npy", "--heatmap", folder / "h.png"});
  run.read_until(" layers  ");
  CHECK(std::chrono::steady_clock::now() - began > std::chrono::seconds(1));
  CHECK_THAT(run.said, Contains("\r\033[Kforward   ") && Contains(" (conv2d)"));
  run.type("\003");
  run.read_until("to the end");
  CHECK(run.exit_code() == 130);
  CHECK_THAT(run.said, Contains("A0612") && Contains("\r\033[K"));
  CHECK(folder.files() == 2);
}

TEST_CASE("bench shows which round it is in, and Ctrl-C ends it with 130 and without results") {
  const std::string digits = ASCRIBE_EXAMPLES "/digits/";
  OnTerminal bench({ASCRIBE_COMMAND, "bench", "--model", digits + "model.pt", "--input", digits + "three.npy",
                    "--rules", "zplus", "--rounds", "1000000000"});
  bench.read_until(" of 1000000000");
  bench.type("\003");
  bench.read_until("to the end");
  CHECK(bench.exit_code() == 130);
  CHECK_THAT(bench.said, Contains("\r\033[Kround ") && Contains("A0612") && !Contains("rules: "));
}

TEST_CASE("an interruption asks for a stop, while somebody listens") {
  struct sigaction before {
  }, after{};
  ::sigaction(SIGINT, nullptr, &before);
  {
    Interruption interruption;
    interruption.check("r.npy");
    ::raise(SIGINT);
    CHECK(soon([&] { return interruption.token().stop_requested(); }));
    Folder folder;
    CHECK(test::failure(folder, [&] { interruption.check("r.npy"); }) ==
          "A0612 stopped as requested, before 'r.npy' was written");
  }
  ::sigaction(SIGINT, nullptr, &after);
  CHECK(after.sa_handler == before.sa_handler);
  CHECK_FALSE(Interruption().token().stop_requested());
}

TEST_CASE("where interruptions are ignored, they stay so") {
  auto before = ::signal(SIGINT, SIG_IGN);
  {
    Interruption interruption;
    ::raise(SIGINT);
    CHECK_FALSE(interruption.token().stop_requested());
  }
  CHECK(::signal(SIGINT, before) == SIG_IGN);
}

TEST_CASE("the line of progress is plain, and no wider than the terminal") {
  CHECK(progress_text({.layer = "features.3", .kind = "conv2d", .done = 12}, 79) ==
        "forward   12 layers  features.3 (conv2d)");
  Progress back{.pass = Progress::Pass::backward, .layer = "\033[2Jü", .kind = "relu", .done = 1, .total = 45};
  CHECK(progress_text(back, 79) == "backward  1 of 45 layers  ?[2J?? (relu)");
  CHECK(progress_text(back, 12) == "backward  1 ");
}

}  // namespace
}  // namespace ascribe::command
