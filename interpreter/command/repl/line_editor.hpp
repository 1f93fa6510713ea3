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
  std::string text{};  ///< several lines where they were pasted, or came from the history as one
  bool anew = false;   ///< it begins with the earlier lines of the same input, to be read again
};

class LineReader {
 public:
  virtual ~LineReader() = default;
  /// `before`: the earlier lines of the same input, each with its end.
  virtual Line read(const std::string& prompt, const std::string& before) = 0;
  /// Puts an input into the history that the arrow keys go through.
  virtual void remember(const std::string& entry) = 0;
};

using Completer = std::function<Completion(std::string_view line, std::size_t cursor)>;

/// Whether lines are whole inputs, so that Enter behind several of them runs them.
using WholeInput = std::function<bool(std::string_view lines)>;

/// On standard input and output. Null where there is no libedit, or the terminal cannot do what it needs.
std::unique_ptr<LineReader> editing_reader(const Signals& signals, Completer completer, WholeInput is_whole,
                                           const History& history);

/// Standard input line by line; prompts are written to `prompts`.
std::unique_ptr<LineReader> plain_reader(const Signals& signals, int prompts);

/// Waits until standard input can be read. Whether it can: false for Ctrl-C or the end of the terminal; `on_signal` is
/// called for all else that arrives.
bool wait_for_input(const Signals& signals, const std::function<void()>& on_signal = {});

}  // namespace ascribe::repl
