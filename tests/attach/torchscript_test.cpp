// Saved models: TorchScript files of every shape, and files that are none.
#include "tests/attach/scripts.hpp"

#include <c10/core/InferenceMode.h>
#include <c10/core/impl/COW.h>
#include <caffe2/serialize/inline_container.h>
#include <sys/stat.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include "interpreter/attach/attachment.hpp"
#include "interpreter/model/model_state.hpp"

namespace ascribe::test {
namespace {

at::Tensor random(at::IntArrayRef shape) { return at::randn(shape, at::kDouble); }

at::Tensor linear_of(const Tensors& x, const Tensors& t) { return at::linear(x[0], t[0], t[1]); }
at::Tensor conv_of(const Tensors& x, const Tensors& t) { return at::conv2d(x[0], t[0], t[1]); }
at::Tensor relu_of(const Tensors& x, const Tensors&) { return at::relu(x[0]); }
at::Tensor flat_of(const Tensors& x, const Tensors&) { return x[0].flatten(1); }

// A pair of weight and bias.
struct Weights {
  at::Tensor weight, bias;
  Parameters both() const { return {{"weight", weight}, {"bias", bias}}; }
};
Weights weights(at::IntArrayRef shape) { return {random(shape), random({shape[0]})}; }

Composite epsilon_plus() { return Pack::standard().composite("epsilon_plus"); }

// What a TorchScript computation yields under epsilon_plus, and a composite that also needs the layers' own values.
void equals(
    const Model& model, const at::Tensor& x,
    const std::function<std::vector<Step>(const Rule& conv, const Rule& linear, const Rule& activation)>& steps) {
  CHECK(difference(attributed(model, epsilon_plus(), x).relevance,
                   layer_by_layer(steps(rule("zplus"), rule("epsilon"), rule("pass")), x).relevance) <= exact);
  std::string text = R"(
    rule gated { map = if layer.y > 0 then R / stabilize(y, 0.1) else 0.3 * R }
    rule shaped { backward = R * y + 0.1 * x }
    composite c { convolution, linear => gated; activation => shaped; any => base })";
  auto pack = Pack::parse(text);
  CHECK(difference(attributed(model, composite(text), x).relevance,
                   layer_by_layer(steps(pack.rule("gated"), pack.rule("gated"), pack.rule("shaped")), x).relevance) <=
        exact);
}

// ---------------------------------------------------------------------------------------------- what models compute

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
        std::vector<std::string>{"inner.part linear epsilon", "inner relu pass", "inner.part linear epsilon",
                                 "inner relu pass", "inner tanh pass", "sigmoid#1 sigmoid pass"});
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
  Outcome found;
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
  Outcome found;
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

// -------------------------------------------------------------------------------------------------------- mistakes

TEST_CASE("an error that a rule makes at a layer of a saved model is that error") {
  at::manual_seed(10);
  auto part = weights({3, 2, 2, 2});
  auto model = loaded(sequence({conv_script(part.weight, part.bias), relu_script()}));
  auto x = random({2, 2, 4, 4});
  auto fails = [&](const Composite& rules, const at::Tensor& in) {
    return failure([&] { attribute(model, rules, in, Target::from(random({2, 3, 3, 3}))); });
  };
  CHECK(fails(entries("relu => refuse"), x) == "A0602 layer '1' (relu) is refused by the rules");
  CHECK(fails(entries("convolution => pass"), x) ==
        "A0601 layer '0' (conv2d), rule `pass`: `backward` mixes input and output, but the layer does not keep its "
        "shape");
  CHECK(fails(epsilon_plus(), x[0]) == "A0604 layer '0' (conv2d): its input has 3 dimensions, without a batch");
  auto training = loaded(
      script("def forward(self, x):\n  return torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-05, False)\n"));
  CHECK(failure([&] { attribute(training, epsilon_plus(), x); }).starts_with("A0605"));
  try {
    attribute(model, entries("relu => refuse"), x);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(std::string(error.what()) ==
          "error[A0602]: layer '1' (relu) is refused by the rules\n"
          " --> test.rule:2:1\n"
          "2 | relu => refuse\n"
          "  | ^^^^^^^^^^^^^^ by this entry\n"
          "  = help: give it a rule of its own in an entry above");
  }
}

