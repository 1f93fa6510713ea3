#include "interpreter/command/repl/loop.hpp"

#include <unistd.h>

#include <iostream>
#include <streambuf>

#include "grammar/limits.hpp"
#include "interpreter/command/colour.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/repl/line_editor.hpp"
#include "interpreter/command/repl/session.hpp"
#include "interpreter/pack/rule_sources.hpp"

namespace ascribe::repl {
namespace {

// Results are for standard output, messages for standard error; a reader of both sees them in this order.
void print(const Answer& answer) {
  std::cout << answer.text << std::flush;
  if (!answer.messages.empty())
    std::cerr << render_text(answer.messages, command::wants_colour(STDERR_FILENO)) << std::flush;
}

template <typename Visit>
void for_each_line(std::string_view lines, const Visit& visit) {
  while (true) {
    auto end = lines.find('\n');
    visit(lines.substr(0, end));
    if (end == std::string_view::npos) return;
    lines.remove_prefix(end + 1);
  }
}

// ------------------------------------------------------------------------------------------------------ at a terminal

class Terminal {
 public:
  explicit Terminal(const LoopOptions& options)
      : options_(options),
        session_({options.limits, options.loading, [this] { return signals_.interrupted(); },
                  [] { return command::screen_of(STDOUT_FILENO); }}),
        history_(history_file()) {
    auto completer = [this](std::string_view line, std::size_t cursor) {
      return complete(session_.state(), input_.text(), line, cursor);
    };
    auto is_whole = [](std::string_view lines) {
      InputReader reader(InputReader::Naming::by_number);
      for_each_line(lines, [&](std::string_view line) { reader.add(line); });
      return !reader.is_open();
    };
    reader_ = editing_reader(signals_, completer, is_whole, history_);
    if (!reader_) reader_ = plain_reader(signals_, answers_are_seen ? STDOUT_FILENO : STDERR_FILENO);
  }

  int run() {
    (answers_are_seen ? std::cout : std::cerr)
        << "Ascribe, for relevance rules. `:help` shows what can be entered; Ctrl-D quits.\n"
        << std::flush;
    if (!options_.paths.empty()) show(session_.load(options_.paths));
    bool goes_on = true;
    while (goes_on && !signals_.ending()) {
      signals_.forget();
      auto line = reader_->read(input_.is_open() ? ". " : "> ", entry_);
      if (line.anew) drop();
      if (line.end == Line::End::line)
        goes_on = enter(line.text);
      else if (line.end == Line::End::interrupt)
        clear();
      else
        goes_on = end();
    }
    remember();
    constexpr int by_signal = 128;
    return signals_.ending() ? by_signal + signals_.ending() : command::fine;
  }

 private:
  // A line, or the lines that were pasted as one input.
  bool enter(const std::string& lines) {
    std::vector<Entered> entered;
    for_each_line(lines, [&](std::string_view line) {
      entry_ += line;
      entry_ += '\n';
      if (auto whole = input_.add(line)) entered.push_back(std::move(*whole));
    });
    bool several = lines.find('\n') != std::string::npos;
    if (input_.is_open() && !(several && !entered.empty())) return true;
    if (auto rest = input_.finish()) entered.push_back(std::move(*rest));
    remember();
    return entered.empty() || show(session_.run(std::move(entered)));
  }

  // What was entered goes into the history as one.
  void remember() {
    if (history_.add(entry_)) reader_->remember(history_.entries().back());
    entry_.clear();
  }

  void drop() {
    input_.drop();
    entry_.clear();
  }

  void clear() {
    remember();
    drop();
    std::cout << "\n" << std::flush;  // the terminal, or the editor, has shown a ^C
  }

  // Ctrl-D: of an input that is not whole, it says what is missing; otherwise it ends the session.
  bool end() {
    std::cout << "\n" << std::flush;
    if (signals_.ending() || !input_.is_open()) return false;
    remember();
    auto entered = input_.finish();
    return !entered || show(session_.run(std::move(*entered)));
  }

  // Whether the session goes on.
  bool show(const Answer& answer) {
    print(answer);
    if (answer.interrupted && !signals_.ending()) std::cout << "\nstopped\n" << std::flush;
    return !answer.quits;
  }

  // Otherwise they go to a file: what is only for the eyes stays out of it.
  const bool answers_are_seen = isatty(STDOUT_FILENO) != 0;
  const LoopOptions& options_;
  Signals signals_;
  Session session_;
  InputReader input_{InputReader::Naming::by_number};
  std::string entry_;  // the lines that it has so far
  History history_;
  std::unique_ptr<LineReader> reader_;
};

// ---------------------------------------------------------------------------------------------------- from elsewhere

// A line without its end, but no more than anybody writes. Whether there was one.
bool read_line(std::streambuf& in, std::string& line) {
  line.clear();
  constexpr auto end = std::char_traits<char>::eof();
  auto next = in.sbumpc();
  if (next == end) return false;
  for (; next != end && next != '\n'; next = in.sbumpc()) {
    line += std::char_traits<char>::to_char_type(next);
    if (line.size() > limits.source_bytes + 1) return true;
  }
  return true;
}

int run_lines(const LoopOptions& options) {
  Session session({options.limits, options.loading, {}, [] { return command::screen_of(STDOUT_FILENO); }});
  InputReader input(InputReader::Naming::by_line);
  auto ended_by = [](const Answer& answer) -> std::optional<int> {
    print(answer);
    if (answer.failed) return command::exit_code(Error(answer.messages));
    if (answer.quits) return command::fine;
    return {};
  };
  if (!options.paths.empty())
    if (auto code = ended_by(session.load(options.paths))) return *code;
  bool first = true;
  for (std::string line; read_line(*std::cin.rdbuf(), line); first = false) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (first && line.starts_with(byte_order_mark)) line.erase(0, byte_order_mark.size());
    auto entered = input.add(line);
    if (!entered) continue;
    if (auto code = ended_by(session.run(std::move(*entered)))) return *code;
  }
  refuse_unreadable_input();
  if (auto rest = input.finish())
    if (auto code = ended_by(session.run(std::move(*rest)))) return *code;
  return command::fine;
}

}  // namespace

int run(const LoopOptions& options) {
  if (!isatty(STDIN_FILENO)) return run_lines(options);
  return Terminal(options).run();
}

}  // namespace ascribe::repl
