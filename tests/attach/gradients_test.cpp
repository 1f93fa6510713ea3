// Gradients of relevance: `create_graph` in the backward pass that hands relevance down, and a second pass through the
// layers' own gradients, against finite differences.
#include "tests/attach/models.hpp"

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/normalization.h>

namespace test {
using namespace ascribe;
namespace {

// A number that depends on every part of the relevance, none of it alike.
at::Tensor score(const at::Tensor& relevance) {
  auto factors = at::linspace(-1, 2, relevance.numel(), at::kDouble).view(relevance.sizes());
  return (relevance * factors).sum();
}

struct Sides {
  at::Tensor computed, differences;
};

// d score / dx, by a second backward pass and by central differences. Relevance starts from a function of the output.
template <typename Model>
Sides gradient_of_score(const Composite& rules, Model& model, const at::Tensor& x) {
  auto relevance = [&](const at::Tensor& leaf, bool create_graph) {
    auto y = model.forward(leaf);
    auto start_of = at::sin(3 * (create_graph ? y : y.detach())) + 0.3;
    return torch::autograd::grad({y}, {leaf}, {start_of}, /*retain_graph=*/create_graph, create_graph).front();
  };
  auto leaf = x.detach().clone().requires_grad_();
  auto attached = attach(rules, model);
  auto R = relevance(leaf, true);
  Sides out;
  {
    auto pause = attached.inactive();
    out.computed = torch::autograd::grad({score(R)}, {leaf}, {}, {}, false, /*allow_unused=*/true).front();
    if (!out.computed.defined()) out.computed = at::zeros_like(x);
  }
  constexpr double step = 1e-6;
  out.differences = at::zeros_like(x);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    auto at_offset = [&](double offset) {
      auto moved = x.detach().clone();
      moved.view(-1)[i] += offset;
      moved.requires_grad_();
      return score(relevance(moved, false)).template item<double>();
    };
    out.differences.view(-1)[i] = (at_offset(step) - at_offset(-step)) / (2 * step);
  }
  return out;
}

template <typename Model>
void agrees(const std::string& what, const Composite& rules, Model& model, const at::Tensor& x) {
  INFO(what);
  Sides sides = gradient_of_score(rules, model, x);
  CHECK(sides.differences.abs().max().item<double>() > 1e-3);
  CHECK(difference(sides.computed, sides.differences) <= 1e-6);
}

TEST_CASE("gradients of relevance go through every standard rule for linear layers") {
  Small model;
  auto x = small_input(1);
  auto box = [](double low, double high) { return Arguments{{"low", low}, {"high", high}}; };
  std::vector<std::pair<std::string, Arguments>> rules{{"epsilon", {{"epsilon", 0.05}}},
                                                       {"zplus", {}},
                                                       {"gamma", {}},
                                                       {"alpha_beta", {}},
                                                       {"zbox", box(-4, 4)},
                                                       {"gradient", {}}};
  for (auto& [name, arguments] : rules) agrees(name, Composite(rule(name, arguments)), model, x);
  // Relevance that forgets the inputs still follows the outputs of the layers above.
  for (std::string name : {"flat", "wsquare"})
    agrees(name, entries("first convolution => " + name + "; any => epsilon(0.05)"), model, x);
}

TEST_CASE("gradients of relevance go through rules for activations, sums and poolings") {
  at::manual_seed(31);
  Net net;
  auto conv = net.add("conv", nn::Conv2d(2, 3, 2));
  auto fc = net.add("fc", nn::Linear(3, 4));
  auto x = random({2, 2, 4, 4});
  net.run = [&](const at::Tensor& in) {
    auto y = conv(in);
    y = at::avg_pool2d(at::tanh(y) + at::gelu(y) * 0.5, {2, 2}, {1, 1});
    return fc(y.mean({2, 3}));
  };
  for (std::string name : {"pass", "gradient", "relu_deconvnet", "relu_guided_backprop", "relu_beta_smooth"})
    agrees(name, entries("activation => " + name + "; any => epsilon_plus(0.1, 0.1)"), net, x);
}

TEST_CASE("gradients of relevance go through rules that use everything the language has") {
  Small model;
  auto x = small_input(1);
  for (std::string rule : {"backward = grad * x", "backward = grad * tanh(x) + 0.1 * x",
                           "reduce = x * v * sigmoid(mean(x))", "map = R * y + layer.y; output = tanh(y)",
                           "input = tanh(x); param = w + 0.1 * w ^ 2; map = R / stabilize(y, 0.1 * sqrt(mean(y ^ 2)))",
                           "forward = tanh(y)", "forward = 2 * tanh(y); backward = grad"})
    agrees(rule, Pack::parse("rule r { " + rule + " }\ncomposite c { linear, convolution => r }").composite("c"), model,
           x);
}

TEST_CASE("gradients of relevance go through merged batch norm, residuals and in-place operators") {
  at::manual_seed(32);
  Net net;
  auto conv = net.add("conv", nn::Conv2d(nn::Conv2dOptions(2, 2, 3).padding(1)));
  auto norm = net.add("norm", nn::BatchNorm2d(2));
  auto input_norm = net.add("input_norm", nn::BatchNorm2d(2));
  auto head = net.add("head", nn::Conv2d(2, 2, 2));
  for (auto& each : {norm, input_norm}) {
    each->running_mean.normal_();
    each->running_var.uniform_(0.5, 2);
  }
  net.eval();
  auto x = random({2, 2, 4, 4});
  net.run = [&](const at::Tensor& in) {
    auto y = norm(conv(in)).relu_();
    y += in;
    return head(input_norm(y)).flatten(1);
  };
  agrees("epsilon_plus", Pack::standard().composite("epsilon_plus", {{"epsilon", 0.1}, {"stabilizer", 0.1}}), net, x);
}

TEST_CASE("gradients of relevance go through held norms, products and matrix products") {
  Net net;
  auto norm = net.add("norm", nn::LayerNorm(nn::LayerNormOptions({4})));
  auto first = net.add("first", nn::Linear(4, 4)), second = net.add("second", nn::Linear(4, 4));
  auto x = random({2, 3, 4});
  auto rules = composite("composite c { any => attn_lrp(0.1) }");
  net.run = [=](const at::Tensor& each) mutable { return second(norm(first(each))); };
  agrees("layer norm", rules, net, x);
  net.run = [=](const at::Tensor& each) mutable { return first(each) * second(each); };
  agrees("product", rules, net, x);
  net.run = [=](const at::Tensor& each) mutable { return at::matmul(first(each), second(each).transpose(1, 2)); };
  agrees("matmul", rules, net, x);
}

TEST_CASE("while an attachment is inactive, nothing is intercepted and recorded rules answer with the gradient") {
  Small model;
  auto x = small_input();
  auto leaf = x.clone().requires_grad_();
  auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
  auto y = model.forward(leaf);
  auto rows_before = attached.report().size();
  auto relevance = [&] { return torch::autograd::grad({y}, {leaf}, {start(y)}, /*retain_graph=*/true).front(); };
  auto before = relevance();
  {
    auto pause = attached.inactive();
    auto another = attached.inactive();
    CHECK(plain_gradient_is_back(model, x));
    CHECK(difference(relevance(), plain_run(model, x).relevance) <= exact);
  }
  CHECK(attached.report().size() == rows_before);
  CHECK(same_bits(relevance(), before));
}

TEST_CASE("relu in place copies nothing for rules that need none of its numbers, and has its gradient back") {
  torch::nn::Linear first(3, 4), second(4, 2);
  first->to(at::kDouble), second->to(at::kDouble);
  auto x = at::randn({5, 3}, at::kDouble).requires_grad_();
  auto rules = Pack::parse("composite c { linear => std.zplus  activation => std.pass }").composite("c");
  torch::nn::Sequential net(first, second);
  auto attached = attach(rules, *net);
  auto hidden = first(x);
  auto* memory = hidden.const_data_ptr();
  hidden.relu_();
  CHECK(hidden.const_data_ptr() == memory);
  auto y = second(hidden);
  hidden.add_(1);  // what relu has kept stays
  attached.remove();
  auto pause = attached.inactive();
  auto found = torch::autograd::grad({y}, {x}, {at::ones_like(y)}).front();
  auto plain = second(first(x).relu());
  CHECK(difference(found, torch::autograd::grad({plain}, {x}, {at::ones_like(y)}).front()) <= exact);
}

TEST_CASE("a replaced output has its own gradient while an attachment is inactive") {
  Small model;
  auto x = small_input();
  auto leaf = x.clone().requires_grad_();
  auto attached = attach(entries("activation => pass"), model);
  auto inner =
      attach(Pack::parse("rule r { forward = 3 * y; backward = 0 * grad }\ncomposite c { linear => r }").composite("c"),
             model);
  auto y = model.forward(leaf);
  CHECK(torch::autograd::grad({y}, {leaf}, {start(y)}, true).front().abs().max().item<double>() == 0);
  auto pause = inner.inactive();
  auto found = torch::autograd::grad({y}, {leaf}, {start(y)}).front();
  inner.remove();
  attached.remove();
  auto plain_leaf = x.clone().requires_grad_();
  auto plain = 3 * model.forward(plain_leaf);
  CHECK(difference(found, torch::autograd::grad({plain}, {plain_leaf}, {start(y)}).front()) <= exact);
}

}  // namespace
}  // namespace test
