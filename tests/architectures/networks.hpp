// The networks of networks.py as C++ modules: the same layers in the same order, under the same module names.
#pragma once

#include "tests/catch.hpp"

#include <torch/csrc/jit/api/module.h>

#include <torch/nn/module.h>
#include "tests/attach/layers.hpp"

#include <memory>
#include <string>
#include <vector>

namespace test {
using namespace ascribe;

struct Network : torch::nn::Module {
  virtual at::Tensor forward(const at::Tensor& x) = 0;
};

std::vector<std::string> network_names();

/// The network in evaluation mode with the parameters and buffers of a saved one, by name. Throws std::runtime_error
/// where the two differ in names or shapes.
std::shared_ptr<Network> network(const std::string& name, const torch::jit::Module& saved);

}  // namespace test
