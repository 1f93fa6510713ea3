// Which dimension of an output counts samples, and what a target then is an index of.
#include "tests/attach/scripts.hpp"

namespace test {
using namespace ascribe;
namespace {

// The identity from x to whatever shape: relevance is the output's, in x's places.
struct Shaped {
  explicit Shaped(const std::string& body)
      : model(loaded(
            script("def forward(self, x):\n  return " + body + "\n", {{"of_its_type", at::ones({1}, at::kDouble)}}))) {}
  Attribution run(const at::Tensor& x, const Target& target = Target::largest()) const {
    return attribute(model, entries("any => base(0)"), x, target);
  }
  std::string fails(const at::Tensor& x, const Target& target = Target::largest()) const {
    return failure([&] { run(x, target); });
  }
  Model model;
};

TEST_CASE("an output of one number for each sample, or for all of them, needs no target") {
  auto x = at::rand({4, 3}, at::kDouble) + 0.5;
  for (std::string body : {"torch.relu(x)[:, 0]", "torch.relu(x)[:, 0].sum()"}) {
    INFO(body);
    Shaped net(body);
    auto expected = at::zeros_like(x);
    auto y = net.model.forward(x);
    expected.select(1, 0).copy_(x.select(1, 0));  // of a sum, each summand has its share
    for (auto& target : {Target::largest(), Target::all(), Target(0)})
      CHECK(difference(net.run(x, target).relevance, expected) <= exact);
    expected.select(1, 0).copy_(y.dim() == 0 ? x.select(1, 0) / y : at::ones({4}, at::kDouble));
    CHECK(difference(net.run(x, Target::largest().from_one()).relevance, expected) <= exact);
    CHECK(net.fails(x, 1) == "A0704 target 1 is out of range: the model has 1 output");
    CHECK(net.fails(x, -1) == "A0704 target -1 is out of range: the model has 1 output");
    CHECK(net.run(x).sample_dimension.has_value() == (y.dim() == 1));
  }
  Shaped each("torch.relu(x)[:, 0]");
  CHECK(difference(each.run(x, Target::one_per_sample({0, 0, 0, 0})).relevance, each.run(x).relevance) <= exact);
  CHECK(each.fails(x, Target::one_per_sample({0, 0, 0, 1})) ==
        "A0704 target 1 is out of range: the model has 1 output");
}

TEST_CASE("outputs that lack the dimension of a single sample are its classes") {
  Shaped net("torch.relu(x).squeeze(0)");
  auto x = at::tensor({1.0, 5.0, 2.0}, at::kDouble).view({1, 3});
  auto expected = at::zeros_like(x);
  expected[0][1] = 5;
  CHECK(difference(net.run(x).relevance, expected) <= exact);
  CHECK(difference(net.run(x, 1).relevance, expected) <= exact);
  CHECK(net.fails(x, 3) == "A0704 target 3 is out of range: the model has 3 outputs");
}

TEST_CASE("in [time, batch, classes] a target is one of the classes, in every sample at every time") {
  Shaped net("torch.relu(x).permute([2, 0, 1])");  // x: [batch, classes, time]
  auto x = at::rand({2, 4, 5}, at::kDouble) + 0.5;
  auto found = net.run(x, 3);
  CHECK(found.sample_dimension == 1);
  auto expected = at::zeros_like(x);
  expected.select(1, 3).copy_(x.select(1, 3));
  CHECK(difference(found.relevance, expected) <= exact);
  auto each = net.run(x, Target::one_per_sample({3, 0})).relevance;
  auto by_sample = at::zeros_like(x);
  by_sample[0][3] = x[0][3], by_sample[1][0] = x[1][0];
  CHECK(difference(each, by_sample) <= exact);
  CHECK(net.fails(x, 4) == "A0704 target 4 is out of range: the model has 4 outputs");
  CHECK(net.fails(x) == "A0704 the model's output has the shape [5, 2, 4]: which target?");
}

TEST_CASE("where one dimension alone is longer than one, a target is an index along it") {
  Shaped net("torch.relu(x).unsqueeze(1)");  // [batch, 1, classes]
  for (std::int64_t batch : {1, 2}) {
    auto x = at::rand({batch, 4}, at::kDouble) + 0.5;
    auto expected = at::zeros_like(x);
    expected.select(1, 3).copy_(x.select(1, 3));
    CHECK(difference(net.run(x, 3).relevance, expected) <= exact);
    auto largest = at::zeros_like(x).scatter_(1, x.argmax(1, true), 1) * x;
    CHECK(difference(net.run(x).relevance, largest) <= exact);
    CHECK(net.fails(x, 4) == "A0704 target 4 is out of range: the model has 4 outputs");
  }
}

TEST_CASE("a model without weights answers in the type that it is given") {
  auto model = loaded(script("def forward(self, x):\n  return torch.relu(x)\n"));
  auto x = at::rand({2, 3}, at::kDouble) + 0.5;
  auto found = attribute(model, entries("any => base"), x, Target::all());
  CHECK(found.output.scalar_type() == at::kDouble);
  CHECK(difference(found.relevance, x) <= exact);
  CHECK(model.options().dtype() == at::kFloat);
}

TEST_CASE("an output for all samples together has targets as any other") {
  Shaped net("torch.relu(x).sum(0, True)");
  auto x = at::rand({4, 3}, at::kDouble) + 0.5;
  auto found = net.run(x, 2);
  CHECK(!found.sample_dimension);
  CHECK(difference(found.relevance.slice(1, 0, 2), at::zeros({4, 2}, at::kDouble)) <= exact);
  CHECK(difference(found.relevance.select(1, 2).sum(), x.select(1, 2).sum()) <= 1e-5);
}

TEST_CASE("samples that are mixed are told, unless it is said what is meant") {
  Shaped net("torch.relu(x).view(2, -1)");
  auto x = at::rand({4, 2}, at::kDouble) + 0.5;
  for (auto& target : {Target::largest(), Target(0), Target::one_per_sample({0, 0})})
    CHECK(
        net.fails(x, target).starts_with("A0704 the input has 4 samples, and none of the dimensions of the model's "
                                         "output [2, 4] is known to count them"));
  CHECK(difference(net.run(x, Target::all()).relevance, x) <= exact);
  CHECK(difference(net.run(x, Target::from(at::ones({2, 4}))).relevance, at::ones_like(x)) <= exact);
  CHECK(Shaped("torch.relu(x).view(-1)").fails(x).starts_with("A0704 the input has 4 samples"));
  CHECK(net.run(x.slice(0, 0, 1), 0).relevance.defined());  // a single one is mixed with nothing
}

TEST_CASE("the largest outputs are so of each sample") {
  Shaped net("torch.relu(x)");
  auto x = at::rand({4, 5}, at::kDouble) + 0.5;
  auto chosen = std::get<1>(x.topk(2, 1));
  auto expected = at::zeros_like(x).scatter(1, chosen, x.gather(1, chosen));
  CHECK(difference(net.run(x, Target::largest(2)).relevance, expected) <= exact);
  CHECK(net.fails(x, Target::largest(6)) == "A0704 the largest 6 outputs are wanted, and the model has 5");
  CHECK_THROWS_AS(Target::largest(0), Error);
}

TEST_CASE("a target against others starts with their negatives") {
  Shaped net("torch.relu(x)");
  auto x = at::rand({4, 5}, at::kDouble) + 0.5;
  auto expected = at::zeros_like(x);
  expected.select(1, 3).copy_(x.select(1, 3));
  expected.select(1, 1).copy_(-x.select(1, 1));
  auto found = net.run(x, Target(3).against({1}));
  CHECK(difference(found.relevance, expected) <= exact);
  CHECK(difference(found.start, expected) <= exact);
  CHECK(net.fails(x, Target(3).against({3})) ==
        "A0704 output 3 is the target, and what it is against: nothing would be left");
  auto largest = net.run(x.narrow(0, 0, 1), Target::largest()).start.argmax().item<std::int64_t>();
  CHECK_THAT(net.fails(x, Target::largest().against({largest})), Catch::Contains("is the largest of a sample"));
  CHECK(net.fails(x, Target(3).against({5})) == "A0704 target 5 is out of range: the model has 5 outputs");
  CHECK_THROWS_AS(Target::all().against({1}), Error);
  CHECK_THROWS_AS(Target::from(x).against({1}), Error);
}

TEST_CASE("in [batch, classes, height, width] a position has two numbers, and a target is one of the classes") {
  Shaped net("torch.relu(x)");
  auto x = at::rand({2, 3, 4, 5}, at::kDouble) + 0.5;
  auto expected = at::zeros_like(x);
  expected.select(1, 2).select(1, 1).select(1, 4).copy_(x.select(1, 2).select(1, 1).select(1, 4));
  CHECK(difference(net.run(x, Target(2).at_position({1, -1})).relevance, expected) <= exact);
  auto largest = net.run(x, Target::largest().at_position({0, 0})).relevance;
  CHECK(difference(largest.sum(), std::get<0>(x.select(2, 0).select(2, 0).max(1)).sum()) <= 1e-5);
  CHECK(net.fails(x, Target(2).at_position({1, 5})) ==
        "A0704 position 5 is out of range: the output [2, 3, 4, 5] has 5");
  CHECK(net.fails(x, Target(2).at_position(1)) ==
        "A0704 a position of 1 number is none of the model's output [2, 3, 4, 5]");
}

TEST_CASE("with several inputs, the samples of any of them count") {
  auto model = loaded(script("def forward(self, x, edges):\n  return torch.relu(x)\n"));
  auto x = at::rand({5, 3}, at::kDouble);
  auto found = attribute(model, entries("any => base"), Tensors{x, at::zeros({2, 7}, at::kLong)}, 1);
  CHECK(found.sample_dimension == 0);
}

}  // namespace
}  // namespace test
