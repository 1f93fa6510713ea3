// Tensors in files: what the command reads as input and writes as relevance.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <vector>

#include "ascribe/error.hpp"

namespace ascribe::files {

struct TensorFile {
  at::Tensor tensor;
  bool is_picture = false;
  std::vector<Diagnostic> warnings{};  ///< what was left out of a picture
};

/// Reads PNG and JPEG (1×C×H×W in [0, 1], C = 1 or 3), `.npy` and `.npz` (any shape; `masks.npz:left` names one of
/// several arrays) or what Python's torch.save(tensor) writes, told apart by the content. The result is dense,
/// contiguous, on the CPU and without gradient; its numbers are real: floating-point, int8/16/32/64, uint8 or bool.
/// Throws Error (unreadable_file, wrong_tensor, too_large) with one line that says which and what to do. May be called
/// from several threads at once.
TensorFile read_tensor_file(const std::filesystem::path& path);
at::Tensor read_tensor(const std::filesystem::path& path);

}  // namespace ascribe::files
