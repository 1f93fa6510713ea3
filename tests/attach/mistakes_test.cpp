// Mistakes while rules are attached: what they say, and that nothing is left behind.
#include "tests/attach/models.hpp"

#include <torch/nn/modules/instancenorm.h>
#include <torch/nn/modules/rnn.h>

#include <c10/core/InferenceMode.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/dropout.h>

namespace test {
using namespace ascribe;
namespace {

TEST_CASE("attaching where gradients are disabled is an error") {
  Small model;
  auto attempt = [&] {
    return failure([&] { auto attached = attach(Pack::standard().composite("epsilon_plus"), model); });
  };
  {
    at::NoGradGuard no_grad;
    CHECK(attempt() == "A0606 rules cannot be attached where gradients are disabled");
  }
  {
    c10::InferenceMode inference;
    CHECK(attempt() == "A0606 rules cannot be attached where gradients are disabled");
  }
  CHECK(plain_gradient_is_back(model, small_input()));
  auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
  at::NoGradGuard no_grad;
  CHECK(same_bits(model.forward(small_input()),
                  Small().forward(small_input())));  // within the scope: the plain forward pass
}

TEST_CASE("an error in the forward pass leaves the thread and the model as they were") {
  auto x = small_input();
  Small model;
  auto expect = [&](const std::string& what, const Composite& rules, const std::function<void()>& run,
                    const std::string& message) {
    INFO(what);
    {
      auto attached = attach(rules, model);
      CHECK(failure(run) == message);
      // Within the same scope, the next forward pass is right.
      auto other = attach(Pack::standard().composite("epsilon_plus"), model);
      CHECK(difference(plain_run(model, x).relevance, under_epsilon_plus(model, x).relevance) <= exact);
    }
    CHECK(plain_gradient_is_back(model, x));
  };
  auto forward = [&] { model.forward(x.clone().requires_grad_()); };
  expect("a backward rule on a convolution", entries("convolution => pass"), forward,
         "A0601 layer 'features.0' (conv2d), rule `pass`: `backward` mixes input and output, but the layer does not "
         "keep its shape");
  expect("refuse", entries("linear => refuse"), forward, "A0602 layer 'classifier' (linear) is refused by the rules");
  expect(
      "no batch", entries("any => base"), [&] { model.features->forward(x[0].clone().requires_grad_()); },
      "A0604 layer 'features.0' (conv2d): its input has 3 dimensions, without a batch");
  expect(
      "pooling without a batch", entries("any => base"), [&] { at::max_pool2d(x[0].clone().requires_grad_(), 2); },
      "A0604 layer 'max_pool2d#1' (max_pool2d): its input has 3 dimensions, without a batch");
  nn::BatchNorm2d training(nn::BatchNorm2dOptions(2).affine(false));
  training->to(at::kDouble);
  expect(
      "batch norm in training mode", entries("any => base"), [&] { training(x.clone().requires_grad_()); },
      "A0605 layer 'batch_norm#1' (batch_norm) is in training mode");
  expect(
      "rrelu in training mode", entries("any => base"), [&] { at::rrelu(x.clone().requires_grad_(), 0.1, 0.3, true); },
      "A0605 layer 'rrelu#1' (rrelu) is in training mode");
  auto wrong = failure([&] {
    auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
    model.forward(random({2, 3, 5, 5}).requires_grad_());
  });
  CHECK(wrong.find("expected input[2, 3, 5, 5] to have 2 channels") != std::string::npos);  // LibTorch's own
  CHECK(plain_gradient_is_back(model, x));
}

TEST_CASE("dropout in training mode is an error, and in evaluation mode it is not there") {
  auto x = small_input();
  Net net;
  nn::Dropout dropout(0.5);
  net.run = [&](const at::Tensor& in) { return dropout(in); };
  CHECK(failure([&] { attached_run(entries("any => base"), net, x); }).starts_with("A0605"));
  dropout->eval();
  auto found = attached_run(entries("any => refuse"), net, x);
  CHECK(same_bits(found.relevance, start(x)));
  CHECK(found.report.empty());
}

TEST_CASE("batch norm in training mode is named after its module") {
  nn::Sequential model(nn::Conv2d(2, 2, 1), nn::BatchNorm2d(2));
  model->to(at::kDouble);
  CHECK(failure([&] { attached_run(Pack::standard().composite("base"), model, small_input()); }) ==
        "A0605 layer '1' (batch_norm) is in training mode");
}

TEST_CASE("batch norm without statistics of its own says so, as eval() would not help") {
  nn::Sequential model(nn::BatchNorm2d(nn::BatchNorm2dOptions(2).track_running_stats(false)));
  model->to(at::kDouble);
  model->eval();
  CHECK(failure([&] { attached_run(Pack::standard().composite("base"), model, small_input()); }) ==
        "A0605 layer '0' (batch_norm) takes the statistics of the batch: it has none of its own");
}

TEST_CASE("a layer that is refused leaves nothing behind for the next one") {
  at::manual_seed(28);
  nn::Linear layer(4, 4);
  layer->to(at::kDouble);
  auto leaf = random({2, 3, 4}).requires_grad_();
  auto attached = attach(entries("linear => refuse; add => norm"), layer);
  CHECK(failure([&] { layer(leaf); }).starts_with("A0602"));
  auto y = leaf + layer->bias;
  CHECK(difference(torch::autograd::grad({y}, {leaf}, {start(y)}).front(),
                   through(rule("norm"), sum_of, {leaf, layer->bias}, {}, start(y), {true, false})[0]) <= exact);
  CHECK(failure([&] { layer(leaf); }).starts_with("A0602"));
}

TEST_CASE("an error in the backward pass leaves the thread and the model as they were") {
  Small model;
  auto x = small_input();
  // A bound per channel that the second convolution's input does not have: only its backward pass lays it on.
  auto pack = Pack::parse(
      "rule bounded(low: input = 0) { input = x - low; map = R }\ncomposite c(low: input = 0) { \"features.2\" => "
      "bounded(low) }",
      "test.rule");
  auto rules = pack.composite("c", {{"low", Numbers{{2}, {1, 2}}}});
  CHECK(failure([&] {
          attached_run(rules, model, x);
        }).starts_with("A0601 layer 'features.2' (conv2d), rule `bounded(low = [1, 2])`: `low` has the shape ["));
  CHECK(plain_gradient_is_back(model, x));
  CHECK(difference(attached_run(Pack::standard().composite("epsilon_plus"), model, x).relevance,
                   under_epsilon_plus(model, x).relevance) <= exact);
}

TEST_CASE("a tensor argument that does not fit is shown as it was given") {
  Small model;
  auto pack = Pack::parse(
      "rule bounded(low: input = 0) { input = x - low; map = R }\ncomposite c(low: input = 0) { \"features.2\" => "
      "bounded(low) }",
      "test.rule");
  CHECK(failure([&] {
          attached_run(pack.composite("c", {{"low", Numbers{{2}, {1, 2}}}}), model, small_input());
        }) ==
        "A0601 layer 'features.2' (conv2d), rule `bounded(low = [1, 2])`: `low` has the shape [2], which does not fit "
        "a value at the input of shape [2, 3, 3, 3]");
}

TEST_CASE("relevance goes twice through a graph that is retained, and is an error in one that is not") {
  Small model;
  auto leaf = small_input().requires_grad_();
  auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
  auto y = model.forward(leaf);
  auto once = torch::autograd::grad({y}, {leaf}, {start(y)}, /*retain_graph=*/true).front();
  CHECK(same_bits(torch::autograd::grad({y}, {leaf}, {start(y)}).front(), once));
  CHECK(failure([&] { torch::autograd::grad({y}, {leaf}, {start(y)}); }) ==
        "A0607 layer 'classifier' (linear): relevance went through this graph before");
}

TEST_CASE("a parameter, buffer or input changed between forward and backward is an error") {
  Small model;
  auto run = [&](const std::function<void(at::Tensor & leaf)>& change,
                 const Composite& rules = Pack::standard().composite("epsilon_plus")) {
    auto leaf = small_input().requires_grad_();
    auto attached = attach(rules, model);
    auto y = model.forward(leaf);
    {
      at::NoGradGuard no_grad;
      change(leaf);
    }
    return failure([&] { torch::autograd::grad({y}, {leaf}, {start(y)}); });
  };
  CHECK(run([](at::Tensor&) {}) == "no error");
  CHECK(run([&](at::Tensor&) { model.classifier->weight.mul_(1); }) ==
        "A0608 layer 'classifier' (linear), rule `epsilon(epsilon = 1e-06)`: the weight of layer 'classifier' (linear) "
        "was changed after the forward pass");
  CHECK(run([&](at::Tensor&) {
          model.features->ptr<nn::Conv2dImpl>(0)->bias.add_(0);
        }).starts_with("A0608 layer 'features.0' (conv2d)"));
  CHECK(run([&](at::Tensor& leaf) { leaf.zero_(); }).starts_with("A0608 layer 'features.0' (conv2d)"));
  CHECK(run([](at::Tensor&) {}) == "no error");
}

TEST_CASE("a constant or statistic changed between forward and backward is not used as if it were the old one") {
  at::manual_seed(26);
  auto x = random({3, 4});
  auto constant = random({4}).abs() + 0.5, mean = random({4}), variance = random({4}).abs() + 0.5;
  Net net;
  auto check = [&](const char* what, const std::function<at::Tensor(const at::Tensor&)>& run, at::Tensor changed) {
    INFO(what);
    net.run = run;
    auto rules = entries("any => epsilon(0.1)");
    auto expected = attached_run(rules, net, x).relevance;
    auto leaf = x.clone().requires_grad_();
    auto attached = attach(rules, net);
    auto y = net.forward(leaf);
    changed.add_(1);
    at::Tensor found;
    auto message = failure([&] { found = torch::autograd::grad({y}, {leaf}, {start(y)}).front(); });
    if (message == "no error")
      CHECK(difference(found, expected) <= exact);
    else
      CHECK(message.starts_with("A0608"));
  };
  check(
      "add", [&](auto& in) { return in + constant; }, constant);
  check(
      "scale", [&](auto& in) { return in * constant; }, constant);
  check(
      "batch_norm", [&](auto& in) { return at::batch_norm(in, {}, {}, mean, variance, false, 0.1, 1e-5, false); },
      mean);
}

TEST_CASE("dropout within an operator, and statistics that instance norm learns, are training mode") {
  at::manual_seed(84);
  auto x = random({2, 3, 4});
  auto fails = [&](const std::function<at::Tensor(const at::Tensor&)>& run) {
    Net net;
    net.run = run;
    return failure([&] { attached_run(entries("any => epsilon_plus"), net, x); });
  };
  nn::LSTM lstm(nn::LSTMOptions(4, 3).batch_first(true).num_layers(2).dropout(0.5));
  lstm->to(at::kDouble);
  CHECK(fails([&](auto& in) {
          return std::get<0>(lstm->forward(in));
        }).find("(lstm) is in training mode: it drops out") != std::string::npos);
  lstm->eval();
  CHECK(fails([&](auto& in) { return std::get<0>(lstm->forward(in)); }) == "no error");
  CHECK(fails([](auto& in) {
          return at::scaled_dot_product_attention(in, in, in, {}, 0.5);
        }).find("is in training mode") != std::string::npos);
  nn::InstanceNorm1d norm(nn::InstanceNorm1dOptions(3).track_running_stats(true));
  norm->to(at::kDouble);
  CHECK(fails([&](auto& in) { return norm(in); }).find("(instance_norm) is in training mode") != std::string::npos);
  nn::InstanceNorm1d plain(nn::InstanceNorm1dOptions(3));
  CHECK(fails([&](auto& in) { return plain(in); }) == "no error");
}

TEST_CASE("recurrent operators whose states or parameters do not fit are refused before they run") {
  at::manual_seed(85);
  auto x = random({2, 3, 4});  // [batch, length, features]
  auto fails = [&](const char* name, at::Tensor state, at::Tensor w_hh, std::int64_t gates) {
    std::vector<at::Tensor> parameters{random({gates * 5, 4}), w_hh, random({gates * 5}), random({gates * 5})};
    Net net;
    net.run = [&](const at::Tensor& in) {
      if (gates == 4)
        return std::get<0>(at::lstm(in, {random({1, 2, 5}), state}, parameters, true, 1, 0, false, false, true));
      return std::get<0>(at::gru(in, state, parameters, true, 1, 0, false, false, true));
    };
    INFO(name);
    return failure([&] { attached_run(entries("any => epsilon_plus"), net, x); });
  };
  auto fit = random({1, 2, 5});
  CHECK(fails("lstm", fit, random({20, 5}), 4) == "no error");
  CHECK(fails("gru", fit, random({15, 5}), 3) == "no error");
  CHECK(fails("strided", fit, random({20, 1}).expand({20, 5}), 4) == "no error");
  CHECK(fails("lstm", random({1, 1, 5}), random({20, 5}), 4) ==
        "A0609 layer 'lstm#1' (lstm) cannot run: its state has the shape [1, 1, 5], not [1, 2, 5]");
  CHECK(fails("lstm", fit, random({7, 5}), 4) ==
        "A0609 layer 'lstm#1' (lstm) cannot run: a parameter has the shape [7, 5], not [20, 5]");
  CHECK(fails("gru", random({1, 2, 4}), random({15, 5}), 3) ==
        "A0609 layer 'gru#1' (gru) cannot run: its state has the shape [1, 2, 4], not [1, 2, 5]");
}

}  // namespace
}  // namespace test
