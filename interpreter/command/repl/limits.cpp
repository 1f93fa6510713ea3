#include "interpreter/command/repl/limits.hpp"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <atomic>
#include <cstring>
#include <stdexcept>

#include "grammar/filled_text.hpp"

namespace ascribe::repl {
namespace {

std::atomic<Guard*> serving = nullptr;
std::atomic<std::size_t> in_use = 0;

// LibTorch's own allocator, with the size of each block in front of it. It lives as long as the process: tensors give
// their memory back to it whenever they end.
class CountingAllocator final : public c10::Allocator {
 public:
  explicit CountingAllocator(c10::Allocator* inner) : inner_(inner) { deleter_ = inner->raw_deleter(); }

  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes == 0) return inner_->allocate(0);
    if (auto* guard = serving.load()) guard->allocate(bytes, in_use);
    auto* block = static_cast<char*>(inner_->allocate(bytes + front).release_context());
    std::memcpy(block, &bytes, sizeof bytes);
    in_use += bytes;
    return {block + front, block + front, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }

 private:
  static constexpr std::size_t front = 64;  // what follows keeps the alignment that operators count on

  static void release(void* data) {
    if (!data) return;
    auto* block = static_cast<char*>(data) - front;
    std::size_t bytes = 0;
    std::memcpy(&bytes, block, sizeof bytes);
    in_use -= bytes;
    deleter_(block);
  }

  c10::Allocator* inner_;
  static inline c10::DeleterFnPtr deleter_ = nullptr;
};

void count_memory() {
  [[maybe_unused]] static const bool installed = [] {
    auto* inner = c10::GetCPUAllocator();
    if (!inner->raw_deleter()) return false;
    c10::SetCPUAllocator(new CountingAllocator(inner), /*priority=*/255);
    return true;
  }();
}

struct Ended : std::runtime_error {
  Ended() : std::runtime_error("the evaluation was stopped") {}
};

std::string shown_time(std::chrono::milliseconds time) {
  auto seconds = static_cast<double>(time.count()) / 1000;
  return filled("{:g} second{}", seconds, seconds == 1 ? "" : "s");
}

}  // namespace

std::string shown_bytes(std::size_t bytes) {
  constexpr const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  auto shown = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (shown >= 1024 && unit + 1 < std::size(units)) shown /= 1024, ++unit;
  return filled("{:.4g} {}", shown, units[unit]);
}

Guard::Guard(const Limits& limits, std::function<bool()> interrupted)
    : limits_(limits), interrupted_(std::move(interrupted)), deadline_(std::chrono::steady_clock::now() + limits.time) {
  count_memory();
  in_use_before_ = in_use;
  serving = this;
}

Guard::~Guard() { serving = nullptr; }

void Guard::check() {
  if (auto reason = reason_.load(); reason != Reason::none) throw Ended();
  if (interrupted_ && interrupted_()) end(Reason::interruption);
  if (std::chrono::steady_clock::now() > deadline_) end(Reason::time);
}

void Guard::allocate(std::size_t bytes, std::size_t now) {
  check();
  auto added = now > in_use_before_ ? now - in_use_before_ : 0;
  if (bytes > limits_.memory || added > limits_.memory - bytes) end(Reason::memory);
}

void Guard::end(Reason reason) {
  auto none = Reason::none;
  reason_.compare_exchange_strong(none, reason);
  stop_.request_stop();
  throw Ended();
}

Diagnostic Guard::diagnostic() const {
  if (reason_ == Reason::time)
    return {.code = Code::too_large,
            .message = filled("the evaluation took more than {}, and was stopped", shown_time(limits_.time)),
            .help = "give it smaller inputs, or start with a larger `--time`"};
  return {.code = Code::too_large,
          .message = filled("the evaluation needs more than {} of memory", shown_bytes(limits_.memory)),
          .help = "give it smaller inputs, or start with a larger `--memory`"};
}

}  // namespace ascribe::repl