TEST_CASE("what fails in a model is told in one line, and leaves the thread clean") {
  at::manual_seed(10);
  auto part = weights({3, 4});
  auto model = loaded(script("def forward(self, x):\n  return self.part.forward(x)\n", {},
                             {{"part", linear_script(part.weight, part.bias)}}));
  CHECK(failure([&] {
          model.forward(random({2, 5}));
        }) ==
        "A0609 the model cannot run on an input of shape [2, 5]: mat1 and mat2 shapes cannot be multiplied (2x5 and "
        "4x3)");
  CHECK(failure([&] {
          attribute(model, epsilon_plus(), random({2, 5}));
        }) ==
        "A0609 the model cannot run on an input of shape [2, 5]: mat1 and mat2 shapes cannot be multiplied (2x5 and "
        "4x3)");
  CHECK(attaching::current_module().empty());
  auto raising =
      loaded(script("def forward(self, x):\n  assert x.size(0) < 2, \"one sample at a time\"\n  return x * 2\n"));
  CHECK(failure([&] {
          raising.forward(random({2, 5}));
        }) == "A0609 the model cannot run on an input of shape [2, 5]: one sample at a time");
  auto x = random({2, 4});
  CHECK(difference(attributed(model, epsilon_plus(), x).relevance,
                   layer_by_layer({{rule("epsilon"), linear_of, part.both()}}, x).relevance) <= exact);
}

TEST_CASE("models that do not map one tensor to one tensor are told apart") {
  auto fails = [](const std::string& source) {
    return failure([&] { loaded(script(source)).forward(at::ones({2, 3})); });
  };
  CHECK(fails("def forward(self, x, y):\n  return x + y\n") ==
        "A0701 the model's forward takes 2 arguments; one tensor is supported");
  CHECK(fails("def forward(self):\n  return torch.ones([2])\n") ==
        "A0701 the model's forward takes 0 arguments; one tensor is supported");
  CHECK(fails("def forward(self, x: int):\n  return x + 1\n").starts_with("A0701 the model's forward takes"));
  CHECK(fails("def forward(self, x: List[Tensor]):\n  return x[0]\n").starts_with("A0701 the model's forward takes"));
  CHECK(fails("def forward(self, x):\n  return x, x\n") == "A0701 the model returns a Tuple; one tensor is supported");
  CHECK(fails("def forward(self, x):\n  return [x]\n").starts_with("A0701 the model returns a "));
  CHECK(fails("def forward(self, x):\n  return None\n") == "A0701 the model returns a None; one tensor is supported");
  CHECK(fails("def forward(self, x):\n  return 3\n") == "A0701 the model returns a Int; one tensor is supported");
  CHECK(fails("def other(self, x):\n  return x\n") == "A0701 the model has no `forward`");
}

TEST_CASE("a file is read and nothing else") {
  Folder folder;
  auto part = random({3, 4});
  linear_script(part, random({3})).save(folder / "model.pt");
  auto before = bytes_of(folder / "model.pt");
  auto time = std::filesystem::last_write_time(folder / "model.pt");
  auto model = Model::load(folder / "model.pt");
  attribute(model, epsilon_plus(), random({2, 4}));
  CHECK(bytes_of(folder / "model.pt") == before);
  CHECK(std::filesystem::last_write_time(folder / "model.pt") == time);
  std::filesystem::remove(folder / "model.pt");
  CHECK(attribute(model, epsilon_plus(), random({2, 4})).relevance.defined());  // and it is no longer needed
}

