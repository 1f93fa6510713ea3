// A rule on one module: the module's whole forward is f, its own parameters are θ.
#include "tests/attach/models.hpp"

#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include <thread>

namespace test {
using namespace ascribe;
namespace {

Rule seed_rule(const std::string& name, const Arguments& arguments = {}) {
  return Pack::load(digits().parent_path() / "seed" / (name + ".rule")).rule(name, arguments);
}
Rule rule_of(const std::string& clauses) { return Pack::parse("rule r { " + clauses + " }").rule("r"); }

template <typename Model>
Explained run(Model& model, const at::Tensor& x) {
  return plain_run(model, x);
}

// A linear layer within a module that does more: y = tanh(x · scale) + child(x).
struct Block : nn::Module {
  Block() {
    scale = register_parameter("scale", random({3}));
    child = register_module("child", nn::Linear(3, 3));
    to(at::kDouble);
  }
  at::Tensor forward(const at::Tensor& x) { return at::tanh(x * scale) + child(x); }
  at::Tensor scale;
  nn::Linear child{nullptr};
};

TEST_CASE("a module without parameters gets a rule, alone and within a Sequential") {
  at::manual_seed(41);
  auto x = random({4, 3});
  auto ignored = hooked(seed_rule("ignore"), nn::ReLU());
  auto alone = run(ignored, x);
  CHECK(same_bits(alone.output, at::relu(x)));
  CHECK(same_bits(alone.relevance, start(alone.output)));

  nn::Linear first(3, 5), second(5, 2);
  nn::Sequential model(hooked(seed_rule("lrp_zplus"), first), ignored, hooked(seed_rule("lrp_epsilon"), second));
  model->to(at::kDouble);
  auto found = run(model, x);
  auto expected = layer_by_layer(
      {linear(seed_rule("lrp_zplus"), first), {seed_rule("ignore"), relu_of}, linear(seed_rule("lrp_epsilon"), second)},
      x);
  CHECK(same_bits(found.output, second(first(x).relu()).detach()));
  CHECK(difference(found.relevance, expected.relevance) <= exact);
}

TEST_CASE("modified parameters take the place of a module's own, and are never written into it") {
  at::manual_seed(42);
  for (auto& shape : {std::vector<std::int64_t>{4, 3}, {2, 4, 3}}) {
    nn::Linear layer(3, 5);
    layer->to(at::kDouble);
    auto weight = layer->weight.detach().clone(), bias = layer->bias.detach().clone();
    for (std::string name : {"epsilon", "zplus", "gamma", "flat", "wsquare", "alpha_beta"}) {
      INFO(name << " on " << shape.size() << " dimensions");
      auto model = hooked(rule(name), layer);
      auto x = random(shape);
      CHECK(difference(run(model, x).relevance, layer_by_layer({linear(rule(name), layer)}, x).relevance) <= exact);
    }
    CHECK(same_bits(layer->weight, weight));
    CHECK(same_bits(layer->bias, bias));
    CHECK(!layer->weight.grad().defined());
  }
}

TEST_CASE("the module's whole forward is f, and its children's parameters are no parameters of it") {
  at::manual_seed(43);
  auto block = std::make_shared<Block>();
  auto x = random({4, 3});
  Function f = [&](auto& in, auto& theta) {
    return at::tanh(in[0] * theta[0]) + at::linear(in[0], block->child->weight.detach(), block->child->bias.detach());
  };
  for (std::string clauses : {"param = abs(w)", "param \"weight\" = 0", "input = 2 * x; param = w ^ 2; reduce = v"}) {
    INFO(clauses);
    auto model = hooked(rule_of(clauses), block);
    auto expected = layer_by_layer({{rule_of(clauses), f, {{"scale", block->scale.detach()}}}}, x);
    CHECK(difference(run(model, x).relevance, expected.relevance) <= exact);
  }
  std::vector<std::string> parameters;
  for (auto& each : hooked(rule("epsilon"), block)->named_parameters()) parameters.push_back(each.key());
  CHECK(parameters == std::vector<std::string>{"module.scale", "module.child.weight", "module.child.bias"});
}

TEST_CASE("a module that overwrites its input, or gives a view of it, or the input itself") {
  at::manual_seed(44);
  auto x = random({3, 2, 2});
  nn::Linear last(4, 2);
  last->to(at::kDouble);
  auto check = [&](const char* what, auto module, const Function& f) {
    INFO(what);
    Net net;
    net.run = [&](const at::Tensor& in) {
      auto before = in * 1.5;
      auto y = module(before);
      return last((y + (what == std::string("in place") ? before.view(y.sizes()) : y)).flatten(1));
    };
    auto found = run(net, x);
    auto leaf = x.clone().requires_grad_();
    auto reference = last((2 * f({leaf * 1.5}, {})).flatten(1));
    CHECK(difference(found.output, reference) <= exact);
    auto plain = torch::autograd::grad({reference}, {leaf}, {start(reference)}).front();
    CHECK(difference(found.relevance, 2 * plain) <= exact);
  };
  auto doubled = rule_of("backward = 2 * grad");
  check("in place", hooked(doubled, nn::ReLU(nn::ReLUOptions(true))), relu_of);
  check("a view", hooked(doubled, nn::Flatten()), flat_of);
  check("the input itself", hooked(doubled, nn::Identity()), [](auto& in, auto&) { return in[0]; });
}

TEST_CASE("rules attached around a hooked module see its result only") {
  at::manual_seed(45);
  nn::Linear first(3, 4), second(4, 2);
  nn::Sequential model(first, hooked(rule("flat"), nn::ReLU()), hooked(rule("epsilon"), second));
  model->to(at::kDouble);
  auto x = random({3, 3});
  auto found = attached_run(entries("any => zplus"), model, x);
  CHECK(rows(found.report) == std::vector<std::string>{"0 linear zplus"});
  auto expected =
      layer_by_layer({linear(rule("zplus"), first), {rule("flat"), relu_of}, linear(rule("epsilon"), second)}, x);
  CHECK(difference(found.relevance, expected.relevance) <= exact);
  CHECK(same_bits(run(model, x).output, found.output));
}

TEST_CASE("a hooked module's forward may be replaced, paused, and differentiated twice") {
  at::manual_seed(46);
  auto x = random({3, 3});
  auto halved = hooked(seed_rule("halved_output"), nn::Tanh());
  CHECK(difference(run(halved, x).output, at::tanh(x) / 2) <= exact);
  auto model = hooked(rule("pass"), nn::Tanh());
  auto leaf = x.clone().requires_grad_();
  auto y = model(leaf);
  {
    auto pause = model->inactive();
    auto plain = torch::autograd::grad({y}, {leaf}, {start(y)}, true).front();
    CHECK(difference(plain, start(y) * (1 - at::tanh(x).pow(2))) <= exact);
    CHECK(same_bits(run(model, x).output, at::tanh(x)));
  }
  // R = 0.1 · x · y, whose gradient is 0.1 · (y + x · (1 − y²))
  auto product = hooked(rule_of("backward = 0.1 * x * y * R"), nn::Tanh());
  auto z = product(leaf);
  auto R = torch::autograd::grad({z}, {leaf}, {at::ones_like(z)}, true, true).front();
  auto pause = product->inactive();
  auto second = torch::autograd::grad({R.sum()}, {leaf}).front();
  auto t = at::tanh(x);
  CHECK(difference(second, 0.1 * (t + x * (1 - t * t))) <= exact);
}

TEST_CASE("without gradients a hooked module is the module and nothing else") {
  auto model = hooked(rule_of("forward = 0 * y"), nn::Tanh());
  auto x = random({3, 3});
  CHECK(same_bits(model(x), at::tanh(x)));
  at::NoGradGuard no_grad;
  CHECK(same_bits(model(x.requires_grad_()), at::tanh(x)));
}

TEST_CASE("what a hooked module cannot be served with is an error that names it") {
  auto x = random({3, 3}).requires_grad_();
  auto fails = [&](auto model) { return failure([&] { model(x).sum().backward(); }); };
  CHECK(fails(hooked(rule_of("require has(\"weight\"), \"it weighs inputs\""), nn::ReLU())) ==
        "A0601 layer 'ReLU' (module), rule `r`: it weighs inputs");
  nn::Linear narrow(3, 2);
  narrow->to(at::kDouble);
  CHECK(fails(hooked(rule("pass"), narrow)).find("layer 'Linear' (module), rule `pass`: ") != std::string::npos);
  CHECK(fails(hooked(rule("epsilon"), nn::Dropout(0.5))).find("layer 'Dropout' (dropout) is in training mode") !=
        std::string::npos);
  CHECK(failure([&] { (void)hooked(rule("pass"), std::shared_ptr<nn::ReLUImpl>()); }).find("there is no module") !=
        std::string::npos);
}

TEST_CASE("threads share a hooked module") {
  at::manual_seed(47);
  nn::Linear layer(6, 6);
  layer->to(at::kDouble);
  auto model = hooked(rule("gamma"), layer);
  auto x = random({5, 6});
  auto expected = run(model, x).relevance;
  std::vector<std::thread> threads;
  std::vector<int> right(4);
  for (std::size_t i = 0; i < right.size(); ++i)
    threads.emplace_back([&, i] {
      for (int turn = 0; turn < 50; ++turn) right[i] += same_bits(run(model, x).relevance, expected);
    });
  for (auto& each : threads) each.join();
  CHECK(right == std::vector<int>(4, 50));
}

TEST_CASE("a hooked module is cloned with its module, and the copies do not share parameters") {
  at::manual_seed(48);
  nn::Linear layer(3, 2);
  nn::Sequential model(hooked(rule("zplus"), layer), hooked(rule("pass"), nn::ReLU()));
  model->to(at::kDouble);
  auto x = random({3, 3});
  auto before = run(model, x).relevance;
  auto copy = std::dynamic_pointer_cast<nn::SequentialImpl>(model->clone());
  CHECK(same_bits(run(copy, x).relevance, before));
  at::NoGradGuard no_grad;
  layer->weight.mul_(-2);
  at::AutoGradMode grad(true);
  CHECK(same_bits(run(copy, x).relevance, before));
  CHECK(difference(run(model, x).relevance, before) > 1e-3);
}

TEST_CASE("what a hooked module itself refuses is an error that names it") {
  nn::Linear layer(3, 2);
  layer->to(at::kDouble);
  auto fails = [](auto model, const at::Tensor& x) { return failure([&] { model(x); }); };
  CHECK(fails(hooked(rule("zplus"), layer), random({3, 7}).requires_grad_())
            .starts_with("A0609 layer 'Linear' (module) cannot run: "));
  CHECK(fails(hooked(rule("pass"), nn::ReLU(nn::ReLUOptions(true))), random({3, 3}).requires_grad_())
            .find("the module writes into its input, which is a leaf") != std::string::npos);
  CHECK(fails(hooked(rule("pass"), nn::ReLU()), at::Tensor()).find("undefined tensor") != std::string::npos);
}

}  // namespace
}  // namespace test
