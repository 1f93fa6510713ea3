#include "interpreter/command/many/progress.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <utility>

#include "grammar/filled_text.hpp"
#include "interpreter/command/progress_line.hpp"

namespace ascribe::command {

std::string shown_duration(double seconds) {
  auto whole = static_cast<long>(std::ceil(seconds));
  if (whole < 60) return filled("{} s", whole);
  auto minutes = (whole + 30) / 60;
  return minutes < 60 ? filled("{} min", minutes) : filled("{} h {} min", minutes / 60, minutes % 60);
}

ManyProgress::ManyProgress(std::size_t all, std::size_t before)
    : all_(all), before_(before), done_(before), terminal_(ProgressLine::is_seen()) {
  if (!terminal_) next_ = began_ + std::chrono::minutes(1);
}

ManyProgress::~ManyProgress() { clear(); }

std::string ManyProgress::text() const {
  auto seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  auto now = static_cast<double>(done_ - before_), left = static_cast<double>(all_ - done_);
  auto out = filled("{} of {} ({} %)", done_, all_, all_ == 0 ? 100 : 100 * done_ / all_);
  if (now > 0) {
    auto rate = now / seconds;
    out += rate >= 1 ? filled("  {:.1f}/s", rate) : filled("  {:.1f} s each", 1 / rate);
    out += filled("  {} left", shown_duration(left / rate));
  }
  return failed_ > 0 ? out + filled("  {} failed", failed_) : out;
}

void ManyProgress::show() {
  auto now = Clock::now();
  if (now < next_) return;
  next_ = now + (terminal_ ? Clock::duration(std::chrono::milliseconds(100)) : std::chrono::minutes(1));
  if (!terminal_) {
    std::cerr << text() << "\n" << std::flush;
    return;
  }
  constexpr std::size_t bar = 20;
  auto full = all_ == 0 ? bar : bar * done_ / all_;
  std::string line;
  for (std::size_t i = 0; i < bar; ++i) line += i < full ? "█" : "░";
  auto width = ProgressLine::width();
  auto told = text();
  line = width < told.size() + bar + 3 ? "" : line + "  ";
  std::cerr << "\r\033[K" << line << told.substr(0, std::max<std::size_t>(width, 2) - 1) << std::flush;
  shown_ = true;
}

void ManyProgress::clear() {
  if (std::exchange(shown_, false)) std::cerr << "\r\033[K" << std::flush;
}

void ManyProgress::advance(std::size_t done, std::size_t failed) {
  done_ += done;
  failed_ += failed;
  show();
}

void ManyProgress::say(const std::string& text) {
  clear();
  std::cerr << text << std::flush;
}

}  // namespace ascribe::command