TEST_CASE("files that are no models are errors, each told by its own message") {
  Folder folder;
  auto fails = [&](const std::string& name) {
    auto text = failure([&] { Model::load(folder / name); });
    for (auto prefix = folder.path.string() + "/"; text.find(prefix) != text.npos;)
      text.erase(text.find(prefix), prefix.size());
    return text;
  };
  auto write = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return name;
  };
  CHECK(fails("none.pt") == "A0001 cannot read model 'none.pt': no such file");
  CHECK(fails("none/none.pt") == "A0001 cannot read model 'none/none.pt': no such file");
  std::filesystem::create_directory(folder / "folder.pt");
  CHECK(fails("folder.pt") == "A0001 cannot read model 'folder.pt': it is no file");
  REQUIRE(::mkfifo((folder / "pipe.pt").c_str(), 0600) == 0);
  CHECK(fails("pipe.pt") == "A0001 cannot read model 'pipe.pt': it is no file");
  CHECK(fails(write("empty.pt", "")) == "A0701 model 'empty.pt' is empty");
  CHECK(fails(write("text.pt", "this is no model\n"))
            .starts_with("A0701 'text.pt' is no TorchScript model, or is damaged: "));
  CHECK(fails(write("byte.pt", "P")).starts_with("A0701 'byte.pt' is no TorchScript model, or is damaged: "));
  CHECK(fails(write("zeros.pt", std::string(100000, '\0')))
            .starts_with("A0701 'zeros.pt' is no TorchScript model, or is damaged: "));
  auto saved = torch::jit::pickle_save(at::ones({2, 3}));
  CHECK(fails(write("tensor.pt", {saved.begin(), saved.end()})) == "A0701 'tensor.pt' holds no TorchScript model");
  {
    caffe2::serialize::PyTorchStreamWriter zip(folder / "other.pt");
    zip.writeRecord("letter.txt", "hello", 5);
    zip.writeEndOfFile();
  }
  CHECK(fails("other.pt") == "A0701 'other.pt' holds no TorchScript model");
  // What `zip` makes of a file `a` that holds "hi".
  using namespace std::string_literals;
  auto zip =
      "PK\3\4\24\0\0\0\0\0\0\0!\0\xac*\x93\xd8\2\0\0\0\2\0\0\0\1\0\0\0ahiPK\1\2\24\3\24\0\0\0\0\0\0\0!\0\xac*\x93\xd8\2\0\0\0\2\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\x80\1\0\0\0\0aPK\5\6\0\0\0\0\1\0\1\0/\0\0\0!\0\0\0\0\0"s;
  CHECK(fails(write("zip.pt", zip)).starts_with("A0701 'zip.pt' "));
  CHECK(fails(write("archive.pt", "PK\5\6"s + std::string(18, '\0'))).starts_with("A0701 'archive.pt' "));
}

TEST_CASE("a truncated or damaged model is an error of ours or a model, and nothing else") {
  Folder folder;
  auto whole = bytes_of(digits() / "model.pt");
  REQUIRE(whole.size() > 1000);
  auto outcome = [&](const std::string& bytes) {
    std::ofstream(folder / "model.pt", std::ios::binary | std::ios::trunc) << bytes;
    return failure([&] { attribute(Model::load(folder / "model.pt"), epsilon_plus(), at::ones({1, 1, 8, 8})); });
  };
  REQUIRE(outcome(whole) == "no error");
  for (std::size_t size :
       {std::size_t(1), std::size_t(4), std::size_t(30), std::size_t(100), whole.size() / 4, whole.size() / 2,
        whole.size() * 3 / 4, whole.size() - 100, whole.size() - 22, whole.size() - 1}) {
    INFO(size << " of " << whole.size());
    auto text = outcome(whole.substr(0, size));
    CHECK(text.starts_with("A0701 "));
    CHECK(text.find('\n') == text.npos);
    CHECK(text.find("frame #") == text.npos);
  }
  for (std::size_t i = 0; i < 24; ++i) {
    auto place = whole.size() * i / 24 + i * 7 % 13;
    INFO("byte " << place);
    auto damaged = whole;
    damaged[place] = static_cast<char>(damaged[place] ^ 0x5A);
    auto text = outcome(damaged);
    CHECK(text.find("no Error of ours") == text.npos);
  }
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
  Outcome found;
  CHECK(failure([&] { found = attributed(*model, epsilon_plus(), x); }) == "no error");
  CHECK(difference(found.relevance, layer_by_layer({{rule("epsilon"), linear_of, part.both()}}, x).relevance) <= exact);
}

TEST_CASE("a buffer that a model adds stays as it is: nothing touches its memory") {
  at::manual_seed(12);
  auto buffer = random({4});
  auto model = loaded(script("def forward(self, x):\n  return x + self.shift\n", {}, {}, {{"shift", buffer}}));
  auto held = model.state().graph.module().attr("shift").toTensor();
  auto* memory = held.const_data_ptr();
  attributed(model, entries("add => norm"), random({2, 4}));
  CHECK(!c10::impl::cow::is_cow_data_ptr(held.storage().data_ptr()));
  CHECK(held.const_data_ptr() == memory);
}

// ------------------------------------------------------------------------------------------------------ the example

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
}  // namespace ascribe::test
