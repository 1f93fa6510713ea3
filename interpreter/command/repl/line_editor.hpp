// Lines from a terminal: edited by libedit where Ascribe was built with it, otherwise as the terminal gives them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "interpreter/command/repl/completion.hpp"
#include "interpreter/command/repl/history.hpp"
#include "interpreter/command/repl/signals.hpp"

namespace ascribe::repl {

struct Line {
  enum class End { line, interrupt, end } end;  ///< how it ended: whole, by Ctrl-C, or there are no more
  std::string text{};
};

class LineReader {
 public:
  virtual ~LineReader() = default;
  virtual Line read(const std::string& prompt) = 0;
  /// Puts a line into the history that the arrow keys go through.
  virtual void remember(const std::string& line) = 0;
};

using Completer = std::function<Completion(std::string_view line, std::size_t cursor)>;

/// On standard input and output. Null where there is no libedit, or the terminal cannot do what it needs.
std::unique_ptr<LineReader> editing_reader(const Signals& signals, Completer completer, const History& history);

/// Standard input line by line; prompts are written to `prompts`.
std::unique_ptr<LineReader> plain_reader(const Signals& signals, int prompts);

/// Waits until standard input can be read. Whether it can: false for Ctrl-C or the end of the terminal; `on_signal` is
/// called for all else that arrives.
bool wait_for_input(const Signals& signals, const std::function<void()>& on_signal = {});

}  // namespace ascribe::repl
