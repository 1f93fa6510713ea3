// TorchScript models made in C++, and the files that they are saved in.
#pragma once

#include "tests/attach/layers.hpp"
#include "tests/folder.hpp"

#include <torch/csrc/jit/api/module.h>

#include <atomic>

namespace test {
using namespace ascribe;

using Children = std::vector<std::pair<std::string, torch::jit::Module>>;

/// A module with parameters, submodules, buffers, and methods as `source` has them.
inline torch::jit::Module script(const std::string& source, const Parameters& parameters = {},
                                 const Children& children = {}, const Parameters& buffers = {}) {
  static std::atomic<int> number = 0;
  torch::jit::Module module(c10::QualifiedName("__torch__.Part" + std::to_string(++number)));
  module.register_attribute("training", c10::BoolType::get(), false);
  for (auto& [name, value] : parameters)
    module.register_parameter(name, value.detach().clone().requires_grad_(), false);
  for (auto& [name, value] : buffers) module.register_buffer(name, value.detach().clone());
  for (auto& [name, child] : children) module.register_module(name, child);
  module.define(source);
  return module;
}

inline torch::jit::Module relu_script() { return script("def forward(self, x):\n  return torch.relu(x)\n"); }
inline torch::jit::Module linear_script(const at::Tensor& weight, const at::Tensor& bias) {
  return script("def forward(self, x):\n  return torch.linear(x, self.weight, self.bias)\n",
                {{"weight", weight}, {"bias", bias}});
}
inline torch::jit::Module conv_script(const at::Tensor& weight, const at::Tensor& bias) {
  return script("def forward(self, x):\n  return torch.conv2d(x, self.weight, self.bias)\n",
                {{"weight", weight}, {"bias", bias}});
}

/// The modules one after the other, named by their numbers, as torch.nn.Sequential has them.
inline torch::jit::Module sequence(const std::vector<torch::jit::Module>& modules) {
  Children children;
  std::string source = "def forward(self, x):\n";
  for (auto& each : modules) {
    auto name = std::to_string(children.size());
    source += "  x = getattr(self, \"" + name + "\").forward(x)\n";
    children.emplace_back(name, each);
  }
  return script(source + "  return x\n", {}, children);
}

/// Through a file and back.
inline Model loaded(const torch::jit::Module& module) {
  Folder folder;
  module.save(folder / "model.pt");
  return Model::load(folder / "model.pt");
}

/// Relevance of `x` from `start` of the model's output.
inline Explained attributed(const Model& model, const Composite& rules, const at::Tensor& x) {
  auto found = attribute(model, rules, x, Target::from(start(model.forward(x))));
  return {found.relevance, found.output, found.report};
}

// A pair of weight and bias.
struct Weights {
  at::Tensor weight, bias;
  Parameters both() const { return {{"weight", weight}, {"bias", bias}}; }
};
inline Weights weights(at::IntArrayRef shape) { return {random(shape), random({shape[0]})}; }

inline Composite epsilon_plus() { return Pack::standard().composite("epsilon_plus"); }

// What a TorchScript computation yields under epsilon_plus, and a composite that also needs the layers' own values.
inline void equals(
    const Model& model, const at::Tensor& x,
    const std::function<std::vector<Step>(const Rule& conv, const Rule& linear, const Rule& activation)>& steps) {
  CHECK(difference(attributed(model, epsilon_plus(), x).relevance,
                   layer_by_layer(steps(rule("zplus"), rule("epsilon"), rule("pass")), x).relevance) <= exact);
  std::string text = R"(
    rule gated { map = if layer.y > 0 then R / stabilize(y, 0.1) else 0.3 * R }
    rule shaped { backward = R * y + 0.1 * x }
    composite c { convolution, linear => gated; activation => shaped; any => base })";
  auto pack = Pack::parse(text);
  CHECK(difference(attributed(model, composite(text), x).relevance,
                   layer_by_layer(steps(pack.rule("gated"), pack.rule("gated"), pack.rule("shaped")), x).relevance) <=
        exact);
}

}  // namespace test
