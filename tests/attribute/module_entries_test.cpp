// Modules of a saved model as one layer: `module "…"`, `class "…"`, and a module's whole name alone.
#include <torch/nn/modules/linear.h>

#include "tests/attach/scripts.hpp"

using namespace ascribe;
using test::exact;
using test::random;

namespace {

const char* const smooth = "def forward(self, x):\n  return x * torch.sigmoid(self.slope * x) + 0.1 * torch.sin(x)\n";
at::Tensor smooth_of(const test::Tensors& x, const test::Tensors& theta) {
  return x[0] * (theta[0] * x[0]).sigmoid() + 0.1 * x[0].sin();
}

struct Network {
  test::Weights first = test::weights({4, 3}), last = test::weights({2, 4});
  at::Tensor slope = at::full({}, 1.3, at::kDouble);
  torch::jit::Module act = test::script(smooth, {{"slope", slope}});
  torch::jit::Module module =
      test::script("def forward(self, x):\n  return self.last.forward(self.act.forward(self.first.forward(x)))\n", {},
                   {{"first", test::linear_script(first.weight, first.bias)},
                    {"act", act},
                    {"last", test::linear_script(last.weight, last.bias)}});
  Model model = test::loaded(module);
  at::Tensor x = random({5, 3});
  std::string class_name = act.type()->name()->name();

  // With a rule for the module in the middle, and ε = 1e-6 for the linear ones.
  at::Tensor expected(const Rule& rule) const {
    return test::layer_by_layer({{test::rule("epsilon"), test::linear_of, first.both()},
                                 {rule, smooth_of, {{"slope", slope}}},
                                 {test::rule("epsilon"), test::linear_of, last.both()}},
                                x)
        .relevance;
  }
  test::Explained under(const std::string& entries) const { return test::attributed(model, test::entries(entries), x); }
};

std::string shown(const Report& report) {
  std::string out;
  for (auto& row : report) out += row.name + " " + row.kind + " " + row.rule + "\n";
  return out;
}

}  // namespace

TEST_CASE("a module gets a rule as one layer, by its path, its class, or its whole name") {
  Network it;
  for (auto& selector :
       std::vector<std::string>{"module \"act\"", "module \"a*\"", "class \"" + it.class_name + "\"", "\"act\""})
    for (auto* rule : {"pass", "epsilon", "gradient"}) {
      INFO(selector << " under " << rule);
      auto found = it.under(selector + " => " + rule + "\nlinear => epsilon\nany => refuse");
      INFO(shown(found.report));
      CHECK(test::difference(found.relevance, it.expected(test::rule(rule))) <= exact);
      REQUIRE(found.report.size() == 3);
      CHECK(found.report[1].name == "act");
      CHECK(found.report[1].kind == "module");
    }
}

TEST_CASE("param clauses reach a module's parameters by their names within it") {
  Network it;
  for (std::string doubled : {"doubled { param = 2 * w }", "doubled { param \"slope\" = 2 * w }",
                              "doubled { param [\"bias\", \"slope\"] = 2 * w }",
                              "doubled(chosen: names = [\"slope\"]) { param chosen = 2 * w }"}) {
    INFO(doubled);
    auto pack = Pack::parse("rule " + doubled +
                            "\ncomposite c { module \"act\" => doubled; linear => epsilon; any => refuse }");
    auto found = test::attributed(it.model, pack.composite("c"), it.x);
    CHECK(test::difference(found.relevance, it.expected(test::rule("epsilon"))) > 1e-3);
    CHECK(test::difference(found.relevance, it.expected(Pack::parse("rule d { param = 2 * w }").rule("d"))) <= exact);
  }
}

TEST_CASE("a parameter's name that the module does not have is an error that lists what it has") {
  Network it;
  auto under = [&](const std::string& name) {
    return test::failure([&] {
      test::attributed(
          it.model,
          Pack::parse("rule r { param \"" + name + "\" = 2 * w }\ncomposite c { module \"*\" => r }").composite("c"),
          it.x);
    });
  };
  CHECK(under("first.weight") == "no error");
  CHECK_THAT(under("frist.weight"), Catch::StartsWith("A0601") && Catch::Contains("frist.weight"));
  CHECK_THAT(under("slope"), Catch::StartsWith("A0601") && Catch::Contains("no parameter \"slope\""));
  auto given =
      Pack::parse("rule r(chosen: names) { param chosen = 2 * w }\ncomposite c { module \"*\" => r([\"g\"]) }");
  CHECK_THAT(test::failure([&] { test::attributed(it.model, given.composite("c"), it.x); }),
             Catch::StartsWith("A0601") && Catch::Contains("no parameter \"g\""));
}

