// How large a source may be. What lies beyond gets a message: nobody writes such rules, but files come from anywhere.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ascribe {

inline constexpr struct Limits {
  std::size_t source_bytes = 1 << 20;      ///< bytes of one source
  std::size_t nesting = 128;               ///< brackets and prefix operators, one inside another
  std::size_t messages = 1'000;            ///< errors and warnings that are reported together
  std::size_t name_bytes = 256;            ///< bytes of one name
  std::size_t terms = 1'000;               ///< terms of one rule
  std::size_t chain_operands = 10'000;     ///< operands of one chain of sums, products, `and` or `or`
  std::size_t parameters = 1'000;          ///< parameters of one definition
  std::size_t clauses = 2'000;             ///< clauses of one rule, term or test
  std::size_t let_depth = 128;             ///< lets that use lets, definitions that lead to definitions
  std::size_t rule_operations = 100'000;   ///< operations of one definition, its lets and functions filled in
  std::size_t all_operations = 5'000'000;  ///< of all that is checked together, each use of a definition filled in
  std::size_t import_depth = 64;           ///< imports that lead to imports
  std::size_t composite_entries = 10'000;  ///< entries of one composite, the composites that it leads to filled in
  std::int64_t broadcast_elements = std::int64_t{1} << 30;  ///< numbers in a tensor that an expression spreads
  std::int64_t test_elements = 1 << 24;                     ///< numbers in one tensor of a test
  std::int64_t test_operations = 1'000'000'000;  ///< multiplications in the layers of a test, each time they are run
  std::size_t spread_elements = 1 << 22;         ///< of an array that two smaller ones make when they are spread
  std::size_t constant_elements = 100'000'000;   ///< computed for the arguments of one call, all operations counted
} limits;

}  // namespace ascribe
