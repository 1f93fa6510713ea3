// Operators that are several layers, written out as these.
#pragma once

#include <ATen/core/ivalue.h>

#include <string_view>
#include <vector>

#include "interpreter/layers/operation.hpp"

namespace ascribe::layering {

/// Computes what an operator computes by the operators that it stands for, as a decomposed program has them: all of its
/// results. Of one that writes into its first argument (`lerp_`), what it writes.
using WrittenOut = Tensors (*)(const std::vector<c10::IValue>& arguments);

/// Null for every other operator. `products`: also those that rules for `matmul` and `product` reach into (attention,
/// gates, recurrent layers); without such rules they stay whole. Recurrent ones expect what libtorch::check_recurrent
/// has checked.
WrittenOut find_written_out(std::string_view name, std::string_view overload, bool products);

}  // namespace ascribe::layering
