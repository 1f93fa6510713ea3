// What a terminal sends: Ctrl-C, another size, its end.
#pragma once

#include <signal.h>

#include <array>
#include <cstddef>

namespace ascribe::repl {

/// Takes the signals while it lives; one at a time in a process. What arrives is remembered, and wakes whoever polls
/// `descriptor`; nothing else happens to the process.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Becomes readable with every signal; `take` empties it.
  int descriptor() const;
  void take() const;

  /// Whether work is to stop: Ctrl-C since the last call of `forget`, or an end. Safe on any thread.
  bool interrupted() const;
  void forget() const;
  /// The signal that ends the session: SIGHUP or SIGTERM; 0 for none.
  int ending() const;
  /// Whether the terminal has another size, or comes back after the process was stopped; asked once for each.
  bool resized() const;
  bool continued() const;

 private:
  static constexpr std::array handled{SIGINT, SIGHUP, SIGTERM, SIGWINCH, SIGCONT};
  std::array<struct sigaction, handled.size()> before_{};
};

}  // namespace ascribe::repl
