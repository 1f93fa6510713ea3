// How the files of torch.export number element types, layouts and memory formats: `ScalarType`, `Layout` and
// `MemoryFormat` in torch/_export/serde/schema.py.
#pragma once

#include <c10/core/Layout.h>
#include <c10/core/MemoryFormat.h>
#include <c10/core/ScalarType.h>

#include <cstdint>

namespace ascribe::model {

/// Throw Refusal for numbers that stand for nothing.
at::ScalarType scalar_type(std::int64_t code);
at::Layout layout(std::int64_t code);
at::MemoryFormat memory_format(std::int64_t code);

/// `float32`, as Python calls it.
const char* type_name(at::ScalarType type);

}  // namespace ascribe::model
