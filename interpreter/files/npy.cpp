#include "interpreter/files/npy.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/filled_text.hpp"
#include "interpreter/files/contents.hpp"

// The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
namespace ascribe::files {
namespace fs = std::filesystem;
namespace {

static_assert(std::endian::native == std::endian::little, "the bytes of a '<' array are taken as they are");

// How a type is stored and what it becomes: LibTorch knows bytes 0 and 1 only in a bool, and computes with no unsigned
// integers beyond a byte. The first entry with a result is how that type is written.
struct Type {
  std::string_view code;
  at::ScalarType stored;
  at::ScalarType result;
};
constexpr std::array types{
    Type{"f4", at::kFloat, at::kFloat}, Type{"f8", at::kDouble, at::kDouble}, Type{"f2", at::kHalf, at::kHalf},
    Type{"i8", at::kLong, at::kLong},   Type{"i4", at::kInt, at::kInt},       Type{"i2", at::kShort, at::kShort},
    Type{"i1", at::kChar, at::kChar},   Type{"u1", at::kByte, at::kByte},     Type{"b1", at::kByte, at::kBool},
    Type{"u2", at::kUInt16, at::kInt},  Type{"u4", at::kUInt32, at::kLong},   Type{"u8", at::kLong, at::kLong},
};
constexpr std::size_t most_dimensions = 64;  // NumPy's own limit

// `array` is what to save instead, in Python.
[[noreturn]] void refuse(const std::string& shown, const std::string& what, std::string_view array = "array") {
  throw Error(Diagnostic{.code = Code::wrong_tensor,
                         .message = shown + " " + what,
                         .help = filled("write it again: numpy.save('array.npy', {})", array)});
}

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

// The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& shown) : rest_(text), shown_(shown) {}

  Header parse() {
    std::optional<std::string> descr;
    std::optional<bool> fortran_order;
    std::optional<std::vector<std::int64_t>> shape;
    expect('{');
    while (!accept('}')) {
      auto key = string();
      expect(':');
      if (key == "descr" && !descr) {
        if (peek() == '[') refuse(shown_, "holds records, not numbers", "array['the field']");
        descr = string();
      } else if (key == "fortran_order" && !fortran_order) {
        fortran_order = boolean();
      } else if (key == "shape" && !shape) {
        shape = tuple();
      } else {
        malformed();
      }
      if (!accept(',') && peek() != '}') malformed();
    }
    if (peek() != '\0' || !rest_.empty() || !descr || !fortran_order || !shape) malformed();
    return {*descr, *fortran_order, *shape};
  }

 private:
  [[noreturn]] void malformed() { refuse(shown_, "has a malformed header"); }

  char peek() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
    return rest_.empty() ? '\0' : rest_[0];
  }
  bool accept(char wanted) {
    if (peek() != wanted || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) malformed();
  }
  std::string string() {
    auto quote = peek();
    if (quote != '\'' && quote != '"') malformed();
    auto end = rest_.find(quote, 1);
    if (end == rest_.npos) malformed();
    std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }
  bool boolean() {
    for (auto [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}})
      if (peek() == word[0] && rest_.starts_with(word)) {
        rest_.remove_prefix(word.size());
        return value;
      }
    malformed();
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> items;
    expect('(');
    while (!accept(')')) {
      if (items.size() == most_dimensions) malformed();
      items.push_back(integer());
      // Python's (3) is no tuple: a single item needs its comma.
      if (!accept(',') && (peek() != ')' || items.size() == 1)) malformed();
    }
    return items;
  }
  std::int64_t integer() {
    if (peek() == '-') refuse(shown_, "has a negative dimension in its shape");
    std::int64_t value = 0;
    std::size_t digits = 0;
    for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits)
      if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, rest_[digits] - '0', &value))
        refuse(shown_, "has a shape larger than any file");
    if (digits == 0) malformed();
    rest_.remove_prefix(digits);
    accept('L');  // Python 2 wrote long integers so.
    return value;
  }

  std::string_view rest_;
  const std::string& shown_;
};

std::string_view kind_of(char letter) {
  switch (letter) {
    case 'c':
      return "complex numbers";
    case 'f':
      return "floating-point numbers of an unusual width";
    case 'O':
      return "Python objects";
    case 'S':
    case 'a':
    case 'U':
      return "text";
    case 'M':
    case 'm':
      return "dates or times";
    case 'V':
      return "raw bytes";
    default:
      return "an unknown type";
  }
}

const Type& type_of(const Header& header, const std::string& shown) {
  std::string_view descr = header.descr;
  bool has_order = descr.size() >= 2 && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
  for (auto& type : types)
    if (has_order && descr.substr(1) == type.code) return type;
  refuse(shown, filled("holds {} ({})", kind_of(has_order ? descr[1] : '?'), quoted_name(descr)),
         "array.astype('float32')");
}

// The bytes of data that the shape needs. Every product is kept in range, also those that a zero would hide: strides
// are products of such dimensions.
std::uint64_t data_size(const Header& header, std::size_t item_size, const std::string& shown) {
  auto size = static_cast<std::int64_t>(item_size);
  bool empty = false;
  for (auto dimension : header.shape) {
    if (dimension == 0) empty = true;
    if (__builtin_mul_overflow(size, std::max<std::int64_t>(dimension, 1), &size))
      refuse(shown, "has a shape larger than any file");
  }
  return empty ? 0 : static_cast<std::uint64_t>(size);
}

// As Python writes a tuple: (), (3,), (3, 4)
std::string shape_text(at::IntArrayRef shape) {
  return filled("({}{})", fmt::join(shape.begin(), shape.end(), ", "), shape.size() == 1 ? "," : "");
}

