// What a model's parameters and buffers are called.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace ascribe::libtorch {

/// The names of a model's modules, by the parameters and buffers that they hold.
struct ParameterNames {
  /// `features.0.weight` for a parameter, by its place in memory: a transposed weight is found, too.
  struct Place {
    const c10::StorageImpl* memory;
    std::int64_t offset;
    bool operator==(const Place&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Place& place) const {
      return std::hash<const void*>()(place.memory) ^ std::hash<std::int64_t>()(place.offset);
    }
  };
  std::unordered_map<Place, std::string, Hash> by_place;
  std::unordered_set<std::string> names;
  std::unordered_set<const c10::TensorImpl*> parameters;
  std::vector<at::Tensor> held;  ///< kept alive: an address of the past would be mistaken for a parameter

  void add(const std::string& name, const at::Tensor& parameter);
  /// Null where it is no parameter, nor a view of one.
  const std::string* find(const at::Tensor& tensor) const;
};

/// `features.0` of `features.0.weight`.
std::string module_of(const std::string& parameter);
/// `features.0.bias` for `features.0.weight`.
std::string sibling(const std::string& parameter, const std::string& name);

}  // namespace ascribe::libtorch
