// NumPy's archives of arrays (.npz).
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "interpreter/files/atomic_file.hpp"
#include "interpreter/model/archive.hpp"

namespace ascribe::files {

/// A path that may name an array within an archive, as `masks.npz:left` does where there is no file of that whole name.
struct ArrayPath {
  std::filesystem::path file;
  std::string array;  ///< empty where none is named
};
ArrayPath array_path(const std::filesystem::path& path);

/// numpy.savez's and savez_compressed's archives: the array `name`, or the only one. Throws Error (wrong_tensor).
at::Tensor read_npz(const model::Archive& archive, const std::string& name, const ArrayPath& path);

/// Writes the archive that numpy.savez writes: arrays by name, uncompressed, in this order; the same arrays give the
/// same bytes. `array` gives each when its turn comes. The file appears whole or not at all. Throws Error
/// (unwritable_file, wrong_tensor), and what `array` throws.
void write_npz(const std::filesystem::path& path, const std::vector<std::string>& names,
               const std::function<at::Tensor(std::size_t)>& array);

}  // namespace ascribe::files
