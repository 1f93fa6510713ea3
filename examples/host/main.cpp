// A host program: rules from a file, on a model written in C++.
#include <ATen/ATen.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include <ascribe/ascribe.hpp>
#include <iostream>

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: host FILE.rule\n";
    return 2;
  }
  try {
    torch::manual_seed(1);
    torch::nn::Sequential model(torch::nn::Linear(3, 4), torch::nn::ReLU(), torch::nn::Linear(4, 2));
    auto x = at::tensor({1.0f, 2.0f, 3.0f}).reshape({1, 3}).requires_grad_();

    auto pack = ascribe::Pack::load(arguments[1]);
    auto attached = ascribe::attach(pack.composite("mine", {{"gamma", 0.5}}), model);
    auto y = model->forward(x);
    attached.remove();  // what is recorded keeps its rules; choosing the output is no layer of the model
    y.select(1, 0).sum().backward();

    std::cout << "output    " << y.detach() << "\nrelevance " << x.grad() << "\n";
    for (auto& layer : attached.report())
      std::cout << layer.name << "  " << layer.rule << "  " << layer.below.value_or(0) << "\n";
  } catch (const ascribe::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
