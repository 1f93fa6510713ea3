#include "interpreter/libtorch/parameter_cache.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <optional>

namespace ascribe::libtorch {
namespace {

std::uint64_t number_of(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

// Of large ones, that of the hashes of their pieces, which several threads make.
std::array<std::uint64_t, 2> hash_of(const void* data, std::size_t bytes) {
  constexpr std::size_t piece = 1 << 20;
  auto* first = static_cast<const char*>(data);
  auto hash = [](const void* from, std::size_t size) {
    auto found = XXH3_128bits(from, size);
    return std::array<std::uint64_t, 2>{found.low64, found.high64};
  };
  if (bytes <= piece) return hash(data, bytes);
  std::vector<std::array<std::uint64_t, 2>> pieces((bytes + piece - 1) / piece);
  at::parallel_for(0, static_cast<std::int64_t>(pieces.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
      pieces[i] = hash(first + i * piece, std::min(piece, bytes - i * piece));
  });
  return hash(pieces.data(), pieces.size() * sizeof(pieces.front()));
}

// Nothing where its numbers cannot be read at once.
std::optional<Content> content_of(const at::Tensor& tensor, Written written) {
  if (!tensor.defined()) return Content{};
  Content out{{},
              tensor.storage_offset(),
              static_cast<int>(tensor.scalar_type()),
              tensor.sizes().vec(),
              tensor.strides().vec()};
  if (written == Written::noticeably && !tensor.is_inference()) {
    out.identity = {number_of(tensor.storage().unsafeGetStorageImpl()), static_cast<std::uint64_t>(tensor._version())};
    return out;
  }
  if (!tensor.device().is_cpu() || !tensor.is_non_overlapping_and_dense()) return {};
  out.identity = hash_of(tensor.const_data_ptr(), tensor.nbytes());
  out.offset = 0;
  return out;
}

std::size_t bytes_of(const std::vector<at::Tensor>& tensors) {
  std::size_t out = 0;
  for (auto& each : tensors)
    if (each.defined()) out += each.storage().nbytes();
  return out;
}

// What changes when a parameter does.
bool shares_memory(const std::vector<at::Tensor>& made, const std::vector<at::Tensor>& parameters) {
  return std::any_of(made.begin(), made.end(), [&](auto& each) {
    return each.defined() && std::any_of(parameters.begin(), parameters.end(), [&](auto& parameter) {
             return parameter.defined() && parameter.is_alias_of(each);
           });
  });
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
                                            const std::vector<at::Tensor>& parameters, Written written,
                                            const std::function<std::vector<at::Tensor>()>& make) {
  Key key{owner, purpose, {}};
  for (auto& each : parameters) {
    auto content = content_of(each, written);
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
  if (shares_memory(made, parameters)) return made;
  auto bytes = bytes_of(made);
  std::vector<c10::weak_intrusive_ptr<c10::StorageImpl>> of;
  if (written == Written::noticeably)  // as long as these are held, nothing else gets their addresses
    for (auto& each : parameters)
      if (each.defined())
        of.emplace_back(c10::intrusive_ptr<c10::StorageImpl>(each.storage().getWeakStorageImpl().lock()));
  std::lock_guard lock(mutex_);
  drop_dead();
  if (bytes > limit_) return made;
  make_room(bytes);
  auto [entry, fresh] = entries_.try_emplace(std::move(key), Entry{made, bytes, std::move(of), {}});
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

void ParameterCache::drop_dead() {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    auto next = std::next(entry);
    auto& of = entry->second.of;
    if (std::any_of(of.begin(), of.end(), [](auto& each) { return each.expired(); })) drop(entry);
    entry = next;
  }
}

void ParameterCache::drop_what_died() {
  std::lock_guard lock(mutex_);
  drop_dead();
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

}  // namespace ascribe::libtorch
