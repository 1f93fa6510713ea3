#include "interpreter/evaluate/plan/parameter_cache.hpp"

#include <ATen/ATen.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <atomic>
#include <optional>

namespace ascribe::evaluate::plan {
namespace {

std::optional<Content> content_of(const at::Tensor& tensor) {
  if (!tensor.defined()) return Content{};
  if (!tensor.device().is_cpu() || !tensor.is_non_overlapping_and_dense()) return {};
  auto hash = XXH3_128bits(tensor.const_data_ptr(), tensor.nbytes());
  return Content{
      {hash.low64, hash.high64}, static_cast<int>(tensor.scalar_type()), tensor.sizes().vec(), tensor.strides().vec()};
}

std::size_t bytes_of(const std::vector<at::Tensor>& tensors) {
  std::size_t out = 0;
  for (auto& each : tensors)
    if (each.defined()) out += each.storage().nbytes();
  return out;
}

}  // namespace

ParameterCache& ParameterCache::instance() {
  static auto* cache = new ParameterCache;  // rules of static storage drop their entries when all else is gone
  return *cache;
}

ParameterCache::Owner ParameterCache::new_owner() {
  static std::atomic<Owner> last = 0;
  return ++last;
}

std::vector<at::Tensor> ParameterCache::get(Owner owner, const std::string& purpose,
                                            const std::vector<at::Tensor>& parameters,
                                            const std::function<std::vector<at::Tensor>()>& make) {
  Key key{owner, purpose, {}};
  for (auto& each : parameters) {
    auto content = content_of(each);
    if (!content) return make();
    key.contents.push_back(std::move(*content));
  }
  {
    std::lock_guard lock(mutex_);
    if (auto found = entries_.find(key); found != entries_.end()) {
      used_.splice(used_.begin(), used_, found->second.used);
      return found->second.made;
    }
  }
  auto made = make();  // by several threads at once, perhaps: what comes first stays
  auto bytes = bytes_of(made);
  std::lock_guard lock(mutex_);
  if (bytes > limit_) return made;
  make_room(bytes);
  auto [entry, fresh] = entries_.try_emplace(std::move(key), Entry{made, bytes, {}});
  if (!fresh) return entry->second.made;
  used_.push_front(&entry->first);
  entry->second.used = used_.begin();
  bytes_ += bytes;
  return made;
}

void ParameterCache::drop(std::map<Key, Entry>::iterator entry) {
  bytes_ -= entry->second.bytes;
  used_.erase(entry->second.used);
  entries_.erase(entry);
}

void ParameterCache::make_room(std::size_t bytes) {
  while (!used_.empty() && bytes_ + bytes > limit_) drop(entries_.find(*used_.back()));
}

void ParameterCache::forget(Owner owner) {
  std::lock_guard lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    auto next = std::next(entry);
    if (entry->first.owner == owner) drop(entry);
    entry = next;
  }
}

void ParameterCache::clear() {
  std::lock_guard lock(mutex_);
  entries_.clear();
  used_.clear();
  bytes_ = 0;
}

void ParameterCache::set_limit(std::size_t bytes) {
  std::lock_guard lock(mutex_);
  limit_ = bytes;
  make_room(0);
}
std::size_t ParameterCache::limit() const {
  std::lock_guard lock(mutex_);
  return limit_;
}
std::size_t ParameterCache::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace ascribe::evaluate::plan
