#include "interpreter/libtorch/parameter_names.hpp"

namespace ascribe::libtorch {

void ParameterNames::add(const std::string& name, const at::Tensor& parameter) {
  if (!parameter.defined() || !parameter.has_storage()) return;
  by_place.emplace(Place{parameter.storage().unsafeGetStorageImpl(), parameter.storage_offset()}, name);
  names.insert(name);
  parameters.insert(parameter.unsafeGetTensorImpl());
  held.push_back(parameter);
}

const std::string* ParameterNames::find(const at::Tensor& tensor) const {
  if (!tensor.has_storage()) return nullptr;
  auto found = by_place.find(Place{tensor.storage().unsafeGetStorageImpl(), tensor.storage_offset()});
  return found == by_place.end() ? nullptr : &found->second;
}

std::string module_of(const std::string& parameter) {
  auto dot = parameter.rfind('.');
  return dot == std::string::npos ? "" : parameter.substr(0, dot);
}

std::string sibling(const std::string& parameter, const std::string& name) {
  return parameter.substr(0, parameter.rfind('.') + 1) + name;
}

}  // namespace ascribe::libtorch
