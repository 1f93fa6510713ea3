#include "interpreter/files/tensor_file.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "grammar/filled_text.hpp"
#include "interpreter/files/format.hpp"
#include "interpreter/files/npy.hpp"
#include "interpreter/files/npz.hpp"
#include "interpreter/files/picture_file.hpp"
#include "interpreter/model/archive.hpp"

namespace ascribe::files {
namespace fs = std::filesystem;
namespace {

// torch.save writes a zip archive with the tensor's description as a Python pickle (data.pkl) and its numbers (data/0).
// LibTorch's own reader of these pickles trusts them: a damaged file can make it read outside of the numbers, or take
// any amount of memory or stack. A tensor needs a few instructions of the pickle machine only, so here they are, with
// checks.

struct Storage {
  std::string type;  // as in torch.FloatStorage: "Float"
  std::string record;
  std::int64_t count;
};
struct StoredTensor {
  Storage storage;
  std::int64_t offset;
  std::vector<std::int64_t> sizes, strides;
};
struct Nothing {};
struct Mark {};
struct Global {
  std::string name;
};
struct Value;
using Tuple = std::shared_ptr<const std::vector<Value>>;
struct Value {
  std::variant<Nothing, Mark, bool, std::int64_t, std::string, Global, Tuple, Storage, StoredTensor> is;
};

class Pickle {
 public:
  explicit Pickle(std::string_view bytes) : rest_(bytes) {}

  // The pickled value. Throws some std::exception for anything that a pickled tensor does not consist of.
  Value run() {
    // A tensor of 64 dimensions takes a fifth of these. The limits also bound how deep tuples can be nested, and what
    // copies from the memo can take.
    if (rest_.size() <= 65536)
      for (int steps = 0; steps < 1000; ++steps)
        if (step()) return pop();
    throw std::runtime_error("too long");
  }

 private:
  // One instruction; true at the last. https://github.com/python/cpython/blob/main/Lib/pickletools.py
  bool step() {
    switch (auto code = static_cast<unsigned char>(take(1)[0])) {
      case 0x80:  // PROTO
        if (take(1)[0] != 2) throw std::runtime_error("not protocol 2");
        break;
      case '.':
        return true;
      case '(':
        push(Mark{});
        break;
      case ')':
        push(std::make_shared<const std::vector<Value>>());
        break;
      case 't':
        push(tuple_from_mark());
        break;
      case 0x85:
      case 0x86:
      case 0x87:
        push(tuple_of(code - 0x84u));
        break;
      case 'N':
        push(Nothing{});
        break;
      case 0x88:
        push(true);
        break;
      case 0x89:
        push(false);
        break;
      case 'K':
        push(integer(1, false));
        break;
      case 'M':
        push(integer(2, false));
        break;
      case 'J':
        push(integer(4, true));
        break;
      case 0x8A:
        push(integer(static_cast<std::size_t>(integer(1, false)), true));
        break;
      case 'X':
        push(std::string(take(static_cast<std::size_t>(integer(4, false)))));
        break;
      case 'c': {
        auto module = line();
        push(Global{module + "." + line()});
        break;
      }
      case 'q':
        memo_[integer(1, false)] = stack_.at(stack_.size() - 1);
        break;
      case 'r':
        memo_[integer(4, false)] = stack_.at(stack_.size() - 1);
        break;
      case 'h':
        stack_.push_back(memo_.at(integer(1, false)));
        break;
      case 'j':
        stack_.push_back(memo_.at(integer(4, false)));
        break;
      case 'Q':
        push(storage(pop<Tuple>()));
        break;
      case 'R': {
        auto arguments = pop<Tuple>();
        call(pop<Global>().name, *arguments);
        break;
      }
      default:
        throw std::runtime_error("an instruction that no tensor needs");
    }
    return false;
  }

  template <class T>
  void push(T value) {
    stack_.push_back({std::move(value)});
  }
  Value pop() {
    auto value = stack_.at(stack_.size() - 1);
    stack_.pop_back();
    return value;
  }
  template <class T>
  T pop() {
    return std::get<T>(pop().is);
  }

