// Visiting a variant with one function for each of its alternatives, so that a new alternative does not compile before
// every visit says what becomes of it.
#pragma once

#include <concepts>

namespace ascribe {

template <typename... Functions>
struct overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
overloaded(Functions...) -> overloaded<Functions...>;

/// One of the types that are listed: `const OneOf<List, Group> auto& node` takes these and no alternative that comes
/// later, as `auto& node` would.
template <typename T, typename... Ts>
concept OneOf = (std::same_as<T, Ts> || ...);

}  // namespace ascribe
