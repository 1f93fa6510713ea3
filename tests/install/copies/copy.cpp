#include "copy.hpp"

#include <ascribe/attach.hpp>
#include <ascribe/attribute.hpp>

#include <ATen/ATen.h>
#include <torch/nn/modules/linear.h>

#include <optional>

namespace {

struct OwnCopy : Copy {
  OwnCopy() {
    at::NoGradGuard no_grad;
    linear->weight.copy_(at::tensor({1.0f, -2.0f, 3.0f, -0.5f, 2.5f, 1.5f}).reshape({2, 3}));
    linear->bias.fill_(0.25f);
  }
  void attach(const std::string& rule) override {
    attached().emplace(ascribe::attach(ascribe::Pack::standard().rule(rule), linear));
  }
  void remove() override { attached().reset(); }
  std::vector<double> relevance() override {
    auto x = at::tensor({1.0f, 2.0f, -3.0f}).reshape({1, 3}).requires_grad_();
    linear->forward(x).sum().backward();
    auto found = x.grad().to(at::kDouble);
    return {found.const_data_ptr<double>(), found.const_data_ptr<double>() + found.numel()};
  }
  std::string layers(const std::string& file) override {
    std::string out;
    for (auto& each : ascribe::layers(ascribe::Model::load(file), {at::zeros({1, 1, 8, 8})})) out += each.name + " ";
    return out;
  }

 private:
  static std::optional<ascribe::Attachment>& attached() {
    thread_local std::optional<ascribe::Attachment> out;
    return out;
  }
  torch::nn::Linear linear{3, 2};
};

}  // namespace

extern "C" __attribute__((visibility("default"))) Copy* make_copy() { return new OwnCopy; }
