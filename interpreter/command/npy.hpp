// NumPy's array files (.npy).
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

namespace ascribe::command {

/// Reads format versions 1.0 to 3.0 in either byte order and either memory order: float16/32/64, int8/16/32/64, uint8
/// and bool as they are; uint16 as int32, uint32 and uint64 as int64. The result is contiguous. Throws Error
/// (unreadable_file, wrong_tensor): other types, and a file whose length is not what its shape needs, are refused.
at::Tensor read_npy(const std::filesystem::path& path);

/// Writes a C-ordered little-endian array of the tensor's shape and type (bfloat16, which NumPy lacks, as float32).
/// The file appears whole or not at all. Throws Error (unwritable_file, wrong_tensor).
void write_npy(const std::filesystem::path& path, const at::Tensor& tensor);

}  // namespace ascribe::command
