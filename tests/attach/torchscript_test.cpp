// Saved models: what TorchScript files compute, layer by layer, and how their layers are called.
#include "interpreter/inside.hpp"
#include "tests/attach/scripts.hpp"

#include <c10/core/InferenceMode.h>
#include <c10/core/impl/COW.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/csrc/jit/passes/freeze_module.h>

#include "interpreter/model/model_state.hpp"
#include "interpreter/model/torchscript.hpp"

namespace test {
using namespace ascribe;
namespace {

TEST_CASE("a scripted model equals its layers one by one, and its modules keep their names") {
  at::manual_seed(1);
  auto one = weights({3, 2, 3, 3}), two = weights({4, 3, 2, 2}), last = weights({5, 16});
  auto features =
      sequence({conv_script(one.weight, one.bias), relu_script(), conv_script(two.weight, two.bias), relu_script()});
  auto model =
      loaded(script("def forward(self, x):\n  return self.classifier.forward(self.features.forward(x).flatten(1))\n",
                    {}, {{"features", features}, {"classifier", linear_script(last.weight, last.bias)}}));
  auto x = random({2, 2, 5, 5});
  equals(model, x, [&](auto& conv, auto& linear, auto& activation) {
    return std::vector<Step>{{conv, conv_of, one.both()}, {activation, relu_of}, {conv, conv_of, two.both()},
                             {activation, relu_of},       {{}, flat_of},         {linear, linear_of, last.both()}};
  });
  CHECK(rows(attributed(model, epsilon_plus(), x).report) ==
        std::vector<std::string>{"features.0 conv2d zplus", "features.1 relu pass", "features.2 conv2d zplus",
                                 "features.3 relu pass", "classifier linear epsilon"});
  // Modules without parameters have names for globs, too.
  CHECK(rows(attributed(model, entries("\"features.1\" => pass; relu \"features.*\" => base"), x).report)[1] ==
        "features.1 relu pass");
}

TEST_CASE("a saved model computes what the file says, bit by bit, with rules and without") {
  at::manual_seed(2);
  auto one = weights({3, 2, 3, 3}), last = weights({5, 27});
  auto module = script(
      "def forward(self, x):\n  h = self.net.forward(x)\n  return self.last.forward(torch.max_pool2d(h, 1).flatten(1) "
      "* 0.5 + 0.1)\n",
      {},
      {{"net", sequence({conv_script(one.weight, one.bias), relu_script()})},
       {"last", linear_script(last.weight, last.bias)}});
  auto x = random({4, 2, 5, 5});
  auto own = module.forward({x}).toTensor();
  auto model = loaded(module);
  CHECK(same_bits(model.forward(x).detach(), own.detach()));
  CHECK(same_bits(attribute(model, epsilon_plus(), x).output, own.detach()));
  CHECK(!attribute(model, epsilon_plus(), x).output.requires_grad());
  at::NoGradGuard no_grad;
  CHECK(same_bits(model.forward(x), own.detach()));
}

TEST_CASE("functional operators on the model's own parameters") {
  at::manual_seed(3);
  auto one = weights({3, 2, 2, 2}), last = weights({4, 27});
  auto model = loaded(
      script(R"(def forward(self, x):
  x = torch.relu(torch.conv2d(x, self.weight, self.bias))
  return torch.linear(x.flatten(1), self.last_weight, self.last_bias)
)",
             {{"weight", one.weight}, {"bias", one.bias}, {"last_weight", last.weight}, {"last_bias", last.bias}}));
  auto x = random({2, 2, 4, 4});
  equals(model, x, [&](auto& conv, auto& linear, auto& activation) {
    return std::vector<Step>{
        {conv, conv_of, one.both()}, {activation, relu_of}, {{}, flat_of}, {linear, linear_of, last.both()}};
  });
  CHECK(names(attributed(model, epsilon_plus(), x).report) ==
        std::vector<std::string>{"conv2d#1", "relu#1", "linear#1"});
}

TEST_CASE("a linear layer written as a product and a sum is one layer in a saved model") {
  at::manual_seed(3);
  auto part = weights({3, 4});
  auto x = random({2, 5, 4});
  for (bool in_place : {false, true})
    for (bool whole_model : {false, true}) {
      INFO(in_place << whole_model);
      auto module = script(
          in_place ? "def forward(self, x):\n  y = torch.matmul(x, self.weight.t())\n  y += self.bias\n  return y\n"
                   : "def forward(self, x):\n  return torch.matmul(x, self.weight.t()) + self.bias\n",
          part.both());
      auto model = loaded(
          whole_model ? module
                      : script("def forward(self, x):\n  return self.part.forward(x)\n", {}, {{"part", module}}));
      auto found = attributed(model, entries("linear => epsilon; add => norm"), x);
      CHECK(difference(found.relevance, layer_by_layer({{rule("epsilon"), linear_of, part.both()}}, x).relevance) <=
            exact);
      CHECK(names(found.report) == std::vector<std::string>{whole_model ? "linear#1" : "part"});
    }
}

TEST_CASE("every way to write a convolution is a convolution") {
  at::manual_seed(4);
  auto part = weights({4, 2, 3, 3});
  auto turned = random({4, 2, 3, 3}), turned_bias = random({4});
  auto x = random({2, 2, 5, 5});
  auto check = [&](const std::string& text, const std::string& kind, const Function& f, const at::Tensor& input,
                   const at::Tensor& weight, const at::Tensor& bias) {
    INFO(text);
    auto model = loaded(script("def forward(self, x):\n  return " + text + "\n", {{"weight", weight}, {"bias", bias}}));
    auto found = attributed(model, Composite(rule("zplus")), input);
    CHECK(difference(found.relevance,
                     layer_by_layer({{rule("zplus"), f, {{"weight", weight}, {"bias", bias}}}}, input).relevance) <=
          exact);
    CHECK(rows(found.report) == std::vector<std::string>{kind + "#1 " + kind + " zplus"});
  };
  check(
      "torch.conv2d(x, self.weight, self.bias, [2, 1], [1, 0])", "conv2d",
      [](auto& in, auto& t) {
        return at::conv2d(in[0], t[0], t[1], {2, 1}, {1, 0});
      },
      x, part.weight, part.bias);
  check(
      "torch.conv2d(x, self.weight, self.bias, padding=\"same\")", "conv2d",
      [](auto& in, auto& t) { return at::conv2d(in[0], t[0], t[1], 1, 1); }, x, part.weight, part.bias);
  check("torch.convolution(x, self.weight, self.bias, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)", "conv2d", conv_of, x,
        part.weight, part.bias);
  check(
      "torch._convolution(x, self.weight, self.bias, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, False, False, False, "
      "False)",
      "conv2d", conv_of, x, part.weight, part.bias);
  check("torch._convolution(x, self.weight, self.bias, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, False, False, False)",
        "conv2d", conv_of, x, part.weight, part.bias);
  check(
      "torch._convolution_mode(x, self.weight, self.bias, [1, 1], \"same\", [1, 1], 1)", "conv2d",
      [](auto& in, auto& t) { return at::conv2d(in[0], t[0], t[1], 1, 1); }, x, part.weight, part.bias);
  check(
      "torch.conv_transpose2d(x, self.weight, self.bias, [2, 2])", "conv_transpose2d",
      [](auto& in, auto& t) { return at::conv_transpose2d(in[0], t[0], t[1], 2); }, random({2, 4, 3, 3}), turned,
      random({2}));
  check(
      "torch._convolution(x, self.weight, self.bias, [2, 2], [0, 0], [1, 1], True, [0, 0], 1, False, False, False, "
      "False)",
      "conv_transpose2d", [](auto& in, auto& t) { return at::conv_transpose2d(in[0], t[0], t[1], 2); },
      random({2, 4, 3, 3}), turned, random({2}));
  check(
      "torch.conv1d(x, self.weight, self.bias)", "conv1d",
      [](auto& in, auto& t) { return at::conv1d(in[0], t[0], t[1]); }, random({2, 3, 6}), random({4, 3, 2}),
      turned_bias);
  check(
      "torch.conv3d(x, self.weight, self.bias)", "conv3d",
      [](auto& in, auto& t) { return at::conv3d(in[0], t[0], t[1]); }, random({2, 2, 3, 3, 3}), random({4, 2, 2, 2, 2}),
      turned_bias);
}

TEST_CASE("a module used twice is two calls with one name") {
  at::manual_seed(5);
  auto part = weights({4, 4});
  auto model =
      loaded(script("def forward(self, x):\n  return self.part.forward(self.act.forward(self.part.forward(x)))\n", {},
                    {{"part", linear_script(part.weight, part.bias)}, {"act", relu_script()}}));
  auto x = random({3, 4});
  equals(model, x, [&](auto&, auto& linear, auto& activation) {
    return std::vector<Step>{{linear, linear_of, part.both()}, {activation, relu_of}, {linear, linear_of, part.both()}};
  });
  CHECK(names(attributed(model, epsilon_plus(), x).report) == std::vector<std::string>{"part", "act", "part"});
}

// Knows one function, as a file knows those of `torch.nn.functional`.
struct FunctionResolver : torch::jit::Resolver {
  std::shared_ptr<torch::jit::CompilationUnit> unit = std::make_shared<torch::jit::CompilationUnit>();
  FunctionResolver() {
    unit->define(c10::QualifiedName("__torch__"),
                 "def bent(x, weight, bias):\n  return torch.relu(torch.linear(x, weight, bias))\n",
                 torch::jit::nativeResolver(), nullptr);
  }
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(const std::string& name, torch::jit::GraphFunction& m,
                                                         const torch::jit::SourceRange& loc) override {
    if (name == "bent")
      return std::make_shared<torch::jit::FunctionValue>(
          torch::jit::StrongFunctionPtr(unit, unit->find_function(c10::QualifiedName("__torch__.bent"))));
    return torch::jit::nativeResolver()->resolveValue(name, m, loc);
  }
};

TEST_CASE("functions that are called are part of the module that calls them") {
  at::manual_seed(6);
  auto part = weights({4, 4});
  static auto resolver = std::make_shared<FunctionResolver>();
  torch::jit::Module module(c10::QualifiedName("__torch__.Bent"));
  module.register_parameter("weight", part.weight.clone().requires_grad_(), false);
  module.register_parameter("bias", part.bias.clone().requires_grad_(), false);
  module.define("def forward(self, x):\n  return bent(bent(x, self.weight, self.bias), self.weight, self.bias)\n",
                resolver);
  auto model = loaded(script("def forward(self, x):\n  return self.inner.forward(x)\n", {}, {{"inner", module}}));
  auto x = random({3, 4});
  equals(model, x, [&](auto&, auto& linear, auto& activation) {
    Step layer{linear, linear_of, part.both()}, relu{activation, relu_of};
    return std::vector<Step>{layer, relu, layer, relu};
  });
  CHECK(names(attributed(model, epsilon_plus(), x).report) ==
        std::vector<std::string>{"inner", "inner", "inner", "inner"});
}

TEST_CASE("names follow calls through methods and control flow") {
  at::manual_seed(6);
  auto part = weights({4, 4});
  auto inner = script(R"(
def twice(self, x):
  for i in range(2):
    x = torch.relu(self.part.forward(x))
  return x
def forward(self, x):
  if bool(x.amax() > -1e9):
    y = self.twice(x)
  else:
    y = torch.sigmoid(x)
  return torch.tanh(y)
)",
                      {}, {{"part", linear_script(part.weight, part.bias)}});
  auto model =
      loaded(script("def forward(self, x):\n  return torch.sigmoid(self.inner.forward(x))\n", {}, {{"inner", inner}}));
  auto x = random({3, 4});
  equals(model, x, [&](auto&, auto& linear, auto& activation) {
    Step layer{linear, linear_of, part.both()}, relu{activation, relu_of};
    return std::vector<Step>{layer,
                             relu,
                             layer,
                             relu,
                             {activation, [](auto& in, auto&) { return in[0].tanh(); }},
                             {activation, [](auto& in, auto&) { return in[0].sigmoid(); }}};
  });
  CHECK(rows(attributed(model, epsilon_plus(), x).report) ==
        std::vector<std::string>{"inner amax gradient", "inner.part linear epsilon", "inner relu pass",
                                 "inner.part linear epsilon", "inner relu pass", "inner tanh pass",
                                 "sigmoid#1 sigmoid pass"});
}

