// Which signs a value can have, and what becomes of them.
#pragma once

#include <algorithm>

namespace ascribe::language::signs {

/// Bits of a set.
using Signs = unsigned;
inline constexpr Signs negative = 1, zero = 2, positive = 4, any = negative | zero | positive;

constexpr Signs of(double value) { return value > 0 ? positive : value < 0 ? negative : value == 0 ? zero : any; }

// Of a value that can have any of these.
constexpr Signs same(Signs z) { return z; }
constexpr Signs always_positive(Signs) { return positive; }
constexpr Signs unknown(Signs) { return any; }
constexpr Signs negated(Signs z) { return (z & zero) | (z & negative ? positive : 0) | (z & positive ? negative : 0); }
constexpr Signs of_magnitude(Signs z) { return (z & ~negative) | (z & negative ? positive : 0); }
/// sign(0) is 1.
constexpr Signs of_sign(Signs z) { return (z & negative) | (z & ~negative ? positive : 0); }
constexpr Signs of_root(Signs z) { return z & positive ? z & ~negative : z & zero ? zero : any; }
/// Of several that are added up: what is zero or has the other sign may cancel.
constexpr Signs summed(Signs z) { return (z & negative) && (z & positive) ? any : z; }

// Of one value with one sign, and another with one sign.
constexpr Signs added(Signs a, Signs b) { return a == zero ? b : b == zero ? a : a == b ? a : any; }
constexpr Signs multiplied(Signs a, Signs b) { return a == zero || b == zero ? zero : a == b ? positive : negative; }
constexpr Signs smaller(Signs a, Signs b) { return std::min(a, b); }
constexpr Signs larger(Signs a, Signs b) { return std::max(a, b); }

}  // namespace ascribe::language::signs