  std::string_view take(std::size_t count) {
    if (count > rest_.size()) throw std::runtime_error("cut short");
    auto bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  std::string line() {
    auto text = take(std::min(rest_.find('\n'), rest_.size() - 1) + 1);
    return std::string(text.substr(0, text.size() - 1));
  }
  std::int64_t integer(std::size_t width, bool is_signed) {
    auto bytes = take(width);
    if (width > 8) throw std::runtime_error("too large a number");
    std::uint64_t value = 0;
    for (auto i = width; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    if (is_signed && width > 0 && width < 8 && value >> (8 * width - 1)) value -= std::uint64_t{1} << (8 * width);
    return static_cast<std::int64_t>(value);
  }

  Tuple tuple_of(std::size_t count) {
    if (count > stack_.size()) throw std::runtime_error("too short a stack");
    auto begin = stack_.end() - static_cast<std::ptrdiff_t>(count);
    auto tuple = std::make_shared<const std::vector<Value>>(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    return tuple;
  }
  Tuple tuple_from_mark() {
    auto mark =
        std::find_if(stack_.rbegin(), stack_.rend(), [](auto& v) { return std::holds_alternative<Mark>(v.is); });
    if (mark == stack_.rend()) throw std::runtime_error("no mark");
    auto tuple = tuple_of(static_cast<std::size_t>(mark - stack_.rbegin()));
    stack_.pop_back();
    return tuple;
  }

  // ('storage', torch.FloatStorage, '0', 'cpu', 12): where the tensor was does not matter.
  static Storage storage(const Tuple& tuple) {
    auto& type = std::get<Global>(tuple->at(1).is).name;
    constexpr std::string_view before = "torch.", after = "Storage";
    if (!type.starts_with(before) || !type.ends_with(after)) throw std::runtime_error("no storage");
    return {type.substr(before.size(), type.size() - before.size() - after.size()),
            std::get<std::string>(tuple->at(2).is), std::get<std::int64_t>(tuple->at(4).is)};
  }
  static std::vector<std::int64_t> integers(const Value& value) {
    std::vector<std::int64_t> items;
    for (auto& item : *std::get<Tuple>(value.is)) items.push_back(std::get<std::int64_t>(item.is));
    return items;
  }
  void call(const std::string& function, const std::vector<Value>& arguments) {
    if (function == "torch._utils._rebuild_tensor_v2")  // (storage, offset, sizes, strides, needs gradient, hooks)
      push(StoredTensor{std::get<Storage>(arguments.at(0).is), std::get<std::int64_t>(arguments.at(1).is),
                        integers(arguments.at(2)), integers(arguments.at(3))});
    else if (function == "torch._utils._rebuild_parameter")  // (tensor, needs gradient, hooks)
      push(std::get<StoredTensor>(arguments.at(0).is));
    else if (function == "collections.OrderedDict" && arguments.empty())  // the hooks, which are never saved
      push(Nothing{});
    else
      throw std::runtime_error("a function that no tensor needs");
  }

  std::string_view rest_;
  std::vector<Value> stack_;
  std::map<std::int64_t, Value> memo_;
};

[[noreturn]] void refuse(const fs::path& path, const std::string& what, std::string help = {}) {
  if (help.empty()) help = "save one tensor: torch.save(tensor, 'tensor.pt')";
  throw Error(Diagnostic{.code = Code::wrong_tensor, .message = quoted(path) + " " + what, .help = std::move(help)});
}

// Says what a pickle holds that is no tensor; its first instruction after the protocol tells.
[[noreturn]] void refuse_pickle(const fs::path& path, std::string_view pickle) {
  if (!pickle.starts_with("\x80\x02"))
    refuse(path, "has a pickle of another protocol than torch.save's own, 2",
           filled("torch.save(torch.load({}), 'tensor.pt')", quoted(path)));
  auto body = pickle.substr(2);
  if (body.starts_with(']')) refuse(path, "holds a list, not a tensor");
  if (body.starts_with('}')) refuse(path, "holds a dictionary, not a tensor");
  if (!body.starts_with('c')) refuse(path, "does not hold a tensor");
  auto module = body.substr(1, body.find('\n') - 1);
  body.remove_prefix(std::min(module.size() + 2, body.size()));
  auto name = filled("{}.{}", module, body.substr(0, body.find('\n')));
  auto again = [](std::string_view tensor) { return filled("torch.save({}, 'tensor.pt')", tensor); };
  if (name == "collections.OrderedDict")
    refuse(path, "holds a dictionary (such as a model's state), not a tensor", again("dictionary['the name']"));
  if (name == "torch._utils._rebuild_tensor_v2" || name == "torch._utils._rebuild_parameter")
    refuse(path, "does not hold a plain tensor", again("tensor.detach().clone()"));
  if (name == "torch._tensor._rebuild_from_type_v2")
    refuse(path, "holds a tensor of a class of its own, or with attributes", again("tensor.detach().clone()"));
  if (name == "torch._utils._rebuild_sparse_tensor")
    refuse(path, "holds a sparse tensor, not a dense one", again("tensor.to_dense()"));
  if (name == "torch._utils._rebuild_qtensor")
    refuse(path, "holds a quantized tensor, not plain numbers", again("tensor.dequantize()"));
  if (name == "torch._utils._rebuild_tensor_v3")
    refuse(path, "holds a tensor of an unusual type of numbers", again("tensor.float()"));
  refuse(path, filled("holds a Python object ({}), not a tensor", quoted_name(name)));
}

struct Type {
  std::string_view name;
  at::ScalarType stored;
  at::ScalarType result;
};
// A bool's bytes are read as numbers, since LibTorch knows no others than 0 and 1 in a bool.
constexpr std::array types{
    Type{"Float", at::kFloat, at::kFloat}, Type{"Double", at::kDouble, at::kDouble},
    Type{"Half", at::kHalf, at::kHalf},    Type{"BFloat16", at::kBFloat16, at::kBFloat16},
    Type{"Long", at::kLong, at::kLong},    Type{"Int", at::kInt, at::kInt},
    Type{"Short", at::kShort, at::kShort}, Type{"Char", at::kChar, at::kChar},
    Type{"Byte", at::kByte, at::kByte},    Type{"Bool", at::kByte, at::kBool},
};

const Type& type_of(const Storage& storage, const fs::path& path) {
  auto type = std::find_if(types.begin(), types.end(), [&](auto& t) { return t.name == storage.type; });
  if (type == types.end()) refuse(path, filled("holds {} numbers, not real ones", quoted_name(storage.type)));
  return *type;
}

// Whether the tensor lies within its storage, and does not repeat it: an expanded tensor of a few bytes may stand for
// more than the memory holds.
bool lies_within(const StoredTensor& tensor) {
  auto count = tensor.storage.count;
  if (tensor.offset < 0 || tensor.offset > count || tensor.sizes.size() != tensor.strides.size()) return false;
  std::int64_t elements = 1, last = tensor.offset;
  for (std::size_t i = 0; i < tensor.sizes.size(); ++i) {
    auto size = tensor.sizes[i], stride = tensor.strides[i], reach = std::int64_t{0};
    if (size < 0 || stride < 0 || __builtin_mul_overflow(elements, std::max<std::int64_t>(size, 1), &elements) ||
        __builtin_mul_overflow(std::max<std::int64_t>(size, 1) - 1, stride, &reach) ||
        __builtin_add_overflow(last, reach, &last))
      return false;
  }
  if (std::find(tensor.sizes.begin(), tensor.sizes.end(), 0) != tensor.sizes.end()) return true;
  return last < count && elements <= count;
}

StoredTensor stored_tensor(const std::string& pickle, const fs::path& path) {
  try {
    auto value = Pickle(pickle).run();
    if (std::holds_alternative<Tuple>(value.is)) refuse(path, "holds a tuple, not a tensor");
    return std::get<StoredTensor>(value.is);
  } catch (const Error&) {
    throw;
  } catch (const std::exception&) {
    refuse_pickle(path, pickle);
  }
}

model::Archive archive_of(const InputFile& file, bool has_folder) {
  return {file.size(), [&file](auto place, auto* into, auto count) { file.read(place, into, count); }, has_folder};
}

at::Tensor read_pt(const model::Archive& archive, const fs::path& path) {
  if (archive.has("constants.pkl")) refuse(path, "holds a TorchScript model, not a tensor");
  if (archive.has("archive_format")) refuse(path, "holds an exported model, not a tensor");
  if (!archive.has("data.pkl")) refuse(path, "is not what torch.save writes");
  if (archive.has("byteorder") && archive.text("byteorder") != "little")
    refuse(path, "was saved on a big-endian machine", "numpy.save('tensor.npy', tensor.numpy())");

  auto stored = stored_tensor(archive.text("data.pkl"), path);
  auto& type = type_of(stored.storage, path);
  if (!lies_within(stored))
    refuse(path, "holds a tensor that is larger than its numbers", "torch.save(tensor.clone(), 'tensor.pt')");
  auto record = "data/" + stored.storage.record;
  auto size = stored.storage.count > 0 ? archive.size(record) : 0;
  auto item_size = at::elementSize(type.stored);
  if (size % item_size != 0 || size / item_size != static_cast<std::size_t>(stored.storage.count))
    refuse(path, "is damaged: its numbers are not as many as it says");
  auto numbers = at::empty({stored.storage.count}, type.stored);
  if (size > 0) archive.read(record, numbers.mutable_data_ptr());
  return numbers.as_strided(stored.sizes, stored.strides, stored.offset).contiguous().to(type.result);
}

constexpr const char* readable = "give a .png, .jpg, .npy, .npz or .pt file";

enum class Named { picture, npy, npz, pt, otherwise };
Named named(const fs::path& path) {
  auto ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  if (ending == ".png" || ending == ".jpg" || ending == ".jpeg") return Named::picture;
  if (ending == ".npy") return Named::npy;
  if (ending == ".npz") return Named::npz;
  return ending == ".pt" || ending == ".pth" ? Named::pt : Named::otherwise;
}

// torch.save's archives have a folder with data.pkl; numpy.savez's have arrays.
at::Tensor read_zip(const InputFile& file, const ArrayPath& path) {
  auto as_pt = [&] {
    try {
      return read_pt(archive_of(file, /*has_folder=*/true), path.file);
    } catch (const model::Refusal&) {
      refuse(path.file, "is damaged, or not what torch.save writes");
    }
  };
  if (path.array.empty() && named(path.file) == Named::pt) return as_pt();
  try {
    auto archive = archive_of(file, /*has_folder=*/false);
    auto records = archive.in("");
    if (path.array.empty() &&
        std::any_of(records.begin(), records.end(), [](auto& each) { return each.ends_with("/data.pkl"); }))
      return as_pt();
    return read_npz(archive, path.array, path);
  } catch (const model::NoArchive&) {
    refuse(path.file, "is cut short, or no zip archive", "write it again: numpy.savez('arrays.npz', x=array)");
  } catch (const model::Refusal& refusal) {
    refuse(path.file, refusal.what(), "write it again: numpy.savez('arrays.npz', x=array)");
  }
}

// For files that are none of those that are known: what they are, or are not, in spite of their name.
[[noreturn]] void refuse_content(const fs::path& path, std::string_view start) {
  if (start.starts_with("\x80\x02"))
    refuse(path, "is in the format of torch.save before PyTorch 1.6",
           filled("torch.save(torch.load({}), 'tensor.pt')", quoted(path)));
  if (auto name = foreign_format(start); !name.empty()) picture_in(start, quoted(path));  // says so
  switch (named(path)) {
    case Named::picture:
      picture_in(start, quoted(path));
      break;
    case Named::npy:
      array_in(start, quoted(path));
      break;
    case Named::npz:
      refuse(path, "is no archive of NumPy arrays", "write it again: numpy.savez('arrays.npz', x=array)");
    case Named::pt:
      refuse(path, "is not what torch.save writes");
    case Named::otherwise:
      break;
  }
  refuse(path, "is none of the files that are read", readable);
}

TensorFile read(const ArrayPath& path) {
  InputFile file(path.file);
  std::array<char, 32> first{};
  auto count = std::min<std::uint64_t>(first.size(), file.size());
  file.read(0, first.data(), count);
  std::string_view start(first.data(), count);
  auto format = format_of(start);
  if (!path.array.empty() && format != Format::zip)
    refuse(path.file, "is no archive of NumPy arrays", "write it again: numpy.savez('arrays.npz', x=array)");
  switch (format) {
    case Format::png:
    case Format::jpeg: {
      auto picture = picture_in(Contents(file).bytes(), quoted(path.file));
      return {.tensor = picture.pixels, .is_picture = true, .warnings = picture.warnings};
    }
    case Format::npy:
      return {.tensor = read_npy(file, quoted(path.file))};
    case Format::zip:
      return {.tensor = read_zip(file, path)};
    case Format::unknown:
      break;
  }
  refuse_content(path.file, start);
}

}  // namespace

TensorFile read_tensor_file(const fs::path& path) try { return read(array_path(path)); } catch (...) {
  rethrow_as_error(Code::wrong_tensor, "cannot read " + quoted(path));
}

at::Tensor read_tensor(const fs::path& path) { return read_tensor_file(path).tensor; }

}  // namespace ascribe::files