TEST_CASE("in-place operators and residual connections in a saved model") {
  at::manual_seed(7);
  auto stem = weights({2, 2, 1, 1}), inner = weights({2, 2, 1, 1});
  auto relu_in_place = script("def forward(self, x):\n  return torch.relu_(x)\n");
  auto model = loaded(script(R"(def forward(self, x):
  identity = self.relu.forward(self.stem.forward(x))
  out = self.inner.forward(identity)
  out += identity
  return self.relu.forward(out)
)",
                             {},
                             {{"stem", conv_script(stem.weight, stem.bias)},
                              {"inner", conv_script(inner.weight, inner.bias)},
                              {"relu", relu_in_place}}));
  auto x = random({2, 2, 3, 3});
  std::string text = R"(
    rule gated { map = if layer.y > 0 then R / stabilize(y, 0.1) else 0.3 * R }
    rule shaped { backward = R * y + 0.1 * x }
    composite c { convolution => gated; relu => shaped; add => norm(0.2) })";
  auto pack = Pack::parse(text);
  auto gated = pack.rule("gated"), shaped = pack.rule("shaped"), norm = rule("norm", {{"epsilon", 0.2}});
  auto found = attributed(model, composite(text), x);
  auto s = at::conv2d(x, stem.weight, stem.bias), identity = at::relu(s),
       out = at::conv2d(identity, inner.weight, inner.bias), sum = out + identity, y = at::relu(sum);
  REQUIRE(same_bits(found.output, y));
  auto shares = through(
      norm, [](auto& in, auto&) { return in[0] + in[1]; }, {out, identity}, {},
      through(shaped, relu_of, {sum}, {}, start(y))[0]);
  auto R = shares[1] + through(gated, conv_of, {identity}, inner.both(), shares[0])[0];
  CHECK(difference(found.relevance,
                   through(gated, conv_of, {x}, stem.both(), through(shaped, relu_of, {s}, {}, R)[0])[0]) <= exact);
  CHECK(names(found.report) == std::vector<std::string>{"stem", "relu", "inner", "add#1", "relu"});
}

