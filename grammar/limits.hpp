// How large a source may be. What lies beyond gets a message: nobody writes such rules, but files come from anywhere.
#pragma once

#include <cstddef>

namespace ascribe {

inline constexpr struct Limits {
  std::size_t source_bytes = 1 << 20;           ///< bytes of one source
  std::size_t nesting = 128;                    ///< brackets and prefix operators, one inside another
  std::size_t chain_operands = 10'000;          ///< operands of one chain of sums, products, `and` or `or`
  std::size_t let_depth = 128;                  ///< lets that use lets, definitions that lead to definitions
  std::size_t rule_operations = 100'000;        ///< operations of one definition, its lets and functions filled in
  std::size_t composite_entries = 10'000;       ///< entries of one composite, the composites that it leads to filled in
  std::size_t spread_elements = 1 << 22;        ///< of an array that two smaller ones make when they are spread
  std::size_t constant_elements = 100'000'000;  ///< computed for the arguments of one call, all operations counted
} limits;

}  // namespace ascribe
