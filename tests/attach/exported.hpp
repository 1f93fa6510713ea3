// Models that export_models.py exported, and what PyTorch computed with them.
#pragma once

#include "tests/attach/scripts.hpp"

#include <torch/csrc/jit/serialization/import.h>

#include <cstdlib>

namespace test {
using namespace ascribe;

/// The folder of exported models. Fails the test where there was no Python to make them.
inline std::filesystem::path exported_models() {
  std::filesystem::path folder = ASCRIBE_EXPORTED_MODELS;
  if (folder.empty())
    FAIL(
        "these tests need a Python with PyTorch beside LibTorch, which exports their models: ./dev build installs one");
  return folder;
}

inline std::filesystem::path exported(const std::string& name) { return exported_models() / name; }

struct Exported {
  Model model;
  Tensors inputs, outputs;
};

/// `network`: network.pt2, its inputs, and its outputs in PyTorch. `file`: another file of the same network.
inline Exported exported_model(const std::string& name, const std::string& file = {}) {
  auto values = torch::jit::load(exported(name + ".values.pt").string());
  Exported out{Model::load(exported(file.empty() ? name + ".pt2" : file)), {}, {}};
  for (auto [kind, into] : {std::pair("input", &out.inputs), std::pair("output", &out.outputs)})
    for (int i = 0; values.hasattr(kind + ("_" + std::to_string(i))); ++i)
      into->push_back(values.attr(kind + ("_" + std::to_string(i))).toTensor());
  return out;
}

/// Empty where the model computes what PyTorch did, to the last bit.
inline std::string against_pytorch(const Exported& each) {
  auto found = each.model.run(each.inputs);
  if (found.size() != each.outputs.size())
    return std::to_string(found.size()) + " outputs, not " + std::to_string(each.outputs.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    if (!same_bits(found[i], each.outputs[i]))
      return "output " + std::to_string(i) + " differs by " +
             std::to_string(difference(found[i].to(at::kDouble), each.outputs[i].to(at::kDouble)));
  return "";
}

}  // namespace test