TEST_CASE("an in-place ReLU after a linear layer with an input of three dimensions") {
  at::manual_seed(7);
  auto part = weights({3, 4});
  auto model = loaded(
      sequence({linear_script(part.weight, part.bias), script("def forward(self, x):\n  return torch.relu_(x)\n")}));
  auto x = random({2, 5, 4});
  Explained found;
  CHECK(failure([&] { found = attributed(model, epsilon_plus(), x); }) == "no error");
  CHECK(difference(found.relevance,
                   layer_by_layer({{rule("epsilon"), linear_of, part.both()}, {rule("pass"), relu_of}}, x).relevance) <=
        exact);
}

TEST_CASE("a model that begins by writing into its input in place") {
  at::manual_seed(7);
  auto part = weights({3, 4});
  auto x = random({2, 4});
  auto model = loaded(script("def forward(self, x):\n  return self.part.forward(torch.relu_(x))\n", {},
                             {{"part", linear_script(part.weight, part.bias)}}));
  Explained found;
  auto R = start(at::linear(at::relu(x), part.weight, part.bias));
  CHECK(failure([&] { found.relevance = attribute(model, epsilon_plus(), x, Target::from(R)).relevance; }) ==
        "no error");
  CHECK(difference(found.relevance,
                   layer_by_layer({{rule("pass"), relu_of}, {rule("epsilon"), linear_of, part.both()}}, x).relevance) <=
        exact);
}

