#include "interpreter/attribute/places.hpp"

#include <ATen/ATen.h>

#include <set>

#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::attributing {

using namespace libtorch;  // NOLINT: the room below
namespace {

std::string_view name_of(const c10::OperatorHandle& op) { return base_name(op.operator_name().name); }

at::Tensor everywhere(const at::Tensor& like, std::int64_t place) {
  return at::full(like.sizes(), place, like.options().dtype(at::kLong));
}

// What is not tagged as such, though it is.
bool copies(std::string_view name) {
  static const std::set<std::string_view> names{"to",    "_to_copy", "type_as", "clone",  "contiguous",
                                                "float", "double",   "half",    "long",   "int",
                                                "cpu",   "cuda",     "alias",   "detach", "positive"};
  return names.contains(name);
}

// Operators whose results are elements of their first argument: run on places, they give the results' places.
bool moves(const c10::OperatorHandle& op) {
  static const std::set<std::string_view> names{"index",
                                                "index_select",
                                                "gather",
                                                "take",
                                                "take_along_dim",
                                                "masked_select",
                                                "flip",
                                                "fliplr",
                                                "flipud",
                                                "roll",
                                                "rot90",
                                                "repeat",
                                                "tile",
                                                "repeat_interleave",
                                                "cat",
                                                "concat",
                                                "concatenate",
                                                "stack",
                                                "hstack",
                                                "vstack",
                                                "dstack",
                                                "column_stack",
                                                "reshape",
                                                "flatten",
                                                "constant_pad_nd",
                                                "pad",
                                                "tril",
                                                "triu"};
  auto name = name_of(op);
  return names.contains(name) && !(name == "repeat_interleave" && op.operator_name().overload_name == "Tensor");
}

}  // namespace

bool works_elementwise(const c10::OperatorHandle& op) {
  static const std::set<std::string_view> names{"floor_divide", "floor_divide_", "true_divide", "true_divide_",
                                                "divide",       "divide_",       "multiply",    "multiply_",
                                                "subtract",     "__and__",       "__or__",      "__xor__",
                                                "__lshift__",   "__rshift__",    "where",       "copy_"};
  auto name = name_of(op);
  return op.hasTag(at::Tag::pointwise) || copies(name) || names.contains(name);
}

bool takes_shape_only(const c10::OperatorHandle& op) {
  auto name = name_of(op);
  return name.ends_with("_like") || name.starts_with("new_");
}

std::optional<std::size_t> written_argument(const c10::OperatorHandle& op) {
  auto& arguments = op.schema().arguments();
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (auto* alias = arguments[i].alias_info(); alias && alias->isWrite()) return i;
  return {};
}

Places::Places(const std::vector<at::Tensor>& inputs) {
  std::int64_t next = nowhere + 1;
  for (auto& input : inputs) {
    if (!input.defined() || input.is_floating_point() || input.is_complex()) continue;
    auto end = next + input.numel();
    set(input, at::arange(next, end, input.options().dtype(at::kLong)).view(input.sizes()));
    next = end;
  }
}

bool Places::known(const at::Tensor& tensor) const {
  return tensor.defined() && tensor.layout() == at::kStrided && tensor.has_storage() &&
         memories_.contains(tensor.storage().unsafeGetStorageImpl());
}

at::Tensor Places::of(const at::Tensor& tensor) const {
  if (!known(tensor)) return everywhere(tensor, nowhere);
  auto& memory = memories_.at(tensor.storage().unsafeGetStorageImpl());
  if (memory.item_size != tensor.dtype().itemsize()) return everywhere(tensor, unknown);
  return memory.places.as_strided(tensor.sizes(), tensor.strides(), tensor.storage_offset()).clone();
}

