// What the built-in functions make of tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <variant>

#include "interpreter/language/builtins.hpp"

namespace ascribe::evaluate {

// The sorts of language::BuiltinInfo, on tensors.

struct EachElement {
  at::Tensor (*tensor)(const at::Tensor& z);
};

/// Of two tensors that broadcast.
struct Fold {
  at::Tensor (*tensor)(const at::Tensor& a, const at::Tensor& b);
};

/// Along dimensions, counted from the front and each named once; `keep` keeps them at size 1.
struct Reduction {
  at::Tensor (*tensor)(const at::Tensor& z, double share, at::IntArrayRef dimensions, bool keep);
};

using OnTensors = std::variant<EachElement, Fold, Reduction, language::OwnNode>;

/// Of the same sort as the language's row of this built-in.
const OnTensors& on_tensors(language::Builtin builtin);

/// 1 where z ≥ 0, −1 where z < 0, NaN where z is.
at::Tensor sign_of(const at::Tensor& z);

}  // namespace ascribe::evaluate