TEST_CASE("batch norm in a saved model runs in evaluation mode, whatever mode it was saved in") {
  at::manual_seed(8);
  auto mean = random({4}), variance = random({4}).abs() + 0.5, gamma = random({4}), beta = random({4});
  auto module = script(
      "def forward(self, x):\n  return torch.batch_norm(x, self.weight, self.bias, self.mean, self.variance, "
      "self.training, 0.1, 1e-05, False)\n",
      {{"weight", gamma}, {"bias", beta}}, {}, {{"mean", mean}, {"variance", variance}});
  module.train();
  auto model = loaded(script("def forward(self, x):\n  return self.norm.forward(x)\n", {}, {{"norm", module}}));
  auto x = random({3, 4});
  auto found = attributed(model, entries("batch_norm => epsilon"), x);
  Function f = [&](auto& in, auto& t) {
    return at::batch_norm(in[0], t[0], t[1], mean, variance, false, 0.1, 1e-5, false);
  };
  CHECK(difference(found.relevance,
                   layer_by_layer({{rule("epsilon"), f, {{"weight", gamma}, {"bias", beta}}}}, x).relevance) <= exact);
  CHECK(rows(found.report) == std::vector<std::string>{"norm batch_norm epsilon"});
}

TEST_CASE("a frozen model has the same relevance") {
  at::manual_seed(9);
  auto one = weights({3, 2, 2, 2}), last = weights({4, 27});
  auto make = [&](at::ScalarType type) {
    auto module = script("def forward(self, x):\n  return self.last.forward(self.net.forward(x).flatten(1))\n", {},
                         {{"net", sequence({conv_script(one.weight.to(type), one.bias.to(type)), relu_script()})},
                          {"last", linear_script(last.weight.to(type), last.bias.to(type))}});
    module.eval();
    return loaded(torch::jit::freeze_module(module));
  };
  auto x = random({2, 2, 4, 4});
  auto expected = layer_by_layer({{rule("zplus"), conv_of, one.both()},
                                  {rule("pass"), relu_of},
                                  {{}, flat_of},
                                  {rule("epsilon"), linear_of, last.both()}},
                                 x);
  auto frozen = make(at::kFloat);
  auto found = attribute(frozen, epsilon_plus(), x, Target::from(start(expected.output)));
  CHECK(difference(found.relevance, expected.relevance) < 1e-4);
  CHECK(rows(found.report) == std::vector<std::string>{"conv2d#1 conv2d zplus", "relu#1 relu pass",
                                                       "linear#1 linear epsilon"});  // freezing forgets the modules
}