TEST_CASE("a stopped module is a constant for all that follows") {
  Network it;
  CHECK_THAT(test::failure([&] { it.under("module \"act\" => stop\nany => epsilon\n"); }),
             Catch::StartsWith("A0701 no relevance reaches the input") && Catch::Contains("'act' (module)"));
}

TEST_CASE("`last` cannot choose modules, and says which to name") {
  Network it;
  auto failure = test::failure([&] { it.under("last class \"" + it.class_name + "\" => pass; any => base"); });
  CHECK_THAT(failure, Catch::StartsWith("A0601 module 'act'"));
}

TEST_CASE("an entry for the whole model takes it, and one within what is taken is told by what") {
  Network it;
  auto whole = attribute(it.model, test::entries("module \"*\" => epsilon"), it.x, Target::all());
  CHECK(whole.warnings.empty());
  CHECK(whole.report.size() == 1);
  auto outer =
      test::loaded(test::script("def forward(self, x):\n  return self.net.forward(x)\n", {}, {{"net", it.module}}));
  auto found =
      attribute(outer, test::entries("module \"net\" => epsilon; module \"net.act\" => pass"), it.x, Target::all());
  REQUIRE(found.warnings.size() == 1);
  CHECK_THAT(found.warnings[0].message, Catch::Contains("is within the module 'net'"));
}

TEST_CASE("of modules within each other, the outer one is the layer") {
  Network it;
  auto whole = test::script("def forward(self, x):\n  return self.net.forward(x)\n", {}, {{"net", it.module}});
  auto model = test::loaded(whole);
  auto found = attribute(model, test::entries("module \"net.act\" => pass\nmodule \"net\" => gradient\nany => refuse"),
                         it.x, Target::all());
  REQUIRE(found.report.size() == 1);
  CHECK(found.report[0].name == "net");
  REQUIRE(found.warnings.size() == 1);  // the inner one was never a layer
  CHECK((found.warnings[0].code == Code::unused_entry));
}

TEST_CASE("refuse and first hold for modules, too") {
  Network it;
  CHECK_THAT(test::failure([&] { (void)it.under("module \"act\" => refuse\nany => norm"); }),
             Catch::StartsWith("A0602"));
  auto twice =
      test::script("def forward(self, x):\n  return self.act.forward(self.act.forward(x))\n", {}, {{"act", it.act}});
  auto found =
      attribute(test::loaded(twice), test::entries("first module \"act\" => pass\nany => norm"), it.x, Target::all());
  CHECK(found.report[0].kind == "module");
  CHECK(found.report.size() > 2);
}

TEST_CASE("a module with several results cannot be a layer, and the message says what can") {
  auto pair = test::script("def forward(self, x):\n  return x * x, x + 1\n");
  auto whole =
      test::script("def forward(self, x):\n  a, b = self.pair.forward(x)\n  return a + b\n", {}, {{"pair", pair}});
  auto model = test::loaded(whole);
  CHECK_THAT(
      test::failure([&] {
        (void)attribute(model, test::entries("module \"pair\" => pass\nany => norm"), random({2, 3}), Target::all());
      }),
      Catch::StartsWith("A0601") && Catch::Contains("pair"));
}

TEST_CASE("an entry whose module or class is nowhere is warned of, with what is near") {
  Network it;
  auto found = attribute(it.model, test::entries("module \"atc\" => pass\nclass \"Nowhere\" => pass\nany => norm"),
                         it.x, Target::all());
  REQUIRE(found.warnings.size() >= 2);
  CHECK((found.warnings[0].code == Code::unused_entry));
  CHECK_THAT(found.warnings[0].help, Catch::Contains("act"));
  CHECK((found.warnings[1].code == Code::unused_entry));
}

TEST_CASE("a model in C++ is told that such entries are for saved ones") {
  torch::nn::Linear model(3, 2);
  CHECK_THAT(test::failure([&] { (void)attach(test::entries("module \"act\" => pass\nany => norm"), model); }),
             Catch::StartsWith("A0701") && Catch::Contains("saved models"));
}
