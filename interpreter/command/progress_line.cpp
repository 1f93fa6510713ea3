#include "interpreter/command/progress_line.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string_view>

#include "grammar/filled_text.hpp"

namespace ascribe::command {
namespace {

std::size_t terminal_width() {
  struct winsize size {};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string progress_text(const Progress& progress, std::size_t width) {
  auto out = filled("{}  {}{} layer{}  {} ({})", progress.pass == Progress::Pass::forward ? "forward " : "backward",
                    progress.done, progress.total ? filled(" of {}", *progress.total) : "",
                    progress.total.value_or(progress.done) == 1 ? "" : "s", progress.layer, progress.kind);
  for (auto& c : out)  // names come from the model's file
    if (c < 0x20 || c > 0x7E) c = '?';
  if (out.size() > width) out.resize(width);
  return out;
}

ProgressCallback ProgressLine::callback() {
  auto* terminal = std::getenv("TERM");
  if (!::isatty(STDERR_FILENO) || !terminal || std::string_view(terminal) == "dumb") return {};
  return [this](const Progress& progress) { show(progress); };
}

void ProgressLine::show(const Progress& progress) {
  auto now = Clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(100);
  shown_ = true;
  std::cerr << "\r\033[K" << progress_text(progress, terminal_width() - 1) << std::flush;
}

ProgressLine::~ProgressLine() {
  if (shown_) std::cerr << "\r\033[K" << std::flush;
}

}  // namespace ascribe::command