// The header and the offset of the data behind it.
std::pair<Header, std::uint64_t> read_header(std::string_view bytes, const std::string& shown) {
  std::array<unsigned char, 12> start{};
  std::copy_n(bytes.begin(), std::min(start.size(), bytes.size()), start.begin());
  static constexpr std::array<unsigned char, 6> magic{0x93, 'N', 'U', 'M', 'P', 'Y'};
  if (!std::equal(magic.begin(), magic.end(), start.begin())) refuse(shown, "is not a NumPy array file");
  auto major = start[6], minor = start[7];
  if (major < 1 || major > 3 || minor != 0)
    refuse(shown, filled("has the format version {}.{}, not 1.0, 2.0 or 3.0", major, minor));
  std::uint64_t length = start[8] | start[9] << 8;
  if (major > 1) length |= static_cast<std::uint64_t>(start[10]) << 16 | static_cast<std::uint64_t>(start[11]) << 24;
  std::uint64_t begin = major == 1 ? 10 : 12;
  if (bytes.size() < begin + length) refuse(shown, "is cut short in its header");
  if (length > 65536) refuse(shown, "has a malformed header");
  return {HeaderParser(bytes.substr(begin, length), shown).parse(), begin + length};
}

void swap_bytes(at::Tensor& tensor) {
  auto item_size = tensor.element_size();
  auto* bytes = static_cast<unsigned char*>(tensor.mutable_data_ptr());
  for (auto* end = bytes + tensor.nbytes(); bytes != end; bytes += item_size) std::reverse(bytes, bytes + item_size);
}

}  // namespace

at::Tensor array_in(std::string_view bytes, const std::string& shown, const std::shared_ptr<const void>& keeper) {
  auto [header, begin] = read_header(bytes, shown);
  auto& type = type_of(header, shown);
  auto size = data_size(header, at::elementSize(type.stored), shown);
  if (bytes.size() - begin != size)
    refuse(shown, filled("has {} bytes of data where shape {} of {} needs {}", bytes.size() - begin,
                         shape_text(header.shape), quoted_name(header.descr), size));

  // Fortran order is C order with the dimensions reversed.
  auto& shape = header.shape;
  if (header.fortran_order) std::reverse(shape.begin(), shape.end());
  auto data = bytes.substr(begin);
  bool aligned = reinterpret_cast<std::uintptr_t>(data.data()) % at::elementSize(type.stored) == 0;
  at::Tensor tensor;
  if (keeper && aligned && size > 0 && header.descr[0] != '>') {
    // Nobody else knows these bytes: they may be written to.
    tensor = at::from_blob(
        const_cast<char*>(data.data()), shape, [keeper](void*) {}, at::TensorOptions(type.stored));
  } else {
    tensor = at::empty(shape, type.stored);
    if (size > 0) std::memcpy(tensor.mutable_data_ptr(), data.data(), size);
    if (header.descr[0] == '>') swap_bytes(tensor);
  }
  if (header.fortran_order) {
    std::vector<std::int64_t> reversed(shape.size());
    std::iota(reversed.rbegin(), reversed.rend(), 0);
    tensor = tensor.permute(reversed).contiguous();
  }
  if (type.code == "u8" && size > 0 && tensor.min().item<std::int64_t>() < 0)
    refuse(shown, "holds integers beyond int64", "array.astype('float64')");
  return tensor.to(type.result);
}

at::Tensor read_npy(const InputFile& file, const std::string& shown) {
  auto contents = std::make_shared<const Contents>(file);
  return array_in(contents->bytes(), shown, contents);
}

at::Tensor read_npy(const fs::path& path) try { return read_npy(InputFile(path), quoted(path)); } catch (...) {
  rethrow_as_error(Code::unreadable_file, "cannot read " + quoted(path));
}

std::string npy_header(at::ScalarType stored, at::IntArrayRef shape, const std::string& shown) {
  auto type = std::find_if(types.begin(), types.end(), [&](auto& t) { return t.result == stored; });
  if (type == types.end())
    throw Error(Diagnostic{.code = Code::wrong_tensor,
                           .message = filled("cannot write {}: a tensor of {} numbers has no place in a .npy file",
                                             shown, at::toString(stored)),
                           .help = "write real numbers"});
  auto header = filled("{{'descr': '{}{}', 'fortran_order': False, 'shape': {}, }}",
                       at::elementSize(stored) == 1 ? '|' : '<', type->code, shape_text(shape));
  // The data begins at a multiple of 64 bytes, after magic, version, the header's length, and a line end.
  header.append(63 - (10 + header.size()) % 64, ' ').push_back('\n');
  auto start = std::string("\x93NUMPY\x01\x00", 8);
  start += static_cast<char>(header.size() & 0xFF);
  start += static_cast<char>(header.size() >> 8);
  return start + header;
}

NpyParts npy_parts(const at::Tensor& tensor, const std::string& shown) {
  if (!tensor.defined() || tensor.layout() != at::kStrided)
    throw Error(Diagnostic{.code = Code::wrong_tensor,
                           .message = filled("cannot write {}: it is no dense tensor", shown),
                           .help = "write a tensor with its numbers, such as tensor.to_dense()"});
  auto array = tensor.detach().to(at::kCPU).resolve_neg().contiguous();
  if (array.scalar_type() == at::kBFloat16) array = array.to(at::kFloat);
  return {npy_header(array.scalar_type(), array.sizes(), shown), array};
}

void write_npy(const fs::path& path, const at::Tensor& tensor) try {
  auto parts = npy_parts(tensor, quoted(path));
  write_file(path, {parts.header, parts.bytes()});
} catch (...) {
  rethrow_as_error(Code::unwritable_file, "cannot write " + quoted(path));
}

}  // namespace ascribe::files
