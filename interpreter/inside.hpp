// What Ascribe's own parts see of the values that hosts hold, and how they make them. Not installed: hosts do without.
#pragma once

#include <memory>
#include <utility>

namespace ascribe {

struct Inside {
  /// Of a Rule or a Composite: the checked definition with its arguments.
  template <typename Value>
  static const auto& bound(const Value& value) {
    return *value.bound_;
  }
  /// Of a Pack: what was checked.
  template <typename Value>
  static const auto& definitions(const Value& pack) {
    return *pack.definitions_;
  }
  /// Of a Pack: the packs that were loaded, imported ones included.
  template <typename Value>
  static const auto& packs(const Value& pack) {
    return *pack.packs_;
  }
  /// Of a Model.
  template <typename Value>
  static const auto& state(const Value& model) {
    return *model.state_;
  }
  template <typename Value, typename Part>
  static Value make(std::shared_ptr<Part> part) {
    return Value(std::move(part));
  }
};

}  // namespace ascribe
