// How large a source may be. What lies beyond gets a message: nobody writes such rules, but files come from anywhere.
#pragma once

#include <cstddef>

namespace ascribe {

inline constexpr struct Limits {
  std::size_t source_bytes = 1 << 20;    ///< bytes of one source
  std::size_t nesting = 128;             ///< brackets and prefix operators, one inside another
  std::size_t chain_operands = 10'000;   ///< operands of one chain of sums, products, `and` or `or`
  std::size_t let_depth = 128;           ///< lets that use lets, functions that call functions, aliases of aliases
  std::size_t rule_operations = 100'000; ///< operations of one rule after its lets and functions are filled in
} limits;

}  // namespace ascribe
