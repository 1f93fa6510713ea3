#include <poll.h>
#include <unistd.h>

#include "grammar/limits.hpp"
#include "interpreter/command/repl/line_editor.hpp"

namespace ascribe::repl {
namespace {

class PlainReader : public LineReader {
 public:
  PlainReader(const Signals& signals, int prompts) : signals_(signals), prompts_(prompts) {}

  Line read(const std::string& prompt, const std::string&) override {
    [[maybe_unused]] auto written = ::write(prompts_, prompt.data(), prompt.size());
    while (true) {
      if (auto end = pending_.find('\n'); end != std::string::npos || pending_.size() > limits.source_bytes + 1) {
        auto line = pending_.substr(0, end);
        pending_.erase(0, end == std::string::npos ? pending_.size() : end + 1);
        return {Line::End::line, std::move(line)};
      }
      if (!wait_for_input(signals_)) {
        pending_.clear();
        return {signals_.ending() ? Line::End::end : Line::End::interrupt};
      }
      char bytes[4096];
      auto count = ::read(STDIN_FILENO, bytes, sizeof bytes);
      if (count > 0) {
        pending_.append(bytes, static_cast<std::size_t>(count));
      } else {
        auto line = std::exchange(pending_, "");
        if (line.empty()) return {Line::End::end};
        return {Line::End::line, std::move(line)};
      }
    }
  }

  void remember(const std::string&) override {}

 private:
  const Signals& signals_;
  int prompts_;
  std::string pending_;
};

}  // namespace

bool wait_for_input(const Signals& signals, const std::function<void()>& on_signal) {
  while (true) {
    if (signals.interrupted()) return false;
    pollfd waiting[] = {{STDIN_FILENO, POLLIN, 0}, {signals.descriptor(), POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0) continue;  // a signal: the pipe tells which
    if (waiting[1].revents != 0) {
      signals.take();
      if (signals.interrupted()) return false;
      if (on_signal) on_signal();
      continue;
    }
    if (waiting[0].revents != 0) return true;
  }
}

std::unique_ptr<LineReader> plain_reader(const Signals& signals, int prompts) {
  return std::make_unique<PlainReader>(signals, prompts);
}

}  // namespace ascribe::repl
