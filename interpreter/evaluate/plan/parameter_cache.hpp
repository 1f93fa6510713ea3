// What rules make of parameters, and layers of batch norm, is computed once for as long as the parameters stay the
// same, and shared by all threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace ascribe::evaluate::plan {

/// What a tensor is: its numbers (a hash of 128 bits), their type and how they lie in memory. Whoever writes into a
/// parameter, behind autograd's back or not, makes another one of it; one that is born at a dead one's address is not
/// taken for it.
struct Content {
  std::array<std::uint64_t, 2> hash{};
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
  /// What is not in the CPU's memory, or overlaps itself, is made each time. Nobody may write into the result.
  std::vector<at::Tensor> get(Owner owner, const std::string& purpose, const std::vector<at::Tensor>& parameters,
                              const std::function<std::vector<at::Tensor>()>& make);

  static Owner new_owner();
  /// Drops what an owner has made: it is gone.
  void forget(Owner owner);
  void clear();

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
    std::list<const Key*>::iterator used;
  };

  void make_room(std::size_t bytes);  // with the mutex held
  void drop(std::map<Key, Entry>::iterator entry);

  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;
  std::list<const Key*> used_;  // the latest first
  std::size_t bytes_ = 0, limit_ = std::size_t{1} << 30;
};

}  // namespace ascribe::evaluate::plan
