#include "interpreter/command/progress_line.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string_view>

#include "grammar/filled_text.hpp"

namespace ascribe::command {
std::string progress_text(const Progress& progress, std::size_t width) {
  auto out = filled("{}  {}{} layer{}  {} ({})", progress.pass == Progress::Pass::forward ? "forward " : "backward",
                    progress.done, progress.total ? filled(" of {}", *progress.total) : "",
                    progress.total.value_or(progress.done) == 1 ? "" : "s", progress.layer, progress.kind);
  for (auto& c : out)  // names come from the model's file
    if (c < 0x20 || c > 0x7E) c = '?';
  if (out.size() > width) out.resize(width);
  return out;
}

bool ProgressLine::is_seen() {
  auto* terminal = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) && terminal && std::string_view(terminal) != "dumb";
}

std::size_t ProgressLine::width() {
  struct winsize size {};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

ProgressCallback ProgressLine::callback() {
  if (!is_seen()) return {};
  return [this](const Progress& progress) {
    if (is_due()) show(progress_text(progress, width() - 1));
  };
}

void ProgressLine::tell(const std::string& text) {
  if (is_seen() && is_due()) show(text.substr(0, width() - 1));
}

bool ProgressLine::is_due() {
  auto now = Clock::now();
  if (now < next_) return false;
  next_ = now + std::chrono::milliseconds(100);
  return true;
}

void ProgressLine::show(const std::string& text) {
  shown_ = true;
  std::cerr << "\r\033[K" << text << std::flush;
}

ProgressLine::~ProgressLine() {
  if (shown_) std::cerr << "\r\033[K" << std::flush;
}

}  // namespace ascribe::command
