// A host program: a model written in C++, and one rule from a file.
//
//     host mine.rule
//
// prints the model's output, the relevance of its input, and what each layer handed down.
#include <ascribe/attach.hpp>
#include <ascribe/error.hpp>
#include <ascribe/pack.hpp>
#include <ascribe/version.hpp>

#include <ATen/ATen.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include <iostream>

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: host FILE.rule\n";
    return 2;
  }
  try {
    at::manual_seed(1);
    torch::nn::Sequential model(torch::nn::Linear(3, 4), torch::nn::ReLU(), torch::nn::Linear(4, 2));
    auto x = at::tensor({1.0f, 2.0f, 3.0f}).reshape({1, 3}).requires_grad_();

    // Loading checks the whole file: whatever is wrong with it is known here, with its place, and not later.
    auto pack = ascribe::Pack::load(arguments[1]);
    auto rule = pack.rule("favour_positive", {{"gamma", 0.5}});

    // While it is attached, what the model computes on this thread is recorded with the rule in the place of the
    // gradient of its linear layers and convolutions. The model itself stays as it is.
    auto attached = ascribe::attach(rule, model, {.sums = true});
    auto y = model->forward(x);
    attached.remove();                // what is recorded keeps its rules; choosing the output is no layer of the model
    y.select(1, 0).sum().backward();  // the first output, of every sample
    std::cout << "ascribe   " << ascribe::version() << "\n"
              << "output    " << y.detach() << "\n"
              << "relevance " << x.grad() << "\n";
    for (auto& layer : attached.report())
      std::cout << layer.name << "  " << layer.kind << "  " << layer.rule << "  handed down " << layer.below.value_or(0)
                << "\n";
  } catch (const ascribe::Error& error) {
    std::cerr << error.what() << "\n";  // what `ascribe check` would print
    return 1;
  }
}
