#include "interpreter/model/exported_types.hpp"

#include <algorithm>
#include <iterator>

#include "grammar/filled_text.hpp"
#include "interpreter/model/archive.hpp"

namespace ascribe::model {
namespace {

struct Type {
  std::int64_t code;
  at::ScalarType type;
  const char* name;
};
constexpr Type types[] = {
    {1, at::ScalarType::Byte, "uint8"},
    {2, at::ScalarType::Char, "int8"},
    {3, at::ScalarType::Short, "int16"},
    {4, at::ScalarType::Int, "int32"},
    {5, at::ScalarType::Long, "int64"},
    {6, at::ScalarType::Half, "float16"},
    {7, at::ScalarType::Float, "float32"},
    {8, at::ScalarType::Double, "float64"},
    {9, at::ScalarType::ComplexHalf, "complex32"},
    {10, at::ScalarType::ComplexFloat, "complex64"},
    {11, at::ScalarType::ComplexDouble, "complex128"},
    {12, at::ScalarType::Bool, "bool"},
    {13, at::ScalarType::BFloat16, "bfloat16"},
    {28, at::ScalarType::UInt16, "uint16"},
    {29, at::ScalarType::Float8_e4m3fn, "float8_e4m3fn"},
    {30, at::ScalarType::Float8_e5m2, "float8_e5m2"},
    {31, at::ScalarType::Float8_e4m3fnuz, "float8_e4m3fnuz"},
    {32, at::ScalarType::Float8_e5m2fnuz, "float8_e5m2fnuz"},
    {33, at::ScalarType::Float8_e8m0fnu, "float8_e8m0fnu"},
    {34, at::ScalarType::UInt32, "uint32"},
    {35, at::ScalarType::UInt64, "uint64"},
};

template <typename T>
struct Coded {
  std::int64_t code;
  T value;
};
constexpr Coded<at::Layout> layouts[] = {{1, at::kSparse},    {2, at::kSparseCsr}, {3, at::kSparseCsc},
                                         {4, at::kSparseBsr}, {5, at::kSparseBsc}, {6, at::kMkldnn},
                                         {7, at::kStrided}};
constexpr Coded<at::MemoryFormat> memory_formats[] = {{1, at::MemoryFormat::Contiguous},
                                                      {2, at::MemoryFormat::ChannelsLast},
                                                      {3, at::MemoryFormat::ChannelsLast3d},
                                                      {4, at::MemoryFormat::Preserve}};

template <typename Table>
auto& find(const Table& table, std::int64_t code, const char* what) {
  auto found = std::find_if(std::begin(table), std::end(table), [&](auto& each) { return each.code == code; });
  if (found == std::end(table)) throw damaged(filled("there is no {} {}", what, code));
  return *found;
}

}  // namespace

at::ScalarType scalar_type(std::int64_t code) { return find(types, code, "element type").type; }
at::Layout layout(std::int64_t code) { return find(layouts, code, "layout").value; }
at::MemoryFormat memory_format(std::int64_t code) { return find(memory_formats, code, "memory format").value; }

const char* type_name(at::ScalarType type) {
  auto found = std::find_if(std::begin(types), std::end(types), [&](auto& each) { return each.type == type; });
  return found == std::end(types) ? "another type" : found->name;
}

}  // namespace ascribe::model
