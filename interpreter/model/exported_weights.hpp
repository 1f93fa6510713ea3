// The parameters, buffers and constants of an exported program.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "interpreter/model/archive.hpp"
#include "interpreter/model/strict_json.hpp"

namespace ascribe::model {

class ExportedWeights {
 public:
  /// `model`: the name of the program in the archive. Throws Refusal.
  ExportedWeights(const Archive& archive, const std::string& model);

  /// A tensor by its name in the original model. Names that share memory there share it here. Throws Refusal where
  /// there is none, or where it would reach beyond its bytes.
  at::Tensor find(const std::string& name);

 private:
  struct Entry {
    std::string folder;
    const Json* description;
  };
  at::Storage storage(const std::string& record);

  const Archive& archive_;
  Json configurations_[2];
  std::map<std::string, Entry> entries_;
  std::map<std::string, at::Storage> storages_;
  std::map<std::string, at::Tensor> tensors_;
};

}  // namespace ascribe::model
