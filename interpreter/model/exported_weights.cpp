#include "interpreter/model/exported_weights.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/model/exported_types.hpp"

namespace ascribe::model {
namespace {

std::vector<std::int64_t> sizes_of(const Json& sizes) {
  std::vector<std::int64_t> out;
  for (auto& each : list(sizes)) out.push_back(integer(member(each, "as_int")));
  return out;
}

// Whether every element lies within `count` of them.
bool lies_within(const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& strides, std::int64_t offset,
                 std::int64_t count) {
  if (sizes.size() != strides.size() || offset < 0) return false;
  std::int64_t last = offset, elements = 1, reach = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    auto size = std::max<std::int64_t>(sizes[i], 1);
    if (sizes[i] < 0 || strides[i] < 0 || __builtin_mul_overflow(elements, size, &elements) || elements >> 48 != 0 ||
        __builtin_mul_overflow(size - 1, strides[i], &reach) || __builtin_add_overflow(last, reach, &last))
      return false;
  }
  bool empty = std::find(sizes.begin(), sizes.end(), 0) != sizes.end();
  return empty ? offset <= count : last < count;
}

}  // namespace

ExportedWeights::ExportedWeights(const Archive& archive, const std::string& model) : archive_(archive) {
  for (std::string kind : {"weights", "constants"}) {
    auto folder = "data/" + kind + "/";
    if (archive.has(folder + model + ".pt"))
      throw Refusal("has its weights in a format that PyTorch has given up",
                    "load it with torch.export.load and save it again with torch.export.save");
    auto& configuration = configurations_[kind == "constants"];
    auto name = filled("{}{}_{}_config.json", folder, model, kind);
    configuration = parse_json(archive.text(name), name);
    auto& entries = member(configuration, "config");
    if (!entries.is_object()) throw damaged("its list of weights is none");
    for (auto& [each, description] : entries.items())
      if (!entries_.emplace(each, Entry{folder, &description}).second)
        throw damaged(filled("two tensors are called {}", shown_name(each)));
  }
  for (auto& [name, entry] : entries_)
    if (auto place = place_of(entry); !place.empty()) names_[place].push_back(name);
}

// The record and what of it; empty where it is none that is understood.
std::string ExportedWeights::place_of(const Entry& entry) {
  auto *record = optional_member(*entry.description, "path_name"),
       *meta = optional_member(*entry.description, "tensor_meta");
  if (!record || !record->is_string() || !meta || !meta->is_object()) return {};
  std::string place = entry.folder + text(*record);
  for (auto* key : {"dtype", "sizes", "strides", "storage_offset"})
    if (auto* each = optional_member(*meta, key))
      place += ' ' + each->dump(-1, ' ', true, Json::error_handler_t::replace);
  return place;
}

std::vector<std::string> ExportedWeights::names_of(const std::string& name) const {
  std::vector<std::string> names{name};
  auto entry = entries_.find(name);
  if (entry == entries_.end()) return names;
  if (auto found = names_.find(place_of(entry->second)); found != names_.end())
    for (auto& other : found->second)
      if (other != name && names.size() < 16) names.push_back(other);
  return names;
}

at::Storage ExportedWeights::storage(const std::string& record) {
  if (auto found = storages_.find(record); found != storages_.end()) return found->second;
  auto bytes = at::empty({static_cast<std::int64_t>(archive_.size(record))}, at::kByte);
  archive_.read(record, bytes.mutable_data_ptr());
  return storages_.emplace(record, bytes.storage()).first->second;
}

at::Tensor ExportedWeights::find(const std::string& name) {
  if (auto found = tensors_.find(name); found != tensors_.end()) return found->second;
  auto entry = entries_.find(name);
  if (entry == entries_.end()) throw damaged(filled("{} is missing from its weights", shown_name(name)));
  auto& description = *entry->second.description;
  auto* meta = optional_member(description, "tensor_meta");
  if (!meta || boolean(member(description, "use_pickle")))
    throw Refusal(filled("holds {} as a Python object", shown_name(name)),
                  "export a model whose weights and constants are plain tensors");
  auto type = scalar_type(integer(member(*meta, "dtype")));
  if (layout(integer(member(*meta, "layout"))) != at::kStrided)
    throw Refusal(filled("holds {} as a sparse tensor", shown_name(name)), "export a model with dense weights");

  auto sizes = sizes_of(member(*meta, "sizes")), strides = sizes_of(member(*meta, "strides"));
  auto offset = integer(member(member(*meta, "storage_offset"), "as_int"));
  auto memory = storage(entry->second.folder + text(member(description, "path_name")));
  auto item_size = static_cast<std::int64_t>(at::elementSize(type));
  if (!lies_within(sizes, strides, offset, static_cast<std::int64_t>(memory.nbytes()) / item_size))
    throw damaged(filled("{} is larger than its numbers", shown_name(name)));
  if (type == at::kBool) {  // LibTorch knows no others than 0 and 1 in a bool
    auto* bytes = static_cast<const std::uint8_t*>(memory.data());
    if (std::any_of(bytes, bytes + memory.nbytes(), [](auto byte) { return byte > 1; }))
      throw damaged(filled("{} holds truth values that are none", shown_name(name)));
  }
  auto tensor = at::empty({0}, type).set_(memory, offset, sizes, strides);
  if (boolean(member(*meta, "requires_grad")) && (at::isFloatingType(type) || at::isComplexType(type)))
    tensor.requires_grad_();
  return tensors_.emplace(name, tensor).first->second;
}

}  // namespace ascribe::model
