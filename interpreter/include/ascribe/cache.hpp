// The memory that rules keep between calls: what they make of a model's parameters.
//
//     ascribe::set_parameter_cache_limit(256 << 20);       // 256 MiB
//     auto held = ascribe::parameter_cache_bytes();
//     ascribe::drop_parameter_cache();                     // before something that needs all memory
//
// Many rules run a layer with other parameters than its own: zplus with max(w, 0), alpha_beta with the stack of max(w,
// 0) and min(w, 0). What they make of a parameter is kept, so that the next image, and another thread, find it there.
// `ascribe plan RULE --layer KIND` says how much that is, in multiples of the layer's own parameters; rules that leave
// them as they are, such as epsilon, keep nothing.
//
// Parameters may change whenever nothing runs that uses them: by an optimizer, in place, behind autograd's back, or by
// being replaced. Each use compares what the parameter holds with what the kept tensor was made of: a hash of 128 bits
// (XXH3) over all of its numbers, their type, shape and strides. What differs is made anew. Memory that is used again
// for another parameter is never taken for the one that was there; no version and no address counts.
//
// What is kept belongs to a rule with its arguments, and goes with the last copy of it, its composites included; or
// when room is needed, that which was not used for the longest time first. Parameters that are not in the CPU's memory,
// or do not fill theirs without gaps, are not kept: what rules make of them is made each time.
//
// The cache is one for the process, or for each copy of the library where there are several. All of these functions may
// be called at any time, from several threads at once, while others run rules: whoever uses a tensor holds it, so that
// a run never loses one. They throw nothing but std::bad_alloc.
#pragma once

#include <cstddef>

#include "grammar/export.hpp"

namespace ascribe {

/// Bytes that are kept now.
ASCRIBE_EXPORT std::size_t parameter_cache_bytes();

/// How many may be kept; 1 GiB (2^30) where nothing is said. What is beyond the new limit goes at once, and tensors
/// that are larger by themselves are not kept. 0 keeps nothing: then every call makes what it needs, and relevance is
/// the same.
ASCRIBE_EXPORT void set_parameter_cache_limit(std::size_t bytes);

/// Drops all that is kept. The limit stays, and the next call begins anew.
ASCRIBE_EXPORT void drop_parameter_cache();

}  // namespace ascribe