TEST_CASE("a frozen model of float64 keeps its type") {
  at::manual_seed(9);
  auto part = weights({3, 4});
  auto module = linear_script(part.weight, part.bias);
  module.eval();
  auto model = loaded(torch::jit::freeze_module(module));
  CHECK(model.options().dtype() == at::kDouble);
  CHECK(failure([&] { attribute(model, epsilon_plus(), random({2, 4})); }) == "no error");
}

// --------------------------------------------------------------------------------------------------- types and devices

TEST_CASE("a model moved to another device is another model") {
  at::manual_seed(11);
  auto part = weights({3, 4});
  auto model = loaded(linear_script(part.weight, part.bias));
  auto x = random({2, 4});
  auto moved = model.to("cpu");
  CHECK(same_bits(attribute(moved, epsilon_plus(), x).relevance, attribute(model, epsilon_plus(), x).relevance));
  CHECK(failure([&] { model.to("toaster"); }).starts_with("A0705 cannot use device 'toaster': "));
  CHECK(failure([&] { model.to(""); }).starts_with("A0705 cannot use device '': "));
}

TEST_CASE("a model that was loaded in InferenceMode gives relevance outside of it") {
  at::manual_seed(11);
  auto part = weights({3, 4});
  std::optional<Model> model;
  {
    Folder folder;
    linear_script(part.weight, part.bias).save(folder / "model.pt");
    c10::InferenceMode inference;
    model.emplace(Model::load(folder / "model.pt"));
  }
  auto x = random({2, 4});
  Explained found;
  CHECK(failure([&] { found = attributed(*model, epsilon_plus(), x); }) == "no error");
  CHECK(difference(found.relevance, layer_by_layer({{rule("epsilon"), linear_of, part.both()}}, x).relevance) <= exact);
}

TEST_CASE("a buffer that a model adds stays as it is: nothing touches its memory") {
  at::manual_seed(12);
  auto buffer = random({4});
  auto model = loaded(script("def forward(self, x):\n  return x + self.shift\n", {}, {}, {{"shift", buffer}}));
  auto held = Inside::state(model).names->held.at(0);
  auto* memory = held.const_data_ptr();
  attributed(model, entries("add => norm"), random({2, 4}));
  CHECK(!c10::impl::cow::is_cow_data_ptr(held.storage().data_ptr()));
  CHECK(held.const_data_ptr() == memory);
}

// --------------------------------------------------------------------------------------------------------- the example

TEST_CASE("the digits example: names, finite relevance, most of it conserved") {
  auto model = Model::load(digits() / "model.pt");
  at::manual_seed(13);
  auto x = at::rand({3, 1, 8, 8});
  auto found = attribute(model, epsilon_plus(), x);
  CHECK(names(found.report) == std::vector<std::string>{"features.0", "features.1", "features.2", "features.3",
                                                        "features.4", "features.5", "features.6", "features.7",
                                                        "classifier"});
  CHECK(rows(found.report) ==
        std::vector<std::string>{"features.0 conv2d zplus", "features.1 relu pass", "features.2 conv2d zplus",
                                 "features.3 relu pass", "features.4 max_pool2d gradient", "features.5 conv2d zplus",
                                 "features.6 relu pass", "features.7 avg_pool2d norm", "classifier linear epsilon"});
  CHECK(found.relevance.sizes() == x.sizes());
  CHECK(found.relevance.scalar_type() == at::kFloat);
  CHECK(found.relevance.isfinite().all().item<bool>());
  // Activations, pooling and averaging lose nothing; convolutions and the last layer only what their biases take.
  for (std::size_t i : {1u, 3u, 4u, 6u, 7u})
    CHECK(found.report[i].below.value() == Approx(found.report[i].above.value()).epsilon(1e-3));
  for (std::size_t i = 1; i < found.report.size(); ++i)
    CHECK(found.report[i - 1].above.value() == Approx(found.report[i].below.value()).epsilon(1e-4));
  CHECK(found.report.back().above.value() == Approx(found.output.amax(1).sum().item<double>()).epsilon(1e-5));
  CHECK(found.report.front().below.value() == Approx(found.relevance.sum().item<double>()).epsilon(1e-4));
  auto total = found.relevance.sum().item<double>(), started = found.report.back().above.value();
  CHECK(total > 0.2 * started);
  CHECK(total < 2 * started);
}

}  // namespace
}  // namespace test
