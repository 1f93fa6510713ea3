#include "interpreter/command/measured_memory.hpp"

#include <c10/core/CPUAllocator.h>
#include <malloc.h>

#include <atomic>

namespace ascribe::command {
namespace {

std::atomic<std::int64_t> held_bytes = 0, highest_bytes = 0;
c10::Allocator* uncounted = nullptr;

std::int64_t size_of(void* memory) { return static_cast<std::int64_t>(::malloc_usable_size(memory)); }

// It may outlive the count: tensors keep it.
void give_back(void* memory) {
  held_bytes -= size_of(memory);
  uncounted->raw_deleter()(memory);
}

class CountingAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    auto out = uncounted->allocate(bytes);
    if (!out || !out.compare_exchange_deleter(uncounted->raw_deleter(), &give_back)) return out;
    auto held = held_bytes += size_of(out.get_context());
    for (auto highest = highest_bytes.load(); held > highest && !highest_bytes.compare_exchange_weak(highest, held);) {
    }
    return out;
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }
};

}  // namespace

MeasuredMemory::MeasuredMemory() {
  static CountingAllocator counting;
  uncounted = c10::GetCPUAllocator();
  held_bytes = 0;
  begin_peak();
  c10::SetCPUAllocator(&counting);
}

MeasuredMemory::~MeasuredMemory() { c10::SetCPUAllocator(uncounted); }

std::int64_t MeasuredMemory::held() const { return held_bytes; }
std::int64_t MeasuredMemory::peak() const { return highest_bytes; }
void MeasuredMemory::begin_peak() { highest_bytes = held_bytes.load(); }

}  // namespace ascribe::command
