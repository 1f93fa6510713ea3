// NumPy's array files (.npy).
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "interpreter/files/atomic_file.hpp"

namespace ascribe::files {

/// Reads format versions 1.0 to 3.0 in either byte order and either memory order: float16/32/64, int8/16/32/64, uint8
/// and bool as they are; uint16 as int32, uint32 and uint64 as int64. The result is contiguous. Throws Error
/// (unreadable_file, wrong_tensor): other types, and a file whose length is not what its shape needs, are refused. A
/// large file that already is what the tensor will be (Contents::mapped_from) is mapped, and read where somebody looks.
at::Tensor read_npy(const std::filesystem::path& path);
at::Tensor read_npy(const InputFile& file, const std::string& shown);

/// The same from bytes. With a `keeper`, which keeps them and hands them to nobody else, the tensor lies in them where
/// it can; without one it is a copy. `shown` begins messages.
at::Tensor array_in(std::string_view bytes, const std::string& shown, const std::shared_ptr<const void>& keeper = {});

/// What stands in front of the numbers. Throws Error (wrong_tensor) for types that NumPy lacks.
std::string npy_header(at::ScalarType type, at::IntArrayRef shape, const std::string& shown);

/// A .npy file: what stands in front of the numbers, and these.
struct NpyParts {
  std::string header;
  at::Tensor array;
  std::string_view bytes() const { return {static_cast<const char*>(array.const_data_ptr()), array.nbytes()}; }
};
/// Throws Error (wrong_tensor).
NpyParts npy_parts(const at::Tensor& tensor, const std::string& shown);

/// Writes a C-ordered little-endian array of the tensor's shape and type (bfloat16, which NumPy lacks, as float32).
/// The file appears whole or not at all. Throws Error (unwritable_file, wrong_tensor).
void write_npy(const std::filesystem::path& path, const at::Tensor& tensor);

}  // namespace ascribe::files
