// Long work: it says how far it is, and ends when it is asked to.
#include "tests/attach/scripts.hpp"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include <latch>
#include <stop_token>
#include <thread>

namespace test {
using namespace ascribe;
namespace {

namespace nn = torch::nn;
using Pass = Progress::Pass;

// Convolution, sigmoid (which keeps its gradient under the rules below), flatten, linear.
torch::jit::Module net() {
  at::manual_seed(3);
  auto conv = weights({2, 1, 3, 3}), linear = weights({3, 8});
  return sequence({conv_script(conv.weight, conv.bias), script("def forward(self, x):\n  return torch.sigmoid(x)\n"),
                   script("def forward(self, x):\n  return torch.flatten(x, 1)\n"),
                   linear_script(linear.weight, linear.bias)});
}
at::Tensor input() {
  at::manual_seed(4);
  return random({2, 1, 4, 4});
}
Composite rules() { return composite("composite c { convolution => zplus; linear => epsilon }"); }

std::vector<Progress> progress_of(const Model& model) {
  std::vector<Progress> steps;
  attribute(model, rules(), input(), 1, {.progress = [&](const Progress& step) { steps.push_back(step); }});
  return steps;
}

std::string stopped(const Model& model, const AttributeOptions& options) {
  return failure([&] { attribute(model, rules(), input(), 1, options); });
}

TEST_CASE("an attribution tells of each layer, forward and backward") {
  auto model = loaded(net());
  auto steps = progress_of(model);
  std::vector<std::string> told;
  for (auto& each : steps)
    told.push_back(fmt::format("{} {} {} {}/{}", each.pass == Pass::forward ? "forward" : "backward", each.layer,
                               each.kind, each.done, each.total ? std::to_string(*each.total) : "?"));
  CHECK(told == std::vector<std::string>{"forward 0 conv2d 1/?", "forward 1 sigmoid 2/?", "forward 3 linear 3/?",
                                         "backward 3 linear 1/3", "backward 1 sigmoid 2/3", "backward 0 conv2d 3/3"});
}

TEST_CASE("a layer that two operators make is told of once") {
  at::manual_seed(5);
  auto one = weights({4, 4}), two = weights({2, 4});
  auto x = random({2, 3, 4});
  // A product and a sum, as C++ runs Linear on more than two dimensions.
  auto apart = script("def forward(self, x):\n  return torch.matmul(x, self.weight.t()) + self.bias\n", one.both());
  auto model = loaded(sequence({apart, linear_script(two.weight, two.bias)}));
  std::vector<std::size_t> forward, backward;
  auto tell = [&](const Progress& step) { (step.pass == Pass::forward ? forward : backward).push_back(step.done); };
  auto found = attribute(model, rules(), x, Target::all(), {.progress = tell});
  CHECK(found.report.size() == 2);
  CHECK(forward == std::vector<std::size_t>{1, 2});
  CHECK(backward == std::vector<std::size_t>{1, 2});
}

TEST_CASE("an attribution stops at any layer, and the same one afterwards is what it was") {
  auto model = loaded(net());
  auto before = attribute(model, rules(), input(), 1);
  auto steps = progress_of(model);
  std::vector<std::string> messages;
  for (std::size_t at = 0; at <= steps.size(); ++at) {
    std::stop_source source;
    std::size_t count = 0;
    AttributeOptions options{.stop = source.get_token(), .progress = [&](const Progress&) {
                               if (++count == at) source.request_stop();
                             }};
    if (at == 0) source.request_stop();
    messages.push_back(stopped(model, options));
    auto after = attribute(model, rules(), input(), 1);
    CHECK(same_bits(after.relevance, before.relevance));
    CHECK(same_bits(after.output, before.output));
  }
  CHECK(messages ==
        std::vector<std::string>{"A0612 stopped as requested, before the first layer",
                                 "A0612 stopped as requested, in the forward pass after layer '0' (conv2d)",
                                 "A0612 stopped as requested, in the forward pass after layer '1' (sigmoid)",
                                 "A0612 stopped as requested, in the backward pass at layer '3' (linear)",
                                 "A0612 stopped as requested, in the backward pass at layer '1' (sigmoid)",
                                 "A0612 stopped as requested, in the backward pass at layer '0' (conv2d)", "no error"});
}

TEST_CASE("a stop from another thread ends the work") {
  at::manual_seed(6);
  std::vector<torch::jit::Module> parts;
  for (int i = 0; i < 400; ++i) {
    auto weight = random({200, 200}) * 0.07;
    parts.push_back(linear_script(weight, at::zeros({200}, at::kDouble)));
  }
  auto model = loaded(sequence(parts));
  auto x = random({200, 200});
  std::stop_source source;
  std::size_t done = 0;
  std::latch begun(1);
  std::jthread other([&] {
    begun.wait();
    source.request_stop();
  });
  AttributeOptions options{.stop = source.get_token(), .progress = [&](const Progress&) {
                             if (++done == 3) begun.count_down();
                           }};
  CHECK(failure([&] { attribute(model, rules(), x, 1, options); }).starts_with("A0612"));
  CHECK(done < 800);
}

TEST_CASE("what a progress callback throws comes out as it is") {
  auto model = loaded(net());
  auto before = attribute(model, rules(), input(), 1).relevance;
  auto throws = [&](std::size_t at, auto thrown) {
    std::size_t count = 0;
    AttributeOptions options{.progress = [&, at](const Progress&) {
      if (++count == at) throw thrown;
    }};
    try {
      attribute(model, rules(), input(), 1, options);
    } catch (const decltype(thrown)&) {
      return same_bits(attribute(model, rules(), input(), 1).relevance, before) ? "that" : "something is left";
    } catch (...) {
      return "something else";
    }
    return "nothing";
  };
  for (std::size_t at : {1, 3, 4, 6}) {
    INFO(at);
    CHECK(std::string(throws(at, std::runtime_error("mine"))) == "that");
    CHECK(std::string(throws(at, 42)) == "that");
    CHECK(std::string(throws(at, std::bad_alloc())) == "that");
  }
}

TEST_CASE("a callback may compute, and attribute in the forward pass; in the backward pass it is told that it cannot") {
  auto model = loaded(net());
  auto before = attribute(model, rules(), input(), 1).relevance;
  std::size_t right = 0, refused = 0;
  AttributeOptions options{.progress = [&](const Progress& step) {
    at::AutoGradMode record(true);
    right += at::ones({2}).sum().item<double>() == 2;
    try {
      right += same_bits(attribute(model, rules(), input(), 1).relevance, before);
    } catch (const Error& error) {
      refused += error.diagnostics().front().code == Code::gradient_disabled && step.pass == Pass::backward;
    }
    try {
      (void)attach(rules(), torch::nn::Linear(2, 2));
    } catch (const Error& error) {
      refused += error.diagnostics().front().code == Code::gradient_disabled;
    }
  }};
  CHECK(same_bits(attribute(model, rules(), input(), 1, options).relevance, before));
  CHECK(right == 6 + 3);
  CHECK(refused == 3 + 6);  // attaching never works there
}

TEST_CASE("a stop that comes after the attribution does not touch its relevance's gradient") {
  auto model = loaded(net());
  auto x = input().requires_grad_();
  std::stop_source source;
  auto found = attribute(model, rules(), x, 1, {.create_graph = true, .stop = source.get_token()});
  source.request_stop();
  CHECK(torch::autograd::grad({found.relevance.pow(2).sum()}, {x})[0].isfinite().all().item<bool>());
}

TEST_CASE("an attachment stops a model that the host runs itself, forward and backward") {
  at::manual_seed(7);
  nn::Sequential model(nn::Linear(3, 4), nn::ReLU(), nn::Linear(4, 2));
  model->to(at::kDouble);
  auto x = random({2, 3}).requires_grad_();
  std::stop_source forward, backward;
  {
    auto attached = attach(rules(), model, {.stop = forward.get_token()});
    (void)model->forward(x);
    forward.request_stop();
    CHECK(failure([&] { (void)model->forward(x); }) ==
          "A0612 stopped as requested, in the forward pass after layer '2' (linear)");
  }
  CHECK(failure([&] { (void)model->forward(x); }) == "no error");
  auto attached = attach(rules(), model, {.stop = backward.get_token()});
  auto y = model->forward(x);
  attached.remove();
  backward.request_stop();
  CHECK(failure([&] { y.sum().backward(); }) ==
        "A0612 stopped as requested, in the backward pass at layer '2' (linear)");
  CHECK_FALSE(x.grad().defined());
}

}  // namespace
}  // namespace test
