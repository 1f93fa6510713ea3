#include "interpreter/command/repl/signals.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>

#include "grammar/error.hpp"

namespace ascribe::repl {
namespace {

std::atomic<bool> interrupt = false, size_changed = false, came_back = false;
std::atomic<int> end_signal = 0;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "a signal handler may wait for nobody");
int ends[2] = {-1, -1};  // of a pipe: what arrives is written to the second

void arrive(int signal) {
  auto before = errno;
  if (signal == SIGINT) interrupt = true;
  if (signal == SIGWINCH) size_changed = true;
  if (signal == SIGCONT) came_back = true;
  if (signal == SIGHUP || signal == SIGTERM) end_signal = signal;
  char byte = 0;
  [[maybe_unused]] auto written = ::write(ends[1], &byte, 1);  // a full pipe wakes just as well
  errno = before;
}

}  // namespace

Signals::Signals() {
  interrupt = size_changed = came_back = false;
  end_signal = 0;
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    throw Error({.code = Code::too_large,
                 .message = "no file can be opened: there are too many",
                 .help = "close some programs"});
  struct sigaction action {};
  action.sa_handler = arrive;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < handled.size(); ++i) ::sigaction(handled[i], &action, &before_[i]);
}

Signals::~Signals() {
  for (std::size_t i = 0; i < handled.size(); ++i) ::sigaction(handled[i], &before_[i], nullptr);
  for (auto end : ends) ::close(end);
}

int Signals::descriptor() const { return ends[0]; }

void Signals::take() const {
  char bytes[64];
  while (::read(ends[0], bytes, sizeof bytes) > 0) {
  }
}

bool Signals::interrupted() const { return interrupt || end_signal != 0; }
void Signals::forget() const { interrupt = false; }
int Signals::ending() const { return end_signal; }
bool Signals::resized() const { return size_changed.exchange(false); }
bool Signals::continued() const { return came_back.exchange(false); }

}  // namespace ascribe::repl
