// Every way that a network can be run in with rules: as C++ module, and from each kind of file.
#pragma once

#include "tests/architectures/networks.hpp"
#include "tests/attach/layers.hpp"

#include <torch/csrc/jit/serialization/import.h>

#include "interpreter/files/tensor_file.hpp"

namespace test {
using namespace ascribe;

/// A network as export.py has saved it: all of it, or without biases.
struct Saved {
  std::string network;
  bool biased = true;

  std::string name() const { return network + (biased ? "" : ".unbiased"); }
  std::filesystem::path file(const std::string& ending) const {
    return std::filesystem::path(ASCRIBE_NETWORKS) / (name() + ending);
  }
  at::Tensor input() const { return files::read_tensor(file(".input.pt")); }
  /// PyTorch's own.
  at::Tensor output() const { return files::read_tensor(file(".output.pt")); }
};

/// The relevance of an input, from the relevance `R` of the output.
using Run = std::function<Explained(const Composite& rules, const at::Tensor& x, const at::Tensor& R)>;

inline Run as_module(const Saved& saved) {
  auto model = network(saved.network, torch::jit::load(saved.file(".traced.pt").string()));
  return [=](const Composite& rules, const at::Tensor& x, const at::Tensor& R) -> Explained {
    auto leaf = x.detach().clone().requires_grad_();
    auto attached = attach(rules, *model, {.sums = true});
    auto y = model->forward(leaf);
    attached.remove();
    auto relevance = torch::autograd::grad({y}, {leaf}, {R}).front();
    return {relevance, y.detach(), attached.report()};
  };
}

template <const char* ending>
Run from_file(const Saved& saved) {
  auto model = Model::load(saved.file(ending));
  return [=](const Composite& rules, const at::Tensor& x, const at::Tensor& R) -> Explained {
    auto found = attribute(model, rules, x, Target::from(R));
    return {found.relevance, found.output, found.report};
  };
}

struct Way {
  std::string name;
  Run (*open)(const Saved& saved);
  enum class Names {
    all,         ///< every layer has its module's name
    of_weights,  ///< those that hold parameters have; the others are counted: `relu#3`
    none         ///< the file has forgotten them, and has folded batch norm where it could
  } names;
};

inline constexpr char traced[] = ".traced.pt", scripted[] = ".scripted.pt", frozen[] = ".frozen.pt",
                      exported[] = ".pt2";

/// The first is what the others are compared with.
inline const std::vector<Way> ways{
    {"traced", from_file<traced>, Way::Names::all},     {"scripted", from_file<scripted>, Way::Names::all},
    {"exported", from_file<exported>, Way::Names::all}, {"frozen", from_file<frozen>, Way::Names::none},
    {"C++ module", as_module, Way::Names::of_weights},
};

}  // namespace test
