// The parameters, buffers and constants of an exported program.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

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

  /// All names that the original model had for this one, itself first: exporters keep one of those that are tied.
  std::vector<std::string> names_of(const std::string& name) const;

 private:
  struct Entry {
    std::string folder;
    const Json* description;
  };
  at::Storage storage(const std::string& record);

  const Archive& archive_;
  Json configurations_[2];
  static std::string place_of(const Entry& entry);

  std::map<std::string, Entry> entries_;
  std::map<std::string, std::vector<std::string>> names_;  ///< by the place of their numbers
  std::map<std::string, at::Storage> storages_;
  std::map<std::string, at::Tensor> tensors_;
};

}  // namespace ascribe::model
