// Operators that are several layers, written out as these.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <string_view>
#include <vector>

namespace ascribe::layering {

/// Computes what an operator computes by the operators that it stands for, as a decomposed program has them. Of one
/// that writes into its first argument (`lerp_`), what it writes.
using WrittenOut = at::Tensor (*)(const std::vector<c10::IValue>& arguments);

/// Those that rules for `matmul` and `product` reach into; without such rules they stay whole. Null for every other.
WrittenOut find_product_inside(std::string_view name);

/// Null for every other operator.
WrittenOut find_written_out(std::string_view name, std::string_view overload);

}  // namespace ascribe::layering
