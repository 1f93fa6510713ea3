// What an attribution is warned of: what is no mistake, and hardly meant.
#include <torch/csrc/autograd/custom_function.h>

#include "ascribe/host_model.hpp"
#include "tests/attach/scripts.hpp"

using namespace ascribe;
using test::random;

namespace {

Model network(const std::string& middle) {
  auto first = test::weights({4, 3}), last = test::weights({2, 4});
  return test::loaded(test::script(
      "def forward(self, x):\n  x = self.first.forward(x)\n  " + middle + "\n  return self.last.forward(x)\n", {},
      {{"first", test::linear_script(first.weight, first.bias)},
       {"last", test::linear_script(last.weight, last.bias)}}));
}

std::vector<std::string> codes(const Model& model, const std::string& entries) {
  std::vector<std::string> out;
  for (auto& each : attribute(model, test::entries(entries), random({3, 3}), Target::all()).warnings) {
    CHECK((each.severity == Severity::warning));
    CHECK_FALSE(each.help.empty());
    out.push_back(code_name(each.code));
  }
  return out;
}

}  // namespace

TEST_CASE("entries by name that took no layer are warned of") {
  auto model = network("x = torch.relu(x)");
  CHECK(codes(model, "linear \"frist\" => zplus\nany => norm") == std::vector<std::string>{"A0505"});
  CHECK(codes(model, "activation \"first\" => pass\nany => norm") == std::vector<std::string>{"A0505"});
  CHECK(codes(model, "linear \"first\" => zplus\n\"la*\" => norm\nany => norm").empty());
  auto found = attribute(model, test::entries("linear \"frist\" => zplus\nany => norm"), random({3, 3}), Target::all());
  CHECK_THAT(found.warnings.at(0).help, Catch::Contains("first"));
}

TEST_CASE("an operator of several inputs that keeps its gradient is warned of") {
  CHECK(codes(network("x = x * torch.sin(x)"), "linear => epsilon") == std::vector<std::string>{"A0506"});
  CHECK(codes(network("x = x * torch.sin(x)"), "linear => epsilon\nproduct => norm").empty());
  CHECK(codes(network("x = torch.sin(x)"), "linear => epsilon").empty());
  CHECK(codes(network("x = torch.relu(x) + x"), "relu => relu_guided_backprop").empty());  // a gradient is wanted
}

namespace {

struct Tripled : torch::autograd::Function<Tripled> {
  static at::Tensor forward(torch::autograd::AutogradContext*, const at::Tensor& x) { return x.exp(); }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 const torch::autograd::variable_list& above) {
    return {3 * above.at(0)};
  }
};

}  // namespace

TEST_CASE("a function with a derivative of its own is warned of, by its name") {
  auto first = test::weights({4, 3}), last = test::weights({2, 4});
  auto model = host_model({.run =
                               [=](const std::vector<at::Tensor>& inputs) {
                                 auto x = Tripled::apply(at::linear(inputs.at(0), first.weight, first.bias));
                                 return std::vector<at::Tensor>{at::linear(x, last.weight, last.bias)};
                               },
                           .tensors = {{"first.weight", first.weight}, {"last.weight", last.weight}}});
  auto found = attribute(model, test::entries("linear => epsilon"), random({3, 3}), Target::all());
  REQUIRE(found.warnings.size() == 1);
  CHECK(code_name(found.warnings[0].code) == std::string("A0506"));
  CHECK_THAT(found.warnings[0].message, Catch::Contains("Tripled'"));
}

TEST_CASE("an attachment warns of what it has seen so far") {
  auto first = test::weights({4, 3}), last = test::weights({2, 4});
  auto told = [&](const std::string& entries, auto&& middle) {
    auto x = Tripled::apply(random({3, 3}).requires_grad_());  // nothing of the model's
    auto attached =
        attach(test::entries(entries), HostModel{.tensors = {{"first", first.weight}, {"last", last.weight}}});
    CHECK(attached.warnings().empty());
    at::linear(middle(at::linear(x, first.weight, first.bias)), last.weight, last.bias).sum().backward();
    std::vector<std::string> out;
    for (auto& each : attached.warnings()) {
      CHECK((each.severity == Severity::warning));
      out.push_back(code_name(each.code));
    }
    return out;
  };
  using Codes = std::vector<std::string>;
  auto relu = [](const at::Tensor& x) { return x.relu(); };
  CHECK(told("linear => epsilon", relu).empty());
  CHECK(told("linear => epsilon\nlinear \"frist\" => zplus", relu) == Codes{"A0505"});
  CHECK(told("convolution => epsilon\nconvolution \"frist\" => zplus", relu) == Codes{"A0610"});
  CHECK(told("linear => epsilon", [](const at::Tensor& x) { return Tripled::apply(x); }) == Codes{"A0506"});
  CHECK(told("linear => epsilon", [](const at::Tensor& x) {
          return Tripled::apply(x).view({3, 4});
        }) == Codes{"A0506"});
  auto scale = random({4}).requires_grad_();  // of what is no data, it is nobody's concern
  CHECK(told("linear => epsilon\nproduct => norm", [&](const at::Tensor& x) {
          return x * Tripled::apply(scale).detach();
        }).empty());
}

