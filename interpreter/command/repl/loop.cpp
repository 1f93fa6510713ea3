#include "interpreter/command/repl/loop.hpp"

#include <unistd.h>

#include <iostream>
#include <streambuf>

#include "grammar/limits.hpp"
#include "interpreter/command/colour.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/repl/evaluator.hpp"
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
    if (!options_.model.empty()) show(session_.load_model(options_.model));
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

// An input's mistakes with their place, also those that are about a file, or about all of it.
std::vector<Diagnostic> placed(std::vector<Diagnostic> messages, const SourcePointer& input) {
  auto is_in_it = [&](const Label& label) { return label.source == input; };
  for (auto& each : messages) {
    if (each.severity == Severity::warning) continue;
    auto begin = std::min(input->text().find_first_not_of(" \t\r\n"), input->text().size());
    auto end = std::min(input->text().find('\n', begin), input->text().size());
    if (!each.primary.source)
      each.primary = {input, {begin, end}, ""};
    else if (!is_in_it(each.primary) && std::none_of(each.others.begin(), each.others.end(), is_in_it))
      each.others.push_back({input, {begin, end}, "met here"});
  }
  return messages;
}

// Inputs up to the first mistake. `next` gives line after line, and whether there was one.
class Lines {
 public:
  Lines(const LoopOptions& options, std::string name)
      : options_(options),
        session_({options.limits, options.loading, {}, [] { return command::screen_of(STDOUT_FILENO); }}),
        input_(InputReader::Naming::by_line, std::move(name)) {}

  template <typename Next>
  int run(Next next) {
    if (!options_.paths.empty())
      if (auto code = ended_by(session_.load(options_.paths))) return *code;
    if (!options_.model.empty())
      if (auto code = ended_by(session_.load_model(options_.model))) return *code;
    bool first = true;
    for (std::string line; next(line); first = false) {
      constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
      if (first && line.starts_with(byte_order_mark)) line.erase(0, byte_order_mark.size());
      if (auto code = ended_by(input_.add(line))) return *code;
    }
    if (options_.script.empty()) refuse_unreadable_input();
    return ended_by(input_.finish()).value_or(command::fine);
  }

 private:
  std::optional<int> ended_by(std::optional<Entered> entered) {
    if (!entered) return {};
    auto source = entered->source;
    auto answer = session_.run(std::move(*entered));
    answer.messages = placed(std::move(answer.messages), source);
    return ended_by(answer);
  }

  std::optional<int> ended_by(const Answer& answer) {
    print(answer);
    if (answer.failed) return options_.script.empty() ? command::exit_code(Error(answer.messages)) : command::findings;
    if (answer.quits) return command::fine;
    return {};
  }

  const LoopOptions& options_;
  Session session_;
  InputReader input_;
};

int run_script(const LoopOptions& options) {
  if (auto wrong = no_text_in(options.script.string(), /*of_session=*/false)) throw *wrong;
  auto source = read_source(options.script);
  auto rest = source->text();
  return Lines(options, std::string(source->name())).run([&](std::string& line) {
    if (rest.empty()) return false;
    auto end = std::min(rest.find('\n'), rest.size());
    line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return true;
  });
}

}  // namespace

int run(const LoopOptions& options) {
  if (!options.script.empty()) return run_script(options);
  if (isatty(STDIN_FILENO)) return Terminal(options).run();
  return Lines(options, "<stdin>").run([](std::string& line) { return read_line(*std::cin.rdbuf(), line); });
}

}  // namespace ascribe::repl
