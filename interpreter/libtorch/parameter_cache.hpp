// What rules make of parameters, and layers of batch norm, is computed once for as long as the parameters stay the
// same, and shared by all threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <c10/core/StorageImpl.h>
#include <c10/util/intrusive_ptr.h>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace ascribe::libtorch {

/// Whether somebody may write into a parameter behind autograd's back, as `p.data().add_(…)` of an optimizer does.
enum class Written {
  anyhow,     ///< its numbers tell whether it is as it was
  noticeably  ///< its memory and its version tell: of a saved model, and of what is made here
};

/// What a tensor is: its numbers (a hash of 128 bits) or its memory and its version, the type, and how it lies in
/// memory. One that is born at a dead one's address is not taken for it.
struct Content {
  std::array<std::uint64_t, 2> identity{};
  std::int64_t offset = 0;
  int type = 0;
  std::vector<std::int64_t> sizes{}, strides{};
  auto operator<=>(const Content&) const = default;
};

/// Process-wide, thread-safe.
class ParameterCache {
 public:
  /// Whose work it is: a rule with its arguments, for as long as it lives.
  using Owner = std::uint64_t;

  static ParameterCache& instance();

  /// `make()`, or what it gave for parameters of the same content. `purpose` tells apart what one owner makes of them.
  /// What is not in the CPU's memory, or overlaps itself, is made each time, and so is what shares memory with a
  /// parameter. Nobody may write into the result.
  std::vector<at::Tensor> get(Owner owner, const std::string& purpose, const std::vector<at::Tensor>& parameters,
                              Written written, const std::function<std::vector<at::Tensor>()>& make);

  /// That of what is nobody's: it stays until others need the room.
  static constexpr Owner nobody = 0;
  static Owner new_owner();
  /// Drops what an owner has made: it is gone.
  void forget(Owner owner);
  void clear();
  /// Drops what was made of parameters that are gone, as far as these were told by their memory. It happens by itself
  /// when something new comes, too.
  void drop_what_died();

  /// In bytes. What was not used for the longest time goes first; what is larger by itself is not kept.
  void set_limit(std::size_t bytes);
  std::size_t limit() const;
  std::size_t bytes() const;

 private:
  struct Key {
    Owner owner;
    std::string purpose;
    std::vector<Content> contents;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    std::vector<at::Tensor> made;
    std::size_t bytes;
    std::vector<c10::weak_intrusive_ptr<c10::StorageImpl>> of;  ///< memory that is told by its address
    std::list<const Key*>::iterator used;
  };

  // With the mutex held.
  void make_room(std::size_t bytes);
  void drop_dead();
  void drop(std::map<Key, Entry>::iterator entry);

  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;
  std::list<const Key*> used_;  // the latest first
  std::size_t bytes_ = 0, limit_ = std::size_t{1} << 30;
};

}  // namespace ascribe::libtorch
