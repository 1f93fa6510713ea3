// Layers whose output an entry makes a constant, and what lies behind them.
#include "tests/attach/scripts.hpp"

using namespace ascribe;
using test::random;

namespace {

// Its gate is a linear layer, scaled, and a sigmoid; what it lets through is another linear layer.
Model gated() {
  auto gate = test::weights({4, 3}), value = test::weights({4, 3});
  return test::loaded(test::script(
      "def forward(self, x):\n  g = torch.sigmoid(2 * self.gate.forward(x))\n  return g * self.value.forward(x)\n", {},
      {{"gate", test::linear_script(gate.weight, gate.bias)},
       {"value", test::linear_script(value.weight, value.bias)}}));
}

std::vector<std::string> rules_of(const Report& report) {
  std::vector<std::string> out;
  for (auto& row : report) out.push_back(row.kind + ": " + row.rule);
  return out;
}

}  // namespace

TEST_CASE("layers from which only stopped ones can be reached are behind a stop, and get nothing") {
  auto rules = test::entries("sigmoid => stop\nproduct, linear => norm(1e-9)");
  auto model = gated();
  auto x = random({2, 3});
  CHECK(rules_of(layers(model, rules, {x})) ==
        std::vector<std::string>{"linear: behind a stop", "scale: behind a stop", "sigmoid: stop",
                                 "linear: norm(epsilon = 1e-09)", "scale: gradient"});
  auto report = attribute(model, rules, x, Target::all()).report;
  CHECK(report[0].rule == "behind a stop");
  CHECK_FALSE(report[0].above);
  CHECK(report[2].rule == "stop");
  CHECK(report[3].rule == "norm(epsilon = 1e-09)");
  CHECK(report[3].above);
}

TEST_CASE("where another path leads to a layer before a stop, it has its rule") {
  auto model =
      test::loaded(test::script("def forward(self, x):\n  h = self.first.forward(x)\n  return torch.sigmoid(h) * h\n",
                                {}, {{"first", test::linear_script(random({4, 3}), random({4}))}}));
  auto report =
      attribute(model, test::entries("sigmoid => stop\nlinear, product => norm"), random({2, 3}), Target::all()).report;
  CHECK(report.front().rule == "norm(epsilon = 1e-06)");
  CHECK(report.front().below);
}

TEST_CASE("relevance that stops everywhere is told, with a layer that stops it") {
  try {
    (void)attribute(gated(), test::entries("linear => stop"), random({2, 3}), Target::all());
    FAIL("relevance has arrived");
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Catch::Contains("no relevance reaches the input") && Catch::Contains("cut every path"));
  }
}

TEST_CASE("an activation that is written out is no layer where no input reaches it") {
  auto values = random({4});
  for (auto* written : {"a * torch.sigmoid(a)", "torch.log1p(torch.exp(a))", "a / (1 + torch.abs(a))",
                        "torch.where(a > 0, a, 0.1 * a)"}) {
    INFO(written);
    auto model = test::loaded(test::script(
        std::string("def forward(self, x):\n  a = self.values\n  return self.last.forward(x) + ") + written + "\n",
        {{"values", values}}, {{"last", test::linear_script(random({4, 3}), random({4}))}}));
    auto report = attribute(model, test::entries("any => norm"), random({2, 3}), Target::all()).report;
    CHECK(rules_of(report).size() == 2);  // the linear layer, and the sum
  }
}

TEST_CASE("a packed sequence is refused where it would have to be taken apart") {
  test::Parameters parameters{{"ih", random({12, 4})}, {"hh", random({12, 3})}};
  auto model = test::loaded(
      test::script("def forward(self, x):\n"
                   "  data, sizes = torch._pack_padded_sequence(2 * x, torch.tensor([5, 5]), True)\n"
                   "  h = torch.zeros([1, 2, 3], dtype=x.dtype)\n"
                   "  y, a, b = torch.lstm(data, sizes, [h, h], [self.ih, self.hh], False, 1, 0.0, False, False)\n"
                   "  return a[0]\n",
                   parameters));
  auto x = random({2, 5, 4});
  CHECK(attribute(model, test::entries("scale => norm"), x, Target::all()).relevance.defined());
  try {
    (void)attribute(model, Pack::standard().composite("arras"), x, Target::all());
    FAIL("it was taken apart");
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Catch::Contains("packed sequence") && Catch::Contains("give it a padded batch"));
  }
}

TEST_CASE("a stopped module that gives its own input stops nobody else who reads it") {
  auto model = test::loaded(
      test::script("def forward(self, x):\n  h = self.first.forward(x)\n  return h + self.same.forward(h)\n", {},
                   {{"first", test::linear_script(random({4, 3}), random({4}))},
                    {"same", test::script("def forward(self, x):\n  return x\n")}}));
  auto found =
      attribute(model, test::entries("module \"same\" => stop\nlinear, add => norm"), random({2, 3}), Target::all());
  CHECK(found.relevance.abs().sum().item<double>() > 0);
  CHECK(rules_of(found.report) ==
        std::vector<std::string>{"linear: norm(epsilon = 1e-06)", "module: stop", "add: norm(epsilon = 1e-06)"});
}