void Places::set(const at::Tensor& tensor, const at::Tensor& places) {
  auto& memory = memories_[tensor.storage().unsafeGetStorageImpl()];
  auto item_size = tensor.dtype().itemsize();
  if (!memory.places.defined()) {
    auto items = static_cast<std::int64_t>(tensor.storage().nbytes() / item_size);
    memory = {tensor.storage(), item_size, at::full({items}, nowhere, tensor.options().dtype(at::kLong))};
  }
  if (memory.item_size != item_size)
    memory.places.fill_(unknown);
  else
    memory.places.as_strided(tensor.sizes(), tensor.strides(), tensor.storage_offset()).copy_(places);
}

at::Tensor Places::combined(const std::vector<c10::IValue>& arguments, const at::Tensor& result) const {
  auto out = at::Tensor();
  for (auto& argument : arguments)
    for_each_tensor(argument, [&](const at::Tensor& tensor) {
      if (!known(tensor)) return;
      auto found = of(tensor).expand(result.sizes());
      if (!out.defined())
        out = found;
      else
        out = at::where((found == out).logical_or(found == nowhere), out,
                        at::where(out == nowhere, found, at::full_like(found, unknown)));
    });
  return out.defined() ? out : everywhere(result, nowhere);
}

std::vector<at::Tensor> Places::moved(const c10::OperatorHandle& op, std::vector<c10::IValue> arguments) const {
  auto& data = arguments.front();
  bool any = false;
  for_each_tensor(data, [&](const at::Tensor& tensor) { any = any || known(tensor); });
  if (!any) return {};
  if (data.isTensor()) {
    data = of(data.toTensor());
  } else {
    std::vector<at::Tensor> list;
    for (const at::Tensor& each : data.toTensorVector()) list.push_back(of(each));
    data = list;
  }
  if (name_of(op) == "constant_pad_nd") arguments[2] = nowhere;  // what it pads with is no place
  if (name_of(op) == "pad") arguments[3] = c10::IValue();
  torch::jit::Stack stack(arguments.begin(), arguments.end());
  try {
    op.callBoxed(&stack);
  } catch (const std::exception&) {  // not for int64, or not with these arguments
    return {};
  }
  std::vector<at::Tensor> out;
  for (auto& each : stack) for_each_tensor(each, [&](const at::Tensor& tensor) { out.push_back(tensor); });
  return out;
}

void Places::follow(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments,
                    const torch::jit::Stack& stack) {
  at::NoGradGuard no_grad;
  if (takes_shape_only(op)) return;
  if (auto written = written_argument(op)) {
    if (op.hasTag(at::Tag::inplace_view) || !is_tensor(arguments[*written])) return;
    auto self = arguments[*written].toTensor();
    if (self.is_floating_point() || self.is_complex() || !self.has_storage()) return;
    auto read = arguments;
    bool overwrites = *written > 0;  // `out=`, or what was there is gone otherwise
    for (auto name : {"copy_", "fill_", "zero_"}) overwrites = overwrites || name_of(op) == name;
    if (overwrites) read.erase(read.begin() + static_cast<std::ptrdiff_t>(*written));
    set(self, works_elementwise(op) ? combined(read, self) : everywhere(self, unknown));
    return;
  }
  std::vector<at::Tensor> results, places;
  for (auto result = stack.end() - static_cast<std::ptrdiff_t>(op.schema().returns().size()); result != stack.end();
       ++result)
    for_each_tensor(*result, [&](const at::Tensor& tensor) { results.push_back(tensor); });
  if (moves(op)) places = moved(op, arguments);
  for (std::size_t i = 0; i < results.size(); ++i) {
    auto& result = results[i];
    // A view of what is known finds its places itself; floating results are autograd's.
    if (result.is_floating_point() || result.is_complex() || !result.has_storage() || known(result)) continue;
    if (places.size() == results.size() && places[i].sizes() == result.sizes())
      set(result, places[i]);
    else if (works_elementwise(op))
      set(result, copies(name_of(op)) ? of(arguments[0].toTensor()) : combined(arguments, result));
    else if (name_of(op) == "one_hot")
      set(result, of(arguments[0].toTensor()).unsqueeze(-1).expand(result.sizes()));
    else
      set(result, everywhere(result, unknown));
  }
}

}  // namespace ascribe::attributing
