// The operations that element-wise programs are made of.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ascribe::evaluate::plan {

/// Truth is 1 and 0.
enum class Op : std::uint8_t {
  abs,
  sign,  ///< sign(0) is 1
  sqrt,
  exp,
  log,
  tanh,
  sigmoid,
  add,
  subtract,
  multiply,
  divide,
  power,
  minimum,  ///< NaN where one is
  maximum,
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  logical_and,
  logical_or,
  logical_not,
  select  ///< a where c is not 0, elsewhere b
};
inline constexpr std::size_t op_count = static_cast<std::size_t>(Op::select) + 1;

}  // namespace ascribe::evaluate::plan