TEST_CASE("a softmax at the end is warned of, one within the model is not") {
  auto weights = test::weights({4, 3});
  auto ends = test::loaded(test::script("def forward(self, x):\n  return torch.softmax(self.fc.forward(x), 1)\n", {},
                                        {{"fc", test::linear_script(weights.weight, weights.bias)}}));
  CHECK(codes(ends, "linear => epsilon") == std::vector<std::string>{"A0507"});
  CHECK(codes(ends, "linear => epsilon\nsoftmax => pass").empty());
  CHECK(codes(network("x = torch.softmax(x, 1)"), "linear => epsilon").empty());
}

TEST_CASE("a sum of everything within a saved model is one of its layers") {
  auto model = test::loaded(test::script("def forward(self, x):\n  return torch.relu(x).sum().reshape([1, 1]) * 2\n"));
  auto mean = test::loaded(test::script("def forward(self, x):\n  return torch.relu(x).mean().reshape([1, 1]) * 2\n"));
  auto x = at::tensor({0.5, -1.0, 2.0, 0.25}, at::kDouble).view({1, 4});
  for (auto& each : {model, mean}) {
    auto found = attribute(each, test::entries("any => base"), x, Target::all());
    CHECK(found.report.size() == 3);
    CHECK(test::difference(found.relevance.sum(), found.output.sum()) <= 1e-5);
    CHECK(test::difference(found.relevance, x.relu() / x.relu().sum() * found.output.sum()) <= 1e-5);
  }
}

TEST_CASE("of several outputs, the one that is explained is looked at") {
  auto weights = test::weights({4, 3});
  auto model =
      test::loaded(test::script("def forward(self, x):\n  y = self.fc.forward(x)\n"
                                "  return torch.softmax(y, 1), torch.relu(y)\n",
                                {}, {{"fc", test::linear_script(weights.weight, weights.bias)}}));
  auto warned = [&](std::size_t output) {
    return attribute(model, test::entries("linear => epsilon"), random({2, 3}), Target::all().of_output(output))
        .warnings;
  };
  REQUIRE(warned(0).size() == 1);
  CHECK((warned(0)[0].code == Code::explained_softmax));
  CHECK(warned(1).empty());
}

TEST_CASE("numbers that an index gathers in one place are a sum, and no padding") {
  auto model =
      test::loaded(test::script("def forward(self, x):\n"
                                "  z = torch.zeros([2, 3], dtype=x.dtype)\n"
                                "  return torch.index_put(z, [torch.tensor([0, 1, 0])], x, True) * 2\n"));
  auto found = attribute(model, test::entries("scale => norm"), random({3, 3}), Target::all());
  CHECK(found.report.at(0).kind == "index_put");
  CHECK(found.report.at(0).rule == "gradient");
}

TEST_CASE("relevance that padding or constants took is warned of, and the sums add up") {
  auto weights = test::weights({2, 6});
  auto pads = test::loaded(
      test::script("def forward(self, x):\n  return self.fc.forward(torch.constant_pad_nd(x, [1, 2], 0.5))\n", {},
                   {{"fc", test::linear_script(weights.weight, weights.bias)}}));
  auto x = random({3, 3});
  auto found = attribute(pads, test::entries("linear => flat"), x, Target::all());
  REQUIRE(found.warnings.size() == 1);
  CHECK((found.warnings[0].code == Code::cut_off));
  auto sum = found.relevance.sum().item<double>();
  for (auto& row : found.report) sum += *row.above - *row.below;
  CHECK(std::abs(sum - found.output.sum().item<double>()) <= 1e-9);
  auto nothing = test::loaded(
      test::script("def forward(self, x):\n  return self.fc.forward(torch.constant_pad_nd(x, [1, 2], 0))\n", {},
                   {{"fc", test::linear_script(weights.weight, weights.bias)}}));
  CHECK(attribute(nothing, test::entries("linear => epsilon"), x, Target::all()).warnings.empty());
}

TEST_CASE("relevance that is not finite is warned of, by the first layer below which it is not") {
  auto by = [](const std::string& middle) { return codes(network(middle), "linear => epsilon\nany => norm"); };
  CHECK(by("x = x * 2").empty());
  CHECK(by("x = x * float(\"inf\")") == std::vector<std::string>{"A0503"});
  auto found = attribute(network("x = x * float(\"inf\")"), test::entries("linear => epsilon\nany => norm"),
                         random({3, 3}), Target::all());
  CHECK_THAT(found.warnings.at(0).message, Catch::Contains("first below layer 'last', rule `epsilon("));
  auto gaps = attribute(network("x = x * 2"), test::entries("linear => epsilon\nany => norm"),
                        random({3, 3}) * std::numeric_limits<double>::quiet_NaN(), Target::all());
  CHECK_THAT(gaps.warnings.at(0).message, Catch::Contains("for the input holds a value that is not"));
}

