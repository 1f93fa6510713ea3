// Where relevance starts, where it is looked at, where it stops, and its gradient: what `attribute` can be asked for.
#include "tests/attach/scripts.hpp"

namespace test {
using namespace ascribe;
namespace {

Composite epsilon_plus() { return Pack::standard().composite("epsilon_plus"); }

Weights weights(at::IntArrayRef shape) { return {random(shape), random({shape[0]})}; }

// Two linear layers and ReLU in between, the second of them used twice.
struct Network {
  Network() {
    at::manual_seed(71);
    one = weights({4, 3}), two = weights({4, 4});
    auto source = R"(
def forward(self, x):
  y = torch.relu(self.one.forward(x))
  y = torch.relu(self.two.forward(y))
  return self.two.forward(y)
)";
    model = loaded(script(
        source, {}, {{"one", linear_script(one.weight, one.bias)}, {"two", linear_script(two.weight, two.bias)}}));
    x = random({3, 3});
  }
  // Relevance at the output of `two`'s first call, at that of `one`, and at x.
  std::vector<at::Tensor> expected(const at::Tensor& R) const {
    at::NoGradGuard no_grad;
    auto a = linear_of({x}, {one.weight, one.bias}), b = linear_of({a.relu()}, {two.weight, two.bias});
    auto epsilon = rule("epsilon");
    auto at_two = through(epsilon, linear_of, {b.relu()}, two.both(), R)[0];
    auto at_one = through(epsilon, linear_of, {a.relu()}, two.both(), at_two)[0];
    return {at_two, at_one, through(epsilon, linear_of, {x}, one.both(), at_one)[0]};
  }
  Weights one, two;
  std::optional<Model> model;
  at::Tensor x;
};

TEST_CASE("several targets in one pass, all of them, or another one for each sample") {
  Network net;
  auto y = net.model->forward(net.x);
  auto relevance = [&](const Target& target) { return attribute(*net.model, epsilon_plus(), net.x, target).relevance; };
  auto mask = at::zeros_like(y);
  mask.select(1, 0).fill_(1), mask.select(1, 2).fill_(1);
  CHECK(difference(relevance(Target({0, 2})), net.expected(y * mask).back()) <= exact);
  CHECK(difference(relevance(Target({0, 2})), relevance(0) + relevance(2)) <= exact);
  CHECK(difference(relevance(Target({2, 2})), 2 * relevance(2)) <= exact);
  CHECK(difference(relevance(Target({0, 2}).from_one()), net.expected(mask).back()) <= exact);
  CHECK(difference(relevance(Target::all()), net.expected(y).back()) <= exact);
  auto each = at::zeros_like(y);
  each[0][3] = y[0][3], each[1][1] = y[1][1], each[2][1] = y[2][1];
  CHECK(difference(relevance(Target::one_per_sample({3, 1, 1})), net.expected(each).back()) <= exact);
}

TEST_CASE("targets by name") {
  Network net;
  std::vector<std::string> labels{"cat", "dog", "boat", "dog "};
  auto relevance = [&](const Target& target) { return attribute(*net.model, epsilon_plus(), net.x, target).relevance; };
  CHECK(same_bits(relevance(Target::named({"boat"}, labels)), relevance(2)));
  CHECK(same_bits(relevance(Target::named({"cat", "dog"}, labels)), relevance(Target({0, 1}))));
  CHECK(failure([&] { (void)Target::named({"bota"}, labels); }) == "A0704 no output is called 'bota'");
  labels[3] = "dog";
  CHECK(failure([&] { (void)Target::named({"dog"}, labels); }) == "A0704 several outputs are called 'dog'");
}

TEST_CASE("targets that do not fit the output are errors") {
  Network net;
  auto fails = [&](const Target& target) {
    return failure([&] { attribute(*net.model, epsilon_plus(), net.x, target); });
  };
  CHECK(fails(Target({0, 4})) == "A0704 target 4 is out of range: the model has 4 outputs");
  CHECK(fails(Target(std::vector<std::int64_t>{})) == "A0704 no target is chosen");
  CHECK(fails(Target::from(at::ones({3, 4}, at::kComplexDouble))) ==
        "A0704 the start is no dense tensor of real numbers");
  CHECK(fails(Target::one_per_sample({0, 1})) == "A0704 there are 2 targets for 3 samples");
  CHECK(fails(Target::one_per_sample({0, 1, -1})) == "A0704 target -1 is out of range: the model has 4 outputs");
}

TEST_CASE("relevance at inner layers, several at once, a layer that is called twice included") {
  Network net;
  auto y = net.model->forward(net.x);
  auto found = attribute(*net.model, epsilon_plus(), net.x, Target::all(), {.layers = {"two", "one", "relu#2", "two"}});
  auto expected = net.expected(y);
  REQUIRE(found.layers.size() == 3);
  REQUIRE(found.layers.at("two").size() == 2);
  CHECK(difference(found.layers.at("two")[0], expected[0]) <= exact);
  CHECK(difference(found.layers.at("two")[1], y) <= exact);
  CHECK(difference(found.layers.at("one").at(0), expected[1]) <= exact);
  CHECK(difference(found.layers.at("relu#2").at(0), expected[0]) <= exact);
  CHECK(difference(found.relevance, expected[2]) <= exact);
  CHECK(!found.layers.at("one")[0].requires_grad());
}

TEST_CASE("relevance stops at a layer") {
  Network net;
  auto y = net.model->forward(net.x);
  auto found = attribute(*net.model, epsilon_plus(), net.x, Target::all(), {.layers = {"relu#2"}, .to_input = false});
  CHECK(difference(found.layers.at("relu#2").at(0), net.expected(y)[0]) <= exact);
  CHECK(!found.relevance.defined());
  CHECK(!found.report[0].above.has_value());  // nothing was worked out below
  CHECK(found.report[4].below.has_value());
}

TEST_CASE("an inner layer that is not there, or no layer to stop at, is an error") {
  Network net;
  auto fails = [&](const AttributeOptions& options) {
    return failure([&] { attribute(*net.model, epsilon_plus(), net.x, Target(0), options); });
  };
  CHECK(fails({.layers = {"tow"}}) == "A0611 the model has no layer 'tow'");
  CHECK(fails({.to_input = false}) == "A0703 relevance is to stop at layers, but none is named");
  CHECK(fails({.create_graph = true}) == "A0703 no input requires a gradient, so that relevance could have one");
}

TEST_CASE("batch norm that is merged shares its place with the layer that it is merged into") {
  at::manual_seed(72);
  auto conv = Weights{random({2, 2, 1, 1}), random({2})};
  auto norm = script(
      "def forward(self, x):\n"
      "  return torch.batch_norm(x, None, None, self.mean, self.variance, False, 0.1, 1e-5, False)\n",
      {}, {}, {{"mean", random({2})}, {"variance", random({2}).abs() + 0.5}});
  auto model = loaded(sequence({conv_script(conv.weight, conv.bias), norm}));
  auto x = random({2, 2, 3, 3});
  auto R = start(model.forward(x));
  auto found = attribute(model, epsilon_plus(), x, Target::from(R), {.layers = {"0", "1"}});
  CHECK(difference(found.layers.at("0").at(0), R) <= exact);
  CHECK(difference(found.layers.at("1").at(0), R) <= exact);
}

TEST_CASE("relevance with a history has a gradient: a second pass through the layers' own gradients") {
  // From the output's own value, too: it depends on x as everything does.
  auto target = GENERATE(as<Target>{}, Target(1).from_one(), Target(1), Target::all());
  Network net;
  auto rules = Pack::standard().composite("epsilon_plus", {{"epsilon", 0.1}});
  auto relevance = [&](const at::Tensor& x, bool create_graph) {
    return attribute(*net.model, rules, x, target, {.create_graph = create_graph}).relevance;
  };
  auto factors = at::linspace(-1, 1, 9, at::kDouble).view({3, 3});
  auto x = net.x.clone().requires_grad_();
  auto R = relevance(x * 1.0, true);
  CHECK(difference(R, relevance(net.x, false)) <= exact);
  auto found = torch::autograd::grad({(R * factors).sum()}, {x}).front();
  constexpr double step = 1e-6;
  auto differences = at::zeros_like(net.x);
  for (int i = 0; i < 9; ++i) {
    auto score = [&](double offset) {
      auto moved = net.x.clone();
      moved.view(-1)[i] += offset;
      return (relevance(moved, false) * factors).sum().item<double>();
    };
    differences.view(-1)[i] = (score(step) - score(-step)) / (2 * step);
  }
  CHECK(differences.abs().max().item<double>() > 1e-3);
  CHECK(difference(found, differences) <= 1e-6);
}

TEST_CASE("layers tells which layer gets which rule before any rule runs, and without rules which layers there are") {
  Network net;
  auto last = entries("last linear => flat; any => epsilon_plus");
  CHECK(rows(layers(*net.model, last, {net.x})) == std::vector<std::string>{"one linear epsilon", "relu#1 relu pass",
                                                                            "two linear epsilon", "relu#2 relu pass",
                                                                            "two linear flat"});
  auto listed = layers(*net.model, {net.x});
  CHECK(names(listed) == std::vector<std::string>{"one", "relu#1", "two", "relu#2", "two"});
  CHECK(listed[0].shape == std::vector<std::int64_t>{3, 4});
  CHECK(failure([&] { layers(*net.model, {random({3, 7})}); }).starts_with("A0609 "));
}

}  // namespace
}  // namespace test
