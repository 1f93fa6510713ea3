#include "interpreter/command/interruption.hpp"

#include <semaphore.h>
#include <signal.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "ascribe/error.hpp"
#include "interpreter/files/atomic_file.hpp"

namespace ascribe::command {
namespace {

// A handler may do next to nothing: it wakes a thread, which asks for the stop.
sem_t arrived;
std::atomic<bool> interrupted_before;
struct sigaction action_before;
bool handles = false;

extern "C" void on_interruption(int signal);
extern "C" void on_interruption(int signal) {
  auto error = errno;
  if (interrupted_before.exchange(true)) {
    struct sigaction default_action {};
    default_action.sa_handler = SIG_DFL;
    ::sigaction(signal, &default_action, nullptr);
    ::raise(signal);
  }
  ::sem_post(&arrived);
  errno = error;
}

}  // namespace

Interruption::Interruption() {
  ::sigaction(SIGINT, nullptr, &action_before);
  handles = action_before.sa_handler != SIG_IGN;
  if (!handles) return;
  ::sem_init(&arrived, 0, 0);
  interrupted_before = false;
  waiting_ = std::thread([this] {
    while (::sem_wait(&arrived) != 0) {
    }
    if (!over_) source_.request_stop();
  });
  struct sigaction action {};
  action.sa_handler = &on_interruption;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
}

Interruption::~Interruption() {
  if (!handles) return;
  ::sigaction(SIGINT, &action_before, nullptr);
  over_ = true;
  ::sem_post(&arrived);
  waiting_.join();
  ::sem_destroy(&arrived);
}

void Interruption::check(const std::string& path) const {
  if (source_.stop_requested())
    throw Error(
        {.code = Code::stopped,
         .message = "stopped as requested, before " + files::quoted(std::filesystem::path(path)) + " was written",
         .help = "begin again: no file is half written"});
}

}  // namespace ascribe::command
