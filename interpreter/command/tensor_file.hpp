// Tensors in files: what the command reads as input and writes as relevance.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

namespace ascribe::command {

/// Reads `.npy` (any shape), `.png` (1×C×H×W in [0, 1], C = 1 or 3) or `.pt` (what Python's torch.save(tensor) writes),
/// told apart by the ending, in any case of letters. The result is dense, contiguous, on the CPU and without gradient;
/// its numbers are real: floating-point, int8/16/32/64, uint8 or bool. Throws Error (unreadable_file, wrong_tensor,
/// too_large) with one line that says which and what to do.
at::Tensor read_tensor(const std::filesystem::path& path);

}  // namespace ascribe::command