TEST_CASE("what is written into a tensor is accounted for") {
  auto x = random({3, 3});
  const std::vector<std::pair<std::string, bool>> written{
      {"x[:, 0] = 0.5", true},
      {"z = torch.full([3, 6], 0.5).to(x)\n  z[:, 1:5] = x\n  x = z[:, 1:5] + z[:, 0:4]", true},
      {"y = x.exp()\n  x[:, 1:3] *= y[:, 0:2]", false},
      {"x.exp_()", false},
      {"x.mul_(torch.exp(x))", false},
      {"y = x.exp()\n  x *= 0.5\n  x = x + y\n  x.addcmul_(y, y)", false},
      {"x = x.masked_fill(x > 0, 0.5)", true},
      {"x = torch.where(x.flip([1]) > 0, x, 0.5)", true},
  };
  for (auto& [line, cuts] : written) {
    INFO(line);
    auto found = attribute(network(line), test::entries("linear => flat\nadd => norm"), x, Target::all());
    auto sum = found.relevance.sum().item<double>(), largest = 1.0;
    for (auto& row : found.report) {
      INFO(row.name);
      REQUIRE(row.above.has_value());
      REQUIRE(row.below.has_value());
      sum += *row.above - *row.below;
      largest = std::max({largest, std::abs(*row.above), std::abs(*row.below)});
    }
    CHECK(std::abs(sum - found.output.sum().item<double>()) <= 1e-9 * largest);
    auto warned = std::any_of(found.warnings.begin(), found.warnings.end(),
                              [](auto& each) { return each.code == Code::cut_off; });
    CHECK(warned == cuts);
  }
}

TEST_CASE("a quotient that keeps its gradient tells what both of its inputs got") {
  auto found = attribute(network("x = torch.sin(x) / (2 + torch.cos(x))"), test::entries("linear => zplus"),
                         random({3, 3}), Target::all());
  double sum = found.relevance.sum().item<double>();
  for (auto& row : found.report) sum += row.above.value() - row.below.value();
  CHECK(std::abs(sum - found.output.sum().item<double>()) <= 1e-9);
}

TEST_CASE("what ends at an embedding that looks up numbers of a floating input is told") {
  auto weights = test::weights({2, 6});
  auto model = test::loaded(
      test::script("def forward(self, x):\n  e = torch.embedding(self.table, x[:, 0].long())\n"
                   "  return self.fc.forward(torch.cat([e, x], 1))\n",
                   {{"table", random({4, 3})}}, {{"fc", test::linear_script(weights.weight, weights.bias)}}));
  auto x = at::tensor({2.0, 0.5, -1.0, 3.0, -0.3, 0.8}, at::kDouble).view({2, 3});
  auto found = attribute(model, test::entries("linear => epsilon\nany => base"), x, Target::all());
  double sum = found.relevance.sum().item<double>();
  for (auto& row : found.report) sum += row.above.value() - row.below.value();
  CHECK(std::abs(sum - found.output.sum().item<double>()) <= 1e-9);
  REQUIRE(found.warnings.size() == 1);
  CHECK_THAT(found.warnings[0].message, Catch::Contains("(embedding)"));
}

TEST_CASE("a state that a model keeps is its own, also where it requires a gradient") {
  auto weights = test::weights({4, 3}), other = test::weights({4, 3});
  auto module = test::script("def same(self, x):\n  return x\n", {},
                             {{"first", test::linear_script(weights.weight, weights.bias)},
                              {"second", test::linear_script(other.weight, other.bias)}});
  module.register_attribute("state", c10::TensorType::get(), random({3, 3}).requires_grad_());
  module.define("def forward(self, x):\n  return self.first.forward(x) + self.second.forward(self.state)\n");
  auto found =
      attribute(test::loaded(module), test::entries("linear => epsilon\nany => base"), random({3, 3}), Target::all());
  REQUIRE(found.report.size() == 2);  // what is computed from the state alone is no layer
  double sum = found.relevance.sum().item<double>();
  for (auto& row : found.report) sum += row.above.value() - row.below.value();
  CHECK(std::abs(sum - found.output.sum().item<double>()) <= 1e-9);
}

TEST_CASE("an operator that writes where a derivative still needs the numbers is told in the model's terms") {
  try {
    (void)attribute(network("x[:, 1:3] *= x[:, 0:2].sin()"), test::entries("linear => flat"), random({3, 3}),
                    Target::all());
    FAIL("it cannot be explained");
  } catch (const Error& error) {
    CHECK_THAT(error.diagnostics().front().message, Catch::Contains("writes into a tensor"));
    CHECK_THAT(error.diagnostics().front().message, !Catch::Contains("anomaly"));
    CHECK_THAT(error.diagnostics().front().help, Catch::Contains("torch.export"));
  }
}

TEST_CASE("a model of whose layers none has an entry is told what would be one") {
  auto model = test::loaded(test::script("def forward(self, x):\n  return torch.sin(x)\n"));
  try {
    (void)attribute(model, Pack::standard().composite("epsilon_plus"), random({3, 3}), Target::all());
    FAIL("nothing was refused");
  } catch (const Error& error) {
    auto& first = error.diagnostics().front();
    CHECK((first.code == Code::no_layer_matched));
    CHECK_THAT(first.help, Catch::Contains("operator => gradient"));
  }
}
