// How far an attribution is: what AttributeOptions::progress is told.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace ascribe {

/// A layer that is done.
struct Progress {
  /// An attribution has two passes: the model runs, then relevance goes back through its layers.
  enum class Pass { forward, backward };
  Pass pass = Pass::forward;
  /// Its name and kind, as in the report's rows (see report.hpp): `features.0`, `conv2d`.
  std::string layer, kind;
  /// How many layers the pass is through with, this one included: from 1 on, growing.
  std::size_t done = 0;
  /// Of how many. Unknown in the forward pass, which ends where the model does; in the backward pass, the number of the
  /// report's rows. Rows that no relevance reaches are not passed, so that `done` may end below.
  std::optional<std::size_t> total{};
};

/// Called after each layer, on the thread that computes it: the caller's, or one of autograd's where the model is on a
/// GPU. Never by two threads at once. What it throws ends the attribution, and comes out of it as it is. It may compute
/// with tensors, and attribute in the forward pass; attaching, and in the backward pass attributing, too, is an Error
/// (gradient_disabled).
using ProgressCallback = std::function<void(const Progress& progress)>;

}  // namespace ascribe
