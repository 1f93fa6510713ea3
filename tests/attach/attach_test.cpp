// Rules on C++ models: what comes out is what the layers yield one by one, and nothing of the model changes.
#include "tests/attach/layers.hpp"

#include <c10/core/InferenceMode.h>
#include <c10/core/impl/COW.h>
#include <torch/nn/functional/activation.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>
#include <torch/nn/modules/rnn.h>

#include <thread>

namespace ascribe::test {
namespace {

namespace nn = torch::nn;

at::Tensor random(at::IntArrayRef shape) { return at::randn(shape, at::kDouble); }
at::Tensor defined(const at::Tensor& each) { return each.defined() ? each.detach() : each; }
at::Tensor bias_of(const Tensors& theta) { return theta.size() > 1 ? theta[1] : at::Tensor(); }

template <typename Layer>
Parameters weight_and_bias(const Layer& layer) {
  return {{"weight", defined(layer->weight)}, {"bias", defined(layer->bias)}};
}

// f of the layers that the tests use most.
at::Tensor linear_of(const Tensors& x, const Tensors& theta) { return at::linear(x[0], theta[0], bias_of(theta)); }
at::Tensor conv_of(const Tensors& x, const Tensors& theta) { return at::conv2d(x[0], theta[0], bias_of(theta)); }
at::Tensor relu_of(const Tensors& x, const Tensors&) { return at::relu(x[0]); }
at::Tensor flat_of(const Tensors& x, const Tensors&) { return x[0].flatten(1); }
at::Tensor relu_in_place(at::Tensor x) { return x.relu_(); }
at::Tensor sum_of(const Tensors& x, const Tensors&) { return x[0] + x[1]; }

template <typename Layer>
Step linear(const std::optional<Rule>& chosen, const Layer& layer) {
  return {chosen, linear_of, weight_and_bias(layer)};
}
template <typename Layer>
Step conv(const std::optional<Rule>& chosen, const Layer& layer) {
  return {chosen, conv_of, weight_and_bias(layer)};
}

// A model whose forward is a function, with whatever modules it uses.
struct Net : nn::Module {
  std::function<at::Tensor(const at::Tensor&)> run;
  at::Tensor forward(const at::Tensor& x) { return run(x); }
  template <typename Holder>
  Holder add(const std::string& name, Holder module) {
    register_module(name, module);
    module->to(at::kDouble);
    return module;
  }
};

// One layer in a Sequential, under four rules, against the layer alone.
template <typename Layer>
void serves(const std::string& what, Layer layer, const at::Tensor& x, const std::string& kind, const Function& f) {
  layer->to(at::kDouble);
  nn::Sequential model(layer);
  auto parameters = weight_and_bias(layer);
  for (auto name : {"epsilon", "zplus", "gamma", "flat"}) {
    INFO(what << " under " << name);
    auto found = attached_run(Composite(rule(name)), model, x);
    auto expected = layer_by_layer({{rule(name), f, parameters}}, x);
    CHECK(difference(found.output, expected.output) <= exact);
    CHECK(difference(found.relevance, expected.relevance) <= exact);
    REQUIRE(found.report.size() == 1);
    auto& row = found.report[0];
    CHECK(row.name == "0");
    CHECK(row.kind == kind);
    CHECK(row.rule == rule(name).description());
    CHECK(at::IntArrayRef(row.shape) == found.output.sizes());
    CHECK(row.above.value() == Approx(start(found.output).sum().item<double>()).margin(1e-9));
    CHECK(row.below.value() == Approx(found.relevance.sum().item<double>()).margin(1e-9));
  }
}

// A parameterless layer, or any function, under a rule that needs its input and output.
void serves_function(const std::string& what, const at::Tensor& x, const std::string& kind, const std::string& entry,
                     const Rule& chosen, const Function& f) {
  INFO(what);
  Net net;
  net.run = [&](const at::Tensor& in) { return f({in}, {}); };
  auto found = attached_run(entries(entry), net, x);
  CHECK(difference(found.relevance, layer_by_layer({{chosen, f}}, x).relevance) <= exact);
  CHECK(rows(found.report) ==
        std::vector{kind + "#1 " + kind + " " + chosen.description().substr(0, chosen.description().find('('))});
}

// Two convolutions with a ReLU between, and a linear layer: what many tests ask questions of.
struct Small : nn::Module {
  Small() {
    at::manual_seed(7);
    features =
        register_module("features", nn::Sequential(nn::Conv2d(2, 3, 3), nn::ReLU(), nn::Conv2d(3, 4, 2), nn::ReLU()));
    classifier = register_module("classifier", nn::Linear(4 * 2 * 2, 5));
    to(at::kDouble);
  }
  at::Tensor forward(const at::Tensor& x) { return classifier(features->forward(x).flatten(1)); }

  Outcome expected(const at::Tensor& x, const std::optional<Rule>& first, const std::optional<Rule>& second,
                   const std::optional<Rule>& last, const std::optional<Rule>& activation = rule("pass")) {
    return layer_by_layer({conv(first, nn::Conv2d(features->ptr<nn::Conv2dImpl>(0))),
                           {activation, relu_of},
                           conv(second, nn::Conv2d(features->ptr<nn::Conv2dImpl>(2))),
                           {activation, relu_of},
                           {{}, flat_of},
                           linear(last, classifier)},
                          x);
  }

  nn::Sequential features{nullptr};
  nn::Linear classifier{nullptr};
};
at::Tensor small_input(std::int64_t batch = 2) {
  at::manual_seed(11);
  return random({batch, 2, 5, 5});
}

Outcome under_epsilon_plus(Small& model, const at::Tensor& x) {
  return model.expected(x, rule("zplus"), rule("zplus"), rule("epsilon"));
}

bool plain_gradient_is_back(Small& model, const at::Tensor& x) {
  static Small untouched;  // the same seed, the same weights; never attached to
  auto expected = [&] {
    attaching::Pause pause;  // attached rules serve whatever runs on this thread
    return plain_run(untouched, x);
  }();
  auto found = plain_run(model, x);
  return same_bits(found.relevance, expected.relevance) && same_bits(found.output, expected.output);
}

// ------------------------------------------------------------------------------------------------- single layers

TEST_CASE("convolutions of one to three dimensions get their rule, strided, dilated, grouped, padded") {
  at::manual_seed(1);
  using nn::Conv1dOptions, nn::Conv2dOptions, nn::Conv3dOptions;
  serves("conv1d", nn::Conv1d(Conv1dOptions(4, 6, 3).stride(2).padding(1).dilation(2).groups(2)), random({2, 4, 9}),
         "conv1d", [](auto& x, auto& t) { return at::conv1d(x[0], t[0], bias_of(t), 2, 1, 2, 2); });
  serves("conv2d", nn::Conv2d(Conv2dOptions(2, 3, {3, 2})), random({2, 2, 6, 5}), "conv2d",
         [](auto& x, auto& t) { return at::conv2d(x[0], t[0], bias_of(t)); });
  serves("conv2d strided, dilated, grouped",
         nn::Conv2d(Conv2dOptions(4, 4, 3).stride({2, 1}).padding({1, 2}).dilation({1, 2}).groups(4)),
         random({2, 4, 7, 6}), "conv2d", [](auto& x, auto& t) {
           return at::conv2d(x[0], t[0], bias_of(t), {2, 1}, {1, 2}, {1, 2}, 4);
         });
  serves("conv2d without bias", nn::Conv2d(Conv2dOptions(2, 3, 2).bias(false)), random({2, 2, 4, 4}), "conv2d",
         [](auto& x, auto& t) { return at::conv2d(x[0], t[0]); });
  serves("conv2d same", nn::Conv2d(Conv2dOptions(2, 3, {3, 2}).padding(torch::kSame)), random({2, 2, 5, 5}), "conv2d",
         [](auto& x, auto& t) { return at::conv2d(x[0], t[0], bias_of(t), 1, c10::string_view("same")); });
  serves("conv1d valid", nn::Conv1d(Conv1dOptions(2, 3, 2).padding(torch::kValid)), random({2, 2, 5}), "conv1d",
         [](auto& x, auto& t) { return at::conv1d(x[0], t[0], bias_of(t)); });
  serves("conv3d", nn::Conv3d(Conv3dOptions(2, 2, 2).stride(2).padding(1)), random({2, 2, 4, 3, 4}), "conv3d",
         [](auto& x, auto& t) { return at::conv3d(x[0], t[0], bias_of(t), 2, 1); });
  serves("conv2d reflect", nn::Conv2d(Conv2dOptions(2, 3, 3).padding(1).padding_mode(torch::kReflect)),
         random({2, 2, 5, 4}), "conv2d", [](auto& x, auto& t) {
           return at::conv2d(at::reflection_pad2d(x[0], {1, 1, 1, 1}), t[0], bias_of(t));
         });
}

TEST_CASE("transposed convolutions get their rule") {
  at::manual_seed(2);
  using nn::ConvTranspose1dOptions, nn::ConvTranspose2dOptions, nn::ConvTranspose3dOptions;
  serves("conv_transpose1d", nn::ConvTranspose1d(ConvTranspose1dOptions(3, 2, 3).stride(2).output_padding(1)),
         random({2, 3, 4}), "conv_transpose1d",
         [](auto& x, auto& t) { return at::conv_transpose1d(x[0], t[0], bias_of(t), 2, 0, 1); });
  serves("conv_transpose2d",
         nn::ConvTranspose2d(ConvTranspose2dOptions(4, 2, 3).stride(2).padding(1).groups(2).dilation(2)),
         random({2, 4, 3, 4}), "conv_transpose2d",
         [](auto& x, auto& t) { return at::conv_transpose2d(x[0], t[0], bias_of(t), 2, 1, 0, 2, 2); });
  serves("conv_transpose3d", nn::ConvTranspose3d(ConvTranspose3dOptions(2, 2, 2).bias(false)), random({2, 2, 3, 2, 2}),
         "conv_transpose3d", [](auto& x, auto& t) { return at::conv_transpose3d(x[0], t[0]); });
}

TEST_CASE("a linear layer with its bias is one layer, whatever the rank of its input") {
  at::manual_seed(3);
  for (auto& x : {random({3, 4}), random({2, 3, 4}), random({2, 2, 3, 4}), random({1, 4}), random({2, 1, 4})}) {
    INFO(x.dim());
    serves("linear", nn::Linear(4, 3), x, "linear", linear_of);
    serves("linear without bias", nn::Linear(nn::LinearOptions(4, 3).bias(false)), x, "linear", linear_of);
    serves("linear to one", nn::Linear(4, 1), x, "linear", linear_of);
  }
}

TEST_CASE("a linear layer that is the whole model is one layer") {
  at::manual_seed(3);
  for (auto& x : {random({3, 4}), random({2, 3, 4})}) {
    INFO(x.dim());
    nn::Linear model(4, 3);
    model->to(at::kDouble);
    auto found = attached_run(entries("linear => epsilon; add => norm"), model, x);
    CHECK(difference(found.relevance, layer_by_layer({linear(rule("epsilon"), model)}, x).relevance) <= exact);
    CHECK(rows(found.report) == std::vector<std::string>{"linear#1 linear epsilon"});
  }
}

TEST_CASE("a linear layer's own output is that with its bias") {
  at::manual_seed(4);
  auto pack = Pack::parse("rule own(scale = 1) { map = if layer.y > 0 then R * scale else 0 }");
  for (auto& x : {random({3, 4}), random({2, 3, 4})}) {
    nn::Linear layer(4, 3);
    layer->to(at::kDouble);
    nn::Sequential model(layer);
    auto found = attached_run(Composite(pack.rule("own")), model, x);
    CHECK(difference(found.relevance, layer_by_layer({linear(pack.rule("own"), layer)}, x).relevance) <= exact);
  }
}

TEST_CASE("a rule that requires a bias meets the bias of a linear layer of any rank") {
  at::manual_seed(4);
  auto pack = Pack::parse("rule with_bias { require has(\"bias\"); param \"bias\" = 0; map = R / stabilize(y) }");
  for (auto& x : {random({3, 4}), random({2, 3, 4})}) {
    INFO(x.dim());
    nn::Linear layer(4, 3);
    layer->to(at::kDouble);
    nn::Sequential model(layer);
    CHECK(failure([&] {
            auto found = attached_run(Composite(pack.rule("with_bias")), model, x);
            CHECK(difference(found.relevance, layer_by_layer({linear(pack.rule("with_bias"), layer)}, x).relevance) <=
                  exact);
          }) == "no error");
    nn::Sequential bare(nn::Linear(nn::LinearOptions(4, 3).bias(false)));
    bare->to(at::kDouble);
    CHECK(failure([&] { attached_run(Composite(pack.rule("with_bias")), bare, x); }).starts_with("A0601"));
  }
}

TEST_CASE("a linear layer that no entry is for keeps its gradient, bias and all") {
  at::manual_seed(5);
  for (auto& x : {random({3, 4}), random({2, 3, 4})}) {
    INFO(x.dim());
    nn::Linear layer(4, 3);
    layer->to(at::kDouble);
    nn::Sequential model(layer);
    auto found = attached_run(entries("add => norm; convolution => epsilon"), model, x);
    CHECK(same_bits(found.relevance, plain_run(model, x).relevance));
    CHECK(rows(found.report) == std::vector<std::string>{"0 linear gradient"});
  }
}

TEST_CASE("two linear layers may share a weight and differ in bias") {
  at::manual_seed(5);
  auto x = random({2, 3, 4});
  Net net;
  auto one = net.add("one", nn::Linear(4, 4)), two = net.add("two", nn::Linear(4, 4));
  two->weight = one->weight;
  net.run = [&](const at::Tensor& in) { return two(one(in)); };
  auto found = attached_run(entries("linear => epsilon; add => norm(0.5)"), net, x);
  CHECK(difference(found.relevance,
                   layer_by_layer({linear(rule("epsilon"), one), linear(rule("epsilon"), two)}, x).relevance) <= exact);
  CHECK(found.report.size() == 2);
}

TEST_CASE("a linear layer written out with a bias of two dimensions is a linear layer") {
  at::manual_seed(5);
  auto x = random({3, 4});
  Net net;
  auto weight = net.register_parameter("weight", random({3, 4})), bias = net.register_parameter("bias", random({1, 3}));
  net.run = [&](const at::Tensor& in) { return at::addmm(bias, in, weight.t()); };
  auto expected = layer_by_layer({{rule("epsilon"),
                                   [](auto& in, auto& t) { return at::addmm(t[1], in[0], t[0].t()); },
                                   {{"weight", weight}, {"bias", bias}}}},
                                 x);
  CHECK(failure([&] {
          CHECK(difference(attached_run(Composite(rule("epsilon")), net, x).relevance, expected.relevance) <= exact);
        }) == "no error");
}

TEST_CASE("activations get their rule") {
  at::manual_seed(6);
  auto x = random({3, 4, 2}) * 2;
  auto shaped = Pack::parse("rule shaped { backward = R * x + 0.5 * y * grad }").rule("shaped");
  auto check = [&](const std::string& kind, const Function& f) {
    INFO(kind);
    Net net;
    net.run = [&](const at::Tensor& in) { return f({in}, {}); };
    auto rules = composite("rule shaped { backward = R * x + 0.5 * y * grad }\ncomposite c { activation => shaped }");
    auto found = attached_run(rules, net, x);
    CHECK(difference(found.relevance, layer_by_layer({{shaped, f}}, x).relevance) <= exact);
    CHECK(rows(found.report) == std::vector{kind + "#1 " + kind + " shaped"});
    // In base, every activation passes relevance on.
    CHECK(same_bits(attached_run(Pack::standard().composite("base"), net, x).relevance, start(f({x}, {}))));
  };
  check("relu", [](auto& in, auto&) { return nn::ReLU()->forward(in[0]); });
  check("relu6", [](auto& in, auto&) { return nn::ReLU6()->forward(in[0]); });
  check("relu6",
        [](auto& in, auto&) { return nn::Hardtanh(nn::HardtanhOptions().min_val(0).max_val(6))->forward(in[0]); });
  check("hardtanh", [](auto& in, auto&) { return nn::Hardtanh()->forward(in[0]); });
  check("leaky_relu",
        [](auto& in, auto&) { return nn::LeakyReLU(nn::LeakyReLUOptions().negative_slope(0.3))->forward(in[0]); });
  check("rrelu", [](auto& in, auto&) { return at::rrelu(in[0], 0.1, 0.3, false); });
  check("elu", [](auto& in, auto&) { return nn::ELU()->forward(in[0]); });
  check("selu", [](auto& in, auto&) { return nn::SELU()->forward(in[0]); });
  check("celu", [](auto& in, auto&) { return nn::CELU(nn::CELUOptions().alpha(0.7))->forward(in[0]); });
  check("gelu", [](auto& in, auto&) { return nn::GELU()->forward(in[0]); });
  check("gelu", [](auto& in, auto&) { return nn::GELU(nn::GELUOptions().approximate("tanh"))->forward(in[0]); });
  check("silu", [](auto& in, auto&) { return nn::SiLU()->forward(in[0]); });
  check("mish", [](auto& in, auto&) { return nn::Mish()->forward(in[0]); });
  check("sigmoid", [](auto& in, auto&) { return nn::Sigmoid()->forward(in[0]); });
  check("log_sigmoid", [](auto& in, auto&) { return nn::LogSigmoid()->forward(in[0]); });
  check("tanh", [](auto& in, auto&) { return nn::Tanh()->forward(in[0]); });
  check("softplus", [](auto& in, auto&) { return nn::Softplus()->forward(in[0]); });
  check("threshold", [](auto& in, auto&) { return nn::Threshold(0.1, 20)->forward(in[0]); });
  check("hardswish", [](auto& in, auto&) { return at::hardswish(in[0]); });
  check("hardsigmoid", [](auto& in, auto&) { return at::hardsigmoid(in[0]); });
  check("hardshrink", [](auto& in, auto&) { return nn::Hardshrink()->forward(in[0]); });
  check("softshrink", [](auto& in, auto&) { return nn::Softshrink()->forward(in[0]); });
}

TEST_CASE("prelu is an activation with a weight and a name") {
  at::manual_seed(6);
  auto x = random({3, 4, 2});
  nn::PReLU layer(nn::PReLUOptions().num_parameters(4));
  layer->to(at::kDouble);
  nn::Sequential model(layer);
  auto rules = composite(
      "rule half { param \"weight\" = 0.5 * w; map = R / stabilize(y) }\ncomposite c { prelu \"0\" => half }");
  auto half = Pack::parse("rule half { param \"weight\" = 0.5 * w; map = R / stabilize(y) }").rule("half");
  auto found = attached_run(rules, model, x);
  CHECK(
      difference(found.relevance,
                 layer_by_layer(
                     {{half, [](auto& in, auto& t) { return at::prelu(in[0], t[0]); }, {{"weight", layer->weight}}}}, x)
                     .relevance) <= exact);
  CHECK(rows(found.report) == std::vector<std::string>{"0 prelu half"});
}

TEST_CASE("average pooling shares relevance in proportion") {
  at::manual_seed(8);
  auto norm = rule("norm");
  auto check = [&](const std::string& kind, const at::Tensor& x, const Function& f) {
    serves_function(kind, x, kind, "avg_pool => norm", norm, f);
  };
  check("avg_pool1d", random({2, 3, 6}),
        [](auto& x, auto&) { return nn::AvgPool1d(nn::AvgPool1dOptions(2))->forward(x[0]); });
  check("avg_pool2d", random({2, 3, 5, 6}), [](auto& x, auto&) {
    return nn::AvgPool2d(nn::AvgPool2dOptions(3).stride(2).padding(1).count_include_pad(false))->forward(x[0]);
  });
  check("avg_pool3d", random({2, 2, 4, 4, 4}),
        [](auto& x, auto&) { return nn::AvgPool3d(nn::AvgPool3dOptions(2))->forward(x[0]); });
  check("adaptive_avg_pool1d", random({2, 3, 7}),
        [](auto& x, auto&) { return nn::AdaptiveAvgPool1d(nn::AdaptiveAvgPool1dOptions(3))->forward(x[0]); });
  check("adaptive_avg_pool2d", random({2, 3, 5, 4}), [](auto& x, auto&) {
    return nn::AdaptiveAvgPool2d(nn::AdaptiveAvgPool2dOptions({2, 3}))->forward(x[0]);
  });
  check("adaptive_avg_pool2d", random({2, 3, 5, 4}), [](auto& x, auto&) {
    return nn::AdaptiveAvgPool2d(nn::AdaptiveAvgPool2dOptions({1, 1}))->forward(x[0]);
  });
  check("adaptive_avg_pool3d", random({2, 2, 4, 4, 4}),
        [](auto& x, auto&) { return nn::AdaptiveAvgPool3d(nn::AdaptiveAvgPool3dOptions(2))->forward(x[0]); });
  check("mean", random({2, 3, 4, 4}), [](auto& x, auto&) { return x[0].mean({2, 3}); });
  check("mean", random({2, 3, 4}), [](auto& x, auto&) { return x[0].mean(-1, true); });
}

TEST_CASE("sums over dimensions are a kind of their own") {
  at::manual_seed(8);
  serves_function("sum", random({2, 3, 4}), "sum", "sum => norm; avg_pool => pass", rule("norm"),
                  [](auto& x, auto&) { return x[0].sum({1}); });
}

TEST_CASE("max pooling keeps its gradient") {
  at::manual_seed(9);
  auto check = [&](const std::string& kind, const at::Tensor& x, const Function& f) {
    INFO(kind);
    Net net;
    net.run = [&](const at::Tensor& in) { return f({in}, {}); };
    auto found = attached_run(Pack::standard().composite("epsilon_plus"), net, x);
    CHECK(same_bits(found.relevance, plain_run(net, x).relevance));
    CHECK(rows(found.report) == std::vector{kind + "#1 " + kind + " gradient"});
    CHECK(found.report[0].entry.empty());
    CHECK(found.report[0].above.value() == Approx(start(found.output).sum().item<double>()));
    CHECK(found.report[0].below.value() == Approx(found.relevance.sum().item<double>()));
    // It can have a rule as well.
    auto served = attached_run(entries("max_pool => norm"), net, x);
    CHECK(difference(served.relevance, layer_by_layer({{rule("norm"), f}}, x).relevance) <= exact);
  };
  check("max_pool1d", random({2, 3, 6}),
        [](auto& x, auto&) { return nn::MaxPool1d(nn::MaxPool1dOptions(2))->forward(x[0]); });
  check("max_pool2d", random({2, 3, 5, 6}),
        [](auto& x, auto&) { return nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2).padding(1))->forward(x[0]); });
  check("max_pool3d", random({2, 2, 4, 4, 4}),
        [](auto& x, auto&) { return nn::MaxPool3d(nn::MaxPool3dOptions(2))->forward(x[0]); });
  check("adaptive_max_pool1d", random({2, 3, 7}),
        [](auto& x, auto&) { return nn::AdaptiveMaxPool1d(nn::AdaptiveMaxPool1dOptions(3))->forward(x[0]); });
  check("adaptive_max_pool2d", random({2, 3, 5, 4}), [](auto& x, auto&) {
    return nn::AdaptiveMaxPool2d(nn::AdaptiveMaxPool2dOptions({2, 3}))->forward(x[0]);
  });
  check("adaptive_max_pool3d", random({2, 2, 4, 4, 4}),
        [](auto& x, auto&) { return nn::AdaptiveMaxPool3d(nn::AdaptiveMaxPool3dOptions(2))->forward(x[0]); });
}

TEST_CASE("scaling by a constant is a layer that norm passes relevance through") {
  at::manual_seed(10);
  auto x = random({3, 4}), c = random({4}).abs() + 0.5;
  auto norm = rule("norm");
  auto check = [&](const char* what, const Function& f) {
    serves_function(what, x, "scale", "scale => norm", norm, f);
  };
  check("x * 0.5", [](auto& in, auto&) { return in[0] * 0.5; });
  check("0.5 * x", [](auto& in, auto&) { return 0.5 * in[0]; });
  check("x / 3", [](auto& in, auto&) { return in[0] / 3; });
  check("x * c", [&](auto& in, auto&) { return in[0] * c; });
  check("c * x", [&](auto& in, auto&) { return c * in[0]; });
  check("x / c", [&](auto& in, auto&) { return in[0] / c; });
  Net net;
  net.run = [&](const at::Tensor& in) { return in * in; };
  CHECK(attached_run(entries("any => pass"), net, x).report.empty());  // a product of two branches is none
  net.run = [&](const at::Tensor& in) { return c / in; };
  CHECK(attached_run(entries("any => pass"), net, x).report.empty());
}

TEST_CASE("adding a constant: the constant takes its share") {
  at::manual_seed(10);
  auto x = random({3, 4}), c = random({4}).abs() + 0.5;
  auto check = [&](const char* what, const Function& f) {
    serves_function(what, x, "add", "add => norm", rule("norm"), f);
  };
  check("x + 1.5", [](auto& in, auto&) { return in[0] + 1.5; });
  check("x - 1.5", [](auto& in, auto&) { return in[0] - 1.5; });
  check("1.5 - x", [](auto& in, auto&) { return 1.5 - in[0]; });
  check("x + c", [&](auto& in, auto&) { return in[0] + c; });
  check("c - x", [&](auto& in, auto&) { return c - in[0]; });
  check("x + 2c", [&](auto& in, auto&) { return at::add(in[0], c, 2); });
  check("rsub", [&](auto& in, auto&) { return at::rsub(in[0], c, 0.5); });
}

TEST_CASE("pass goes through the addition of a constant of any shape") {
  at::manual_seed(10);
  auto x = random({3, 4});
  Net net;
  for (auto& c : {at::full({}, 0.5, at::kDouble), random({4}), random({1, 4}), random({3, 4})}) {
    INFO(c.dim());
    net.run = [&](const at::Tensor& in) { return in + c; };
    CHECK(failure([&] {
            auto found = attached_run(entries("add => pass"), net, x);
            CHECK(same_bits(found.relevance, start(found.output)));
          }) == "no error");
  }
}

TEST_CASE("normalisation layers in evaluation mode get their rule") {
  at::manual_seed(12);
  auto x = random({3, 4, 2});
  nn::BatchNorm1d layer(4);
  layer->to(at::kDouble);
  layer->running_mean.copy_(random({4}));
  layer->running_var.copy_(random({4}).abs() + 0.5);
  layer->eval();
  nn::Sequential model(layer);
  auto mean = layer->running_mean, variance = layer->running_var;
  Function f = [&](auto& in, auto& t) {
    return at::batch_norm(in[0], t[0], t[1], mean, variance, false, 0.1, 1e-5, false);
  };
  auto found = attached_run(entries("batch_norm \"0\" => epsilon"), model, x);
  CHECK(difference(found.relevance, layer_by_layer({{rule("epsilon"), f, weight_and_bias(layer)}}, x).relevance) <=
        exact);
  CHECK(rows(found.report) == std::vector<std::string>{"0 batch_norm epsilon"});
}

TEST_CASE("merge acts as pass where there is nothing to merge into, and the report says so") {
  at::manual_seed(12);
  auto x = random({3, 4, 2});
  nn::Sequential model(nn::BatchNorm1d(4));
  model->to(at::kDouble);
  model->eval();
  auto found = attached_run(Pack::standard().composite("base"), model, x);
  CHECK(same_bits(found.relevance, start(found.output)));
  REQUIRE(found.report.size() == 1);
  CHECK(found.report[0].rule == "merge (acts as pass)");
}

// ------------------------------------------------------------------------------------------------------- branches

TEST_CASE("two branches that are added share relevance in proportion") {
  at::manual_seed(13);
  auto x = random({3, 4});
  Net net;
  auto one = net.add("one", nn::Linear(4, 4)), two = net.add("two", nn::Linear(4, 4));
  for (bool in_place : {false, true}) {
    INFO(in_place);
    net.run = [&](const at::Tensor& in) {
      auto a = one(in);
      if (!in_place) return a + two(in);
      a += two(in);
      return a;
    };
    auto found = attached_run(entries("linear => epsilon; add => norm(0.1)"), net, x);
    auto a = one(x).detach(), b = two(x).detach();
    auto shares = through(rule("norm", {{"epsilon", 0.1}}), sum_of, {a, b}, {}, start(a + b));
    auto expected = through(rule("epsilon"), linear_of, {x}, weight_and_bias(one), shares[0])[0] +
                    through(rule("epsilon"), linear_of, {x}, weight_and_bias(two), shares[1])[0];
    CHECK(difference(found.relevance, expected) <= exact);
    CHECK(rows(found.report) == std::vector<std::string>{"one linear epsilon", "two linear epsilon", "add#1 add norm"});
  }
}

TEST_CASE("a residual connection added in place leaves what the layers keep as it was") {
  at::manual_seed(14);
  auto x = random({2, 2, 5, 5});
  // Rules that need the layers' own inputs and outputs, long after both were overwritten.
  std::string text = R"(
    rule gated { map = if layer.y > 0 then R / stabilize(y, 0.1) else 0.3 * R }
    rule shaped { backward = R * y + 0.1 * x }
    composite c { convolution => gated; relu => shaped; add => norm(0.2) })";
  auto pack = Pack::parse(text);
  auto gated = pack.rule("gated"), shaped = pack.rule("shaped"), norm = rule("norm", {{"epsilon", 0.2}});
  for (bool add_into_identity : {false, true}) {
    INFO(add_into_identity);
    Net net;
    auto stem = net.add("stem", nn::Conv2d(2, 2, 1)), inner = net.add("inner", nn::Conv2d(2, 2, 1));
    net.run = [&](const at::Tensor& in) {
      auto identity = stem(in);
      at::relu_(identity);
      auto out = inner(identity);
      auto& sum = add_into_identity ? identity : out;
      sum += add_into_identity ? out : identity;
      return at::relu_(sum);
    };
    auto found = attached_run(pack.composite("c"), net, x);
    at::NoGradGuard no_grad;
    auto s = stem(x), identity = at::relu(s), out = inner(identity), sum = identity + out, y = at::relu(sum);
    REQUIRE(same_bits(found.output, y));
    auto R_sum = through(shaped, relu_of, {sum}, {}, start(y))[0];
    auto shares = through(norm, sum_of, {identity, out}, {}, R_sum);
    auto R_identity = shares[0] + through(gated, conv_of, {identity}, weight_and_bias(inner), shares[1])[0];
    auto R_s = through(shaped, relu_of, {s}, {}, R_identity)[0];
    CHECK(difference(found.relevance, through(gated, conv_of, {x}, weight_and_bias(stem), R_s)[0]) <= exact);
  }
}

TEST_CASE("an in-place ReLU leaves the output of the layer before it to that layer's rule") {
  at::manual_seed(15);
  auto x = random({2, 2, 4, 4});
  std::string text = R"(
    rule gated { map = if layer.y > 0 then R / stabilize(y, 0.1) else 0.3 * R }
    composite c { convolution, linear => gated; activation => pass })";
  auto gated = Pack::parse(text).rule("gated");
  nn::Conv2d layer(2, 3, 2);
  layer->to(at::kDouble);
  nn::Sequential model(layer, nn::ReLU(nn::ReLUOptions(true)));
  CHECK(difference(attached_run(composite(text), model, x).relevance,
                   layer_by_layer({conv(gated, layer), {rule("pass"), relu_of}}, x).relevance) <= exact);

  nn::Linear dense(3, 5);
  dense->to(at::kDouble);
  nn::Sequential last(dense, nn::ReLU(nn::ReLUOptions(true)));
  auto tokens = random({2, 3, 3});
  CHECK(difference(attached_run(composite(text), last, tokens).relevance,
                   layer_by_layer({linear(gated, dense), {rule("pass"), relu_of}}, tokens).relevance) <= exact);
}

TEST_CASE("in-place activations may follow every layer, and none of them changes what is computed") {
  at::manual_seed(15);
  auto check = [&](const std::string& what, const at::Tensor& x, const Function& f) {
    INFO(what);
    Net net;
    net.run = [&](const at::Tensor& in) { return relu_in_place(f({in}, {})); };
    for (auto& rules :
         {entries("any => norm"), entries("activation => pass"), entries("any => norm(0.1); activation => pass")})
      CHECK(failure([&] {
              auto found = attached_run(rules, net, x);
              CHECK(same_bits(found.output, plain_run(net, x).output));
              CHECK(found.relevance.isfinite().all().item<bool>());
            }) == "no error");
  };
  auto weight = random({3, 4}), bias = random({3}), kernel = random({2, 5, 2}), transposed = random({5, 2, 2});
  check("linear of rank 3", random({2, 5, 4}), [&](auto& x, auto&) { return at::linear(x[0], weight, bias); });
  check("linear of rank 3 without bias", random({2, 5, 4}), [&](auto& x, auto&) { return at::linear(x[0], weight); });
  check("matmul", random({2, 5, 4}), [&](auto& x, auto&) { return at::matmul(x[0], weight.t()); });
  check("conv1d", random({2, 5, 4}), [&](auto& x, auto&) { return at::conv1d(x[0], kernel); });
  check("conv1d same", random({2, 5, 4}),
        [&](auto& x, auto&) { return at::conv1d(x[0], kernel, {}, 1, c10::string_view("same")); });
  check("conv_transpose1d", random({2, 5, 4}), [&](auto& x, auto&) { return at::conv_transpose1d(x[0], transposed); });
  check("avg_pool1d", random({2, 5, 4}), [&](auto& x, auto&) { return at::avg_pool1d(x[0], 2); });
  check("adaptive_avg_pool1d", random({2, 5, 4}), [&](auto& x, auto&) { return at::adaptive_avg_pool1d(x[0], 2); });
  check("adaptive_avg_pool2d", random({2, 5, 4, 4}), [&](auto& x, auto&) {
    return at::adaptive_avg_pool2d(x[0], {1, 1});
  });
  check("max_pool1d", random({2, 5, 4}), [&](auto& x, auto&) { return at::max_pool1d(x[0], 2); });
  check("adaptive_max_pool1d", random({2, 5, 4}),
        [&](auto& x, auto&) { return std::get<0>(at::adaptive_max_pool1d(x[0], 2)); });
  check("mean", random({2, 5, 4}), [&](auto& x, auto&) { return x[0].mean({1}); });
  check("instance_norm", random({2, 5, 4}),
        [&](auto& x, auto&) { return at::instance_norm(x[0], {}, {}, {}, {}, true, 0.1, 1e-5, false); });
  check("group_norm", random({2, 4, 4}), [&](auto& x, auto&) { return at::group_norm(x[0], 2); });
  check("layer_norm", random({2, 4, 4}), [&](auto& x, auto&) { return at::layer_norm(x[0], {4}); });
  check("batch_norm", random({2, 4, 4}), [&](auto& x, auto&) {
    return at::batch_norm(x[0], {}, {}, at::zeros({4}, at::kDouble), at::ones({4}, at::kDouble), false, 0.1, 1e-5,
                          false);
  });
}

TEST_CASE("in-place operators on a part of a tensor serve the part") {
  at::manual_seed(16);
  auto x = random({3, 4});
  auto layer = nn::Linear(4, 6), last = nn::Linear(6, 2);
  Net net;
  net.add("layer", layer), net.add("last", last);
  net.run = [&](const at::Tensor& in) {
    auto h = layer(in);
    h.slice(1, 0, 3).relu_();
    return last(h);
  };
  std::string text = "rule shaped { backward = R * y + 0.1 * x }\ncomposite c { linear => epsilon; relu => shaped }";
  auto shaped = Pack::parse(text).rule("shaped");
  auto found = attached_run(composite(text), net, x);
  at::NoGradGuard no_grad;
  auto h = layer(x), after = at::cat({h.slice(1, 0, 3).relu(), h.slice(1, 3)}, 1);
  auto R = through(rule("epsilon"), linear_of, {after}, weight_and_bias(last), start(last(after)))[0];
  R = at::cat({through(shaped, relu_of, {h.slice(1, 0, 3)}, {}, R.slice(1, 0, 3))[0], R.slice(1, 3)}, 1);
  CHECK(difference(found.relevance, through(rule("epsilon"), linear_of, {x}, weight_and_bias(layer), R)[0]) <= exact);
}

TEST_CASE("in-place operators whose first operand is a constant") {
  at::manual_seed(16);
  auto x = random({3, 4}), c = random({3, 4}).abs() + 0.5;
  for (std::string kind : {"scale", "add"}) {
    INFO(kind);
    Net net;
    at::Tensor written;
    net.run = [&](const at::Tensor& in) {
      written = c.clone();
      return kind == "scale" ? written.mul_(in) : written.add_(in);
    };
    Function f = [&](auto& in, auto&) { return kind == "scale" ? c * in[0] : c + in[0]; };
    auto found = attached_run(entries("add, scale => norm"), net, x);
    CHECK(difference(found.output, f({x}, {})) <= exact);
    CHECK(difference(found.relevance, layer_by_layer({{rule("norm"), f}}, x).relevance) <= exact);
    CHECK(same_bits(written.detach(), f({x}, {})));  // the backward pass writes nothing into it
  }
}

TEST_CASE("an operator that writes into the model's input is refused as LibTorch refuses it, and writes nothing") {
  auto x = small_input();
  auto before = x.clone();
  Net net;
  for (bool view : {false, true}) {
    INFO(view);
    net.run = [&](const at::Tensor& in) { return relu_in_place(view ? in.flatten(1) : in); };
    auto leaf = x.clone().requires_grad_();
    auto attached = attach(entries("relu => pass"), net);
    CHECK(failure([&] { net.forward(leaf); }).find("in-place operation") != std::string::npos);
    attached.remove();
    CHECK(same_bits(leaf.detach(), before));
    CHECK(leaf.is_leaf());
  }
}

TEST_CASE("a layer used twice is two calls") {
  at::manual_seed(17);
  auto x = random({3, 4});
  Net net;
  auto layer = net.add("layer", nn::Linear(4, 4));
  net.run = [&](const at::Tensor& in) { return layer(at::relu(layer(in))); };
  auto found = attached_run(entries("linear => zplus; activation => pass"), net, x);
  CHECK(difference(
            found.relevance,
            layer_by_layer({linear(rule("zplus"), layer), {rule("pass"), relu_of}, linear(rule("zplus"), layer)}, x)
                .relevance) <= exact);
  CHECK(rows(found.report) == std::vector<std::string>{"layer linear zplus", "relu#1 relu pass", "layer linear zplus"});
}

TEST_CASE("two inputs that are joined each get their relevance") {
  at::manual_seed(18);
  auto a = random({3, 4}).requires_grad_(), b = random({3, 4}).requires_grad_();
  Net net;
  auto one = net.add("one", nn::Linear(4, 4)), two = net.add("two", nn::Linear(4, 4)),
       three = net.add("three", nn::Linear(4, 2));
  auto attached = attach(entries("first 2 linear => zplus; linear => epsilon; add => norm"), net);
  auto y = three(one(a) + two(b));
  auto found = torch::autograd::grad({y}, {a, b}, {start(y)});
  at::NoGradGuard no_grad;
  auto h = one(a), g = two(b);
  auto R = through(rule("epsilon"), linear_of, {h + g}, weight_and_bias(three), start(y))[0];
  auto shares = through(rule("norm"), sum_of, {h, g}, {}, R);
  CHECK(difference(found[0], through(rule("zplus"), linear_of, {a}, weight_and_bias(one), shares[0])[0]) <= exact);
  CHECK(difference(found[1], through(rule("zplus"), linear_of, {b}, weight_and_bias(two), shares[1])[0]) <= exact);
}

TEST_CASE("weights that depend on the input are no parameters: relevance keeps the gradient there") {
  at::manual_seed(19);
  auto x = random({3, 4});
  Net net;
  auto check = [&](const char* what, const std::function<at::Tensor(const at::Tensor&)>& run) {
    INFO(what);
    net.run = run;
    at::Tensor found;
    CHECK(failure([&] {
            found = attached_run(entries("linear, convolution, batch_norm, activation => epsilon"), net, x).relevance;
          }) == "no error");
    CHECK(difference(found, plain_run(net, x).relevance) <= exact);
  };
  auto c = random({2, 4}), image = random({1, 3, 2, 2}), tokens = random({2, 5, 4});
  check("mm", [&](auto& in) { return at::mm(c, in.t()); });
  check("addmm with a bias from the input", [&](auto& in) { return at::addmm(in, in, at::eye(4, at::kDouble)); });
  check("linear", [&](auto& in) { return at::linear(c, in); });
  check("conv2d", [&](auto& in) { return at::conv2d(image, in.slice(1, 0, 3).reshape({3, 3, 1, 1})); });
  check("prelu", [&](auto& in) { return at::prelu(tokens.transpose(1, 2), in[0]); });
  check("batch_norm", [&](auto& in) {
    return at::batch_norm(tokens.transpose(1, 2), in[0], in[1], at::zeros({4}, at::kDouble), at::ones({4}, at::kDouble),
                          false, 0.1, 1e-5, false);
  });
}

TEST_CASE("what other operators do inside is nobody's layer") {
  at::manual_seed(19);
  auto x = random({3, 4});
  Net net;
  auto check = [&](const char* what, const std::function<at::Tensor(const at::Tensor&)>& run) {
    INFO(what);
    net.run = run;
    Outcome found;
    CHECK(failure([&] { found = attached_run(entries("any => refuse"), net, x); }) == "no error");
    CHECK(difference(found.relevance, plain_run(net, x).relevance) <= exact);
    CHECK(names(found.report).empty());
  };
  check("sum", [](auto& in) { return in.sum(); });
  check("mean", [](auto& in) { return in.mean(); });
  check("logsumexp", [](auto& in) { return in.logsumexp(1); });
  check("var", [](auto& in) { return in.var(1); });
  check("norm", [](auto& in) { return in.norm(); });
  check("prod", [](auto& in) { return in.prod(1); });
  check("cumsum", [](auto& in) { return in.cumsum(1); });
  check("bmm", [](auto& in) { return at::bmm(in.unsqueeze(0), in.t().unsqueeze(0)); });
  check("lerp", [&](auto& in) { return at::lerp(in, in * in, 0.5); });
  check("addcmul", [&](auto& in) { return at::addcmul(in, in, in); });
  check("mse_loss", [&](auto& in) { return at::mse_loss(in, at::zeros_like(x)); });
  check("glu", [](auto& in) { return at::glu(in, 1); });
  check("cdist", [](auto& in) { return at::cdist(in, in * in); });
  check("upsample", [](auto& in) { return at::upsample_nearest1d(in.unsqueeze(0), 8); });
  check("pad", [](auto& in) { return at::pad(in, {1, 1}, "constant"); });
  check("inverse", [](auto& in) { return at::linalg_inv(in.slice(1, 0, 3)); });
  check("cosine_similarity", [](auto& in) { return at::cosine_similarity(in, in.flip({0})); });
}

TEST_CASE("recurrent layers are no layers yet: they keep their gradient whole") {
  at::manual_seed(19);
  auto x = random({2, 3, 4});
  Net net;
  auto lstm = net.add("lstm", nn::LSTM(nn::LSTMOptions(4, 3).batch_first(true)));
  net.run = [&](const at::Tensor& in) { return std::get<0>(lstm->forward(in)); };
  auto found = attached_run(Pack::standard().composite("epsilon_plus"), net, x);
  CHECK(difference(found.relevance, plain_run(net, x).relevance) <= exact);
  CHECK(rows(found.report) == std::vector<std::string>{"lstm#1 lstm gradient"});
}

// -------------------------------------------------------------------------------------------- rules and their layers

TEST_CASE("a rule with forward alone replaces the output and keeps the replacement's gradient") {
  at::manual_seed(20);
  auto x = random({3, 4});
  Net net;
  auto layer = net.add("layer", nn::Linear(4, 3));
  net.run = [&](const at::Tensor& in) { return layer(in); };
  auto rules = composite("rule halved { forward = 0.5 * y }\ncomposite c { linear => halved }");
  auto found = attached_run(rules, net, x);
  CHECK(difference(found.output, 0.5 * layer(x)) <= exact);
  CHECK(difference(found.relevance, 0.5 * at::matmul(start(0.5 * layer(x)), layer->weight)) <= exact);
}

TEST_CASE("a rule with forward replaces the output of a linear layer with its bias") {
  at::manual_seed(20);
  auto x = random({2, 3, 4});
  Net net;
  auto layer = net.add("layer", nn::Linear(4, 3));
  net.run = [&](const at::Tensor& in) { return layer(in); };
  auto rules = composite("rule squared { forward = y * y; map = R }\ncomposite c { linear => squared }");
  auto y = layer(x).detach();
  auto found = attached_run(rules, net, x);
  CHECK(difference(found.output, y * y) <= exact);
}

TEST_CASE("a rule with forward replaces the output of an in-place operator, whoever reads it") {
  at::manual_seed(20);
  auto x = random({3, 4});
  Net net;
  auto layer = net.add("layer", nn::Linear(4, 3));
  net.run = [&](const at::Tensor& in) {
    auto h = layer(in);
    at::relu_(h);  // read by its own name below
    return h * 1;
  };
  auto rules =
      composite("rule doubled { forward = 2 * y; backward = R }\ncomposite c { relu => doubled; scale => pass }");
  CHECK(difference(attached_run(rules, net, x).output, 2 * at::relu(layer(x))) <= exact);
}

TEST_CASE("a tensor argument reaches a rule that says its result outright") {
  at::manual_seed(20);
  auto x = random({2, 3, 2});
  Net net;
  net.run = [](const at::Tensor& in) { return at::relu(in); };
  auto pack = Pack::parse(
      "rule weighted(share: input = 1) { backward = R * share }\ncomposite c(share: input = 1) { activation => "
      "weighted(share) }");
  CHECK(failure([&] {
          auto found = attached_run(pack.composite("c", {{"share", Numbers{{3}, {1, 2, 3}}}}), net, x);
          CHECK(difference(found.relevance,
                           start(found.output) * at::tensor({1., 2., 3.}, at::kDouble).view({1, 3, 1})) <= exact);
        }) == "no error");
}

TEST_CASE("a rule is attached to all linear and convolution layers") {
  Small model;
  auto x = small_input();
  auto found = attached_run(Composite(rule("epsilon")), model, x);
  CHECK(difference(found.relevance,
                   model.expected(x, rule("epsilon"), rule("epsilon"), rule("epsilon"), {}).relevance) <= exact);
  CHECK(rows(found.report) == std::vector<std::string>{"features.0 conv2d epsilon", "relu#1 relu gradient",
                                                       "features.2 conv2d epsilon", "relu#2 relu gradient",
                                                       "classifier linear epsilon"});
}

TEST_CASE("a small network under epsilon_plus equals its layers one by one") {
  Small model;
  auto x = small_input();
  auto found = attached_run(Pack::standard().composite("epsilon_plus"), model, x);
  auto expected = under_epsilon_plus(model, x);
  CHECK(same_bits(found.output, expected.output));
  CHECK(difference(found.relevance, expected.relevance) <= exact);
  CHECK(difference(attached_run(Pack::standard().composite("epsilon_plus_flat"), model, x).relevance,
                   model.expected(x, rule("flat"), rule("zplus"), rule("epsilon")).relevance) <= exact);
}

// ------------------------------------------------------------------------------------------------ names and entries

TEST_CASE("layers are named after their modules, however deep, and after their kind where there is none") {
  at::manual_seed(21);
  struct Block : nn::Module {
    Block() { register_module("conv", conv), register_module("inner", inner); }
    at::Tensor forward(const at::Tensor& x) { return inner->forward(conv(x).sigmoid()); }
    nn::Conv2d conv{2, 2, 1};
    nn::Sequential inner{nn::Sequential(nn::Conv2d(2, 2, 1), nn::ReLU())};
  };
  Net net;
  auto block = net.register_module("block", std::make_shared<Block>());
  auto list = net.register_module("list", nn::ModuleList(nn::Linear(2, 2), nn::Linear(2, 1)));
  net.to(at::kDouble);
  net.run = [&](const at::Tensor& in) {
    auto h = at::relu(block->forward(in)).mean({2, 3});
    return list->at<nn::LinearImpl>(1).forward(list->at<nn::LinearImpl>(0).forward(h).relu() + 1);
  };
  auto found = attached_run(entries("convolution \"block.*\" => epsilon"), net, random({2, 2, 3, 3}));
  CHECK(rows(found.report) == std::vector<std::string>{"block.conv conv2d epsilon", "sigmoid#1 sigmoid gradient",
                                                       "block.inner.0 conv2d epsilon", "relu#1 relu gradient",
                                                       "relu#2 relu gradient", "mean#1 mean gradient",
                                                       "list.0 linear gradient", "relu#3 relu gradient",
                                                       "add#1 add gradient", "list.1 linear gradient"});
}

TEST_CASE("strings are globs over the whole name, and match no layer without one") {
  Small model;
  auto x = small_input();
  auto rules_of = [&](const std::string& text) { return rows(attached_run(entries(text), model, x).report); };
  auto served = [](const std::string& first, const std::string& second, const std::string& last,
                   const std::string& relu = "gradient") {
    return std::vector{"features.0 conv2d " + first, "relu#1 relu " + relu, "features.2 conv2d " + second,
                       "relu#2 relu " + relu, "classifier linear " + last};
  };
  CHECK(rules_of("\"features.*\" => epsilon") == served("epsilon", "epsilon", "gradient"));
  CHECK(rules_of("\"*\" => epsilon") ==
        served("epsilon", "epsilon", "epsilon"));  // `*` matches dots, but no nameless layer
  CHECK(rules_of("any \"*\" => epsilon") == served("epsilon", "epsilon", "epsilon"));
  CHECK(rules_of("\"features\" => epsilon") == served("gradient", "gradient", "gradient"));
  CHECK(rules_of("\"features.?\" => epsilon") == served("epsilon", "epsilon", "gradient"));
  CHECK(rules_of("linear \"features.*\" => epsilon") == served("gradient", "gradient", "gradient"));
  CHECK(rules_of("\"relu#1\" => epsilon") == served("gradient", "gradient", "gradient"));
  CHECK(rules_of("convolution \"*.2\", linear => epsilon") == served("gradient", "epsilon", "epsilon"));
  CHECK(rules_of("\"features.0\" => zplus; any => base; \"*\" => epsilon") ==
        served("zplus", "epsilon", "epsilon", "pass"));
}

TEST_CASE("the first entry that fits wins, and a nested composite that is silent lets the search go on") {
  Small model;
  auto x = small_input();
  auto text = R"(
    composite inner { conv2d "features.2" => epsilon(0.5) }
    composite c { any => inner; any => base; convolution => zplus; convolution => flat; linear => gamma(0.5); any => refuse })";
  auto found = attached_run(composite(text), model, x);
  CHECK(
      difference(found.relevance,
                 model.expected(x, rule("zplus"), rule("epsilon", {{"epsilon", 0.5}}), rule("gamma", {{"gamma", 0.5}}))
                     .relevance) <= exact);
  CHECK(found.report[2].rule == "epsilon(epsilon = 0.5)");
  CHECK(found.report[2].entry == "test.rule:2:23");
  CHECK(found.report[0].entry == "test.rule:3:46");
}

TEST_CASE("first counts the calls that fit its layers, in order of execution, over nested composites") {
  Small model;
  auto x = small_input();
  auto rules_of = [&](const std::string& text) {
    std::vector<std::string> out;
    for (auto& row : rows(attached_run(composite(text), model, x).report))
      out.push_back(row.substr(row.rfind(' ') + 1));
    return out;
  };
  using Rules = std::vector<std::string>;
  auto none = std::string("gradient");
  CHECK(rules_of("composite c { first convolution => flat; convolution => zplus }") ==
        Rules{"flat", none, "zplus", none, none});
  CHECK(rules_of("composite c { first 2 convolution => flat; convolution => zplus }") ==
        Rules{"flat", none, "flat", none, none});
  CHECK(rules_of("composite c { first 9 convolution => flat }") == Rules{"flat", none, "flat", none, none});
  CHECK(rules_of("composite c { first 2 linear, convolution => flat; any => epsilon }") ==
        Rules{"flat", "epsilon", "flat", "epsilon", "epsilon"});
  CHECK(rules_of("composite c { first linear => flat; linear => epsilon }") == Rules{none, none, none, none, "flat"});
  CHECK(rules_of("composite c { first any => flat }") == Rules{"flat", none, none, none, none});
}

TEST_CASE("first counts over nested composites and whatever earlier entries took") {
  Small model;
  auto x = small_input();
  auto rules_of = [&](const std::string& text) {
    std::vector<std::string> out;
    for (auto& row : rows(attached_run(composite(text), model, x).report))
      out.push_back(row.substr(row.rfind(' ') + 1));
    return out;
  };
  using Rules = std::vector<std::string>;
  auto none = std::string("gradient");
  // The earlier entry takes the first convolution; it counts all the same.
  CHECK(rules_of("composite c { \"features.0\" => epsilon; first convolution => flat }") ==
        Rules{"epsilon", none, none, none, none});
  // Inside a nested composite, calls count that the outer entry does not lead there.
  CHECK(rules_of(
            "composite inner { first convolution => flat; any => epsilon }\ncomposite c { \"features.2\" => inner }") ==
        Rules{none, none, "epsilon", none, none});
  CHECK(rules_of("composite inner { convolution => flat }\ncomposite c { first convolution => inner; convolution => "
                 "epsilon }") == Rules{"flat", none, "epsilon", none, none});
  CHECK(rules_of("composite inner { first relu => pass; convolution => flat; first 2 convolution => zplus }\ncomposite "
                 "c { first 2 any => inner; any => epsilon }") ==
        Rules{"flat", "pass", "epsilon", "epsilon", "epsilon"});
}

TEST_CASE("refuse is an error that names the layer and the entry") {
  Small model;
  auto leaf = small_input().requires_grad_();
  auto attached = attach(entries("relu => refuse"), model);
  std::string text;
  try {
    model.forward(leaf);
  } catch (const Error& error) {
    text = error.what();
  }
  CHECK(text ==
        "error[A0602]: layer 'relu#1' (relu) is refused by the rules\n"
        " --> test.rule:2:1\n"
        "2 | relu => refuse\n"
        "  | ^^^^^^^^^^^^^^ by this entry\n"
        "  = help: give it a rule of its own in an entry above");
}

TEST_CASE("a rule that does not fit a layer is an error that names layer, rule and entry") {
  Small model;
  auto leaf = small_input().requires_grad_();
  auto rules = composite("rule outright {\n  backward = R\n}\ncomposite c {\n  \"features.2\" => outright\n}");
  auto attached = attach(rules, model);
  std::string text;
  try {
    model.forward(leaf);
  } catch (const Error& error) {
    text = error.what();
  }
  CHECK(text ==
        "error[A0601]: layer 'features.2' (conv2d), rule `outright`: `backward` mixes input and output, but the layer "
        "does not keep its shape\n"
        " --> test.rule:2:14\n"
        "2 |   backward = R\n"
        "  |              ^\n"
        "5 |   \"features.2\" => outright\n"
        "  |   ------------------------ chosen here\n"
        "  = help: use terms, or give this layer another rule");
  CHECK(code_name(Code::rule_does_not_fit) == "A0601");
}

TEST_CASE("a backward rule would multiply relevance where two branches meet, and is refused there") {
  at::manual_seed(22);
  Net net;
  net.run = [](const at::Tensor& in) { return in.relu() + in.sigmoid(); };
  CHECK(failure([&] {
          attached_run(entries("any => pass"), net, random({2, 3}));
        }) == "A0601 layer 'add#1' (add), rule `pass`: it would hand each of several inputs the whole relevance");
}

// -------------------------------------------------------------------------------------- scopes, and what is left
// behind

TEST_CASE("after its scope, and after remove, the plain gradient is back bit by bit") {
  Small model;
  auto x = small_input();
  REQUIRE(plain_gradient_is_back(model, x));
  {
    auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
    CHECK(!plain_gradient_is_back(model, x));
  }
  CHECK(plain_gradient_is_back(model, x));
  auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
  attached.remove();
  CHECK(plain_gradient_is_back(model, x));
  attached.remove();
  CHECK(plain_gradient_is_back(model, x));
  CHECK(attached.report().empty());
  auto moved = std::move(attached);
  moved.remove();
  CHECK(plain_gradient_is_back(model, x));
}

TEST_CASE("a moved attachment goes on, and ends once") {
  Small model;
  auto x = small_input();
  std::optional<Attachment> kept;
  {
    auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
    kept.emplace(std::move(attached));
  }
  CHECK(!plain_gradient_is_back(model, x));
  CHECK(!kept->report().empty());
  kept.reset();
  CHECK(plain_gradient_is_back(model, x));
}

TEST_CASE("what is recorded keeps its rules after the attachment, and its pack and model, are gone") {
  auto x = small_input();
  at::Tensor leaf = x.clone().requires_grad_(), y, expected;
  {
    auto model = std::make_unique<Small>();
    expected = under_epsilon_plus(*model, x).relevance;
    auto rules =
        std::make_unique<Composite>(composite("composite c { any => base; convolution => zplus; linear => epsilon }"));
    auto attached = attach(*rules, *model);
    rules.reset();
    y = model->forward(leaf);
    model.reset();
  }
  CHECK(difference(torch::autograd::grad({y}, {leaf}, {start(y)}).front(), expected) <= exact);
}

TEST_CASE("the innermost of two attachments serves, and they may end in either order") {
  Small model;
  auto x = small_input();
  auto gradient = plain_run(model, x).relevance;
  auto outer_expected = attached_run(Composite(rule("epsilon")), model, x).relevance,
       inner_expected = attached_run(Composite(rule("zplus")), model, x).relevance;
  auto now = [&] { return plain_run(model, x).relevance; };  // "plain": whatever is attached serves
  for (bool in_order : {true, false}) {
    INFO(in_order);
    std::optional<Attachment> outer(attach(Composite(rule("epsilon")), model));
    CHECK(same_bits(now(), outer_expected));
    std::optional<Attachment> inner(attach(Composite(rule("zplus")), model));
    CHECK(same_bits(now(), inner_expected));
    (in_order ? inner : outer).reset();
    CHECK(same_bits(now(), in_order ? outer_expected : inner_expected));
    (in_order ? outer : inner).reset();
    CHECK(same_bits(now(), gradient));
  }
}

TEST_CASE("each attachment counts for itself where one begins within the forward pass of another") {
  at::manual_seed(23);
  auto leaf = random({3, 4}).requires_grad_();
  Net net;
  auto one = net.add("one", nn::Linear(4, 4)), two = net.add("two", nn::Linear(4, 4));
  auto outer = attach(entries("first 5 linear => epsilon"), net);
  auto h = one(leaf).view({3, 1, 2, 2});
  auto inner = attach(entries("first convolution => flat; convolution => zplus"), net);
  at::conv2d(h, random({2, 1, 1, 1}));
  CHECK(rows(inner.report()) == std::vector<std::string>{"conv2d#1 conv2d flat"});
}

TEST_CASE("parameters keep their bits and get no gradients") {
  Small model;
  auto x = small_input();
  std::vector<at::Tensor> before;
  for (auto& each : model.parameters()) before.push_back(each.detach().clone());
  attached_run(Pack::standard().composite("epsilon_plus"), model, x);
  auto parameters = model.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CHECK(same_bits(parameters[i].detach(), before[i]));
    CHECK(!parameters[i].grad().defined());
    CHECK(parameters[i].requires_grad());
    CHECK(!c10::impl::cow::is_cow_data_ptr(parameters[i].storage().data_ptr()));
  }
}

TEST_CASE("y.backward gives no parameter of a layer with a rule a gradient") {
  Small model;
  auto leaf = small_input().requires_grad_();
  auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
  auto y = model.forward(leaf);
  y.backward(start(y));
  CHECK(difference(leaf.grad(), under_epsilon_plus(model, leaf).relevance) <= exact);
  for (auto& each : model.parameters()) CHECK(!each.grad().defined());
}

TEST_CASE("y.backward gives no parameter a gradient, also where layers keep theirs") {
  at::manual_seed(7);
  Small model;
  auto leaf = small_input().requires_grad_();
  auto attached = attach(entries("first convolution => zplus"), model);
  auto y = model.forward(leaf);
  y.backward(start(y));
  CHECK(difference(leaf.grad(), model.expected(leaf.detach(), rule("zplus"), {}, {}, {}).relevance) <= exact);
  for (auto& each : model.parameters()) CHECK(!each.grad().defined());
}

TEST_CASE("y.backward gives no parameter that is added or multiplied a gradient") {
  at::manual_seed(7);
  Net net;
  auto shift = net.register_parameter("shift", random({4})), scale = net.register_parameter("scale", random({4}));
  net.run = [&](const at::Tensor& in) { return (in + shift) * scale; };
  for (auto& rules : {entries("any => norm"), entries("linear => epsilon")}) {
    auto leaf = random({3, 4}).requires_grad_();
    auto attached = attach(rules, net);
    auto y = net.forward(leaf);
    y.backward(start(y));
    CHECK(leaf.grad().defined());
    CHECK(!shift.grad().defined());
    CHECK(!scale.grad().defined());
  }
}

TEST_CASE("the report of an addition that keeps its gradient counts both branches, each time anew") {
  at::manual_seed(7);
  auto leaf = random({3, 4}).requires_grad_();
  Net net;
  net.run = [](const at::Tensor& in) { return in.tanh() + in.sigmoid(); };
  auto attached = attach(entries("activation => pass"), net);
  auto y = net.forward(leaf);
  for (int turn : {0, 1}) {
    INFO(turn);
    torch::autograd::grad({y}, {leaf}, {start(y)}, true);
    CHECK(attached.report()[2].above.value() == Approx(start(y).sum().item<double>()));
    CHECK(attached.report()[2].below.value() == Approx(2 * start(y).sum().item<double>()));
  }
}

TEST_CASE("relevance starts from what autograd hands over, and is there for every value in between") {
  Small model;
  auto leaf = small_input().requires_grad_();
  auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
  auto h = model.features->forward(leaf);
  h.retain_grad();
  auto y = model.classifier(h.flatten(1));
  y.retain_grad();
  y.sum().backward();  // ones, of one element in memory
  attached.remove();
  auto R = through(rule("epsilon"), linear_of, {h.flatten(1)}, weight_and_bias(model.classifier), at::ones_like(y))[0];
  CHECK(same_bits(y.grad(), at::ones_like(y)));
  CHECK(difference(h.grad().flatten(1), R) <= exact);
}

TEST_CASE("a graph of many layers is recorded, run and freed") {
  auto leaf = at::ones({2, 2}, at::kDouble).requires_grad_();
  Net net;
  auto attached = attach(entries("activation => pass"), net);
  for (int turn : {0, 1}) {
    auto y = leaf;
    for (int i = 0; i < 20000; ++i) y = at::relu(y);
    if (turn == 0) CHECK(same_bits(torch::autograd::grad({y}, {leaf}, {start(y)}).front(), start(y)));
  }
}

TEST_CASE("parameters that share one piece of memory keep their layers' names") {
  at::manual_seed(29);
  auto memory = random({4 * 4 * 2});
  Net net;
  auto one = net.add("one", nn::Linear(nn::LinearOptions(4, 4).bias(false))),
       two = net.add("two", nn::Linear(nn::LinearOptions(4, 4).bias(false)));
  one->weight.set_data(memory.slice(0, 0, 16).view({4, 4}));
  two->weight.set_data(memory.slice(0, 16).view({4, 4}));
  net.run = [&](const at::Tensor& in) { return two(one(in)); };
  CHECK(names(attached_run(Composite(rule("epsilon")), net, random({3, 4})).report) ==
        std::vector<std::string>{"one", "two"});
}

TEST_CASE("products that are no module's are linear layers, too, factors and all") {
  at::manual_seed(30);
  auto x = random({3, 4});
  auto weight = random({4, 5}), bias = random({5});
  Net net;
  auto check = [&](const char* what, const Function& f, const Parameters& parameters) {
    INFO(what);
    net.run = [&](const at::Tensor& in) {
      Tensors theta;
      for (auto& each : parameters) theta.push_back(each.second);
      return f({in}, theta);
    };
    CHECK(difference(attached_run(Composite(rule("zplus")), net, x).relevance,
                     layer_by_layer({{rule("zplus"), f, parameters}}, x).relevance) <= exact);
  };
  check("mm", [](auto& in, auto& t) { return at::mm(in[0], t[0]); }, {{"weight", weight}});
  check("addmm with factors", [](auto& in, auto& t) { return at::addmm(t[1], in[0], t[0], 0.5, 2); },
        {{"weight", weight}, {"bias", bias}});
  check("matmul", [](auto& in, auto& t) { return at::matmul(in[0], t[0]); }, {{"weight", weight}});
}

TEST_CASE("the report of a layer that keeps its gradient counts its input's relevance only") {
  at::manual_seed(24);
  auto leaf = random({3, 4}).requires_grad_();
  for (auto& shape : {std::vector<std::int64_t>{3, 4}, {2, 3, 4}}) {
    INFO(shape.size());
    nn::Linear layer(4, 3);
    layer->to(at::kDouble);
    nn::Sequential model(layer);
    auto in = random(shape).requires_grad_();
    auto attached = attach(entries("convolution => zplus"), model);
    auto y = model->forward(in);
    y.backward(start(y));  // the parameters get gradients, too
    REQUIRE(!attached.report().empty());
    CHECK(attached.report()[0].below.value() == Approx(in.grad().sum().item<double>()));
    CHECK(attached.report()[0].above.value() == Approx(start(y).sum().item<double>()));
  }
}

TEST_CASE("a constant that a rule keeps stays the caller's: nothing touches its memory") {
  at::manual_seed(24);
  auto x = random({3, 4});
  Net net;
  for (std::string kind : {"add", "scale"}) {
    INFO(kind);
    auto constant = random({4});
    auto* memory = constant.const_data_ptr();
    net.run = [&](const at::Tensor& in) { return kind == "add" ? in + constant : in * constant; };
    attached_run(entries("any => norm"), net, x);
    CHECK(!c10::impl::cow::is_cow_data_ptr(constant.storage().data_ptr()));
    CHECK(constant.const_data_ptr() == memory);
  }
}

TEST_CASE("the input stays the caller's, also where the model looks at it through a view") {
  at::manual_seed(24);
  Net net;
  auto layer = net.add("layer", nn::Linear(4, 2));
  auto leaf = random({3, 2, 2}).requires_grad_();
  net.run = [&](const at::Tensor& in) { return layer(in.flatten(1)); };
  auto* memory = leaf.const_data_ptr();
  auto attached = attach(Composite(rule("zplus")), net);
  auto y = net.forward(leaf);
  CHECK(!c10::impl::cow::is_cow_data_ptr(leaf.storage().data_ptr()));
  CHECK(leaf.const_data_ptr() == memory);
  CHECK(attached.report().size() == 1);
}

TEST_CASE("an input without a gradient is an error, not a silent gradient") {
  Small model;
  auto x = small_input();
  auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
  CHECK(failure([&] {
          auto y = model.forward(x);
          y.backward(start(y));
        }).starts_with("A0603"));
}

TEST_CASE("a model may begin with layers that see no input: it has one all the same") {
  at::manual_seed(31);
  auto tokens = random({3, 4}), x = random({3, 4});
  Net net;
  auto one = net.add("one", nn::Linear(4, 4)), two = net.add("two", nn::Linear(4, 4));
  net.run = [&](const at::Tensor& in) {
    auto query = one(tokens);  // learned queries, positions, …
    return two(in) + query;
  };
  Outcome found;
  CHECK(failure([&] { found = attached_run(entries("linear => epsilon; add => norm"), net, x); }) == "no error");
  at::NoGradGuard no_grad;
  auto R = through(rule("norm"), sum_of, {two(x), one(tokens)}, {}, start(two(x) + one(tokens)), {true, false})[0];
  CHECK(difference(found.relevance, through(rule("epsilon"), linear_of, {x}, weight_and_bias(two), R)[0]) <= exact);
}

TEST_CASE("layers outside of the module that rules are attached to are served as well") {
  at::manual_seed(31);
  auto x = random({3, 4});
  nn::Linear inside(4, 4), outside(4, 4);
  inside->to(at::kDouble), outside->to(at::kDouble);
  auto leaf = x.clone().requires_grad_();
  auto attached = attach(entries("linear => epsilon"), inside);
  auto y = outside(inside(leaf));
  attached.remove();
  CHECK(difference(torch::autograd::grad({y}, {leaf}, {start(y)}).front(),
                   layer_by_layer({linear(rule("epsilon"), inside), linear(rule("epsilon"), outside)}, x).relevance) <=
        exact);
  CHECK(attached.report().size() == 2);
}

TEST_CASE("a model that ended is not mistaken for another that took its place in memory") {
  at::manual_seed(25);
  std::unordered_set<const void*> gone;
  std::optional<Attachment> attached;
  {
    nn::Linear model(4, 3);
    model->to(at::kDouble);
    for (auto& each : model->parameters()) gone.insert(each.unsafeGetTensorImpl());
    attached.emplace(attach(Composite(rule("epsilon")), model));
  }
  std::vector<at::Tensor> held;
  for (int i = 0; i < 200; ++i) {
    auto leaf = held.emplace_back(random({3, 4}).requires_grad_());
    if (!gone.contains(leaf.unsafeGetTensorImpl())) continue;
    auto weight = random({3, 4});
    auto rows_before = attached->report().size();
    at::linear(leaf, weight);
    CHECK(attached->report().size() == rows_before + 1);
    return;
  }
}

// ----------------------------------------------------------------------------------------------------- mistakes

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

// ------------------------------------------------------------------------------------------------ threads and passes

TEST_CASE("threads with different rules share a model, each with results as if it were alone") {
  Small model;
  std::vector<Composite> rules{Pack::standard().composite("epsilon_plus"), Composite(rule("gamma")),
                               Pack::standard().composite("epsilon_plus_flat"),
                               entries("any => base; first convolution => flat")};
  auto x = small_input(3);
  std::vector<at::Tensor> alone;
  for (auto& each : rules) alone.push_back(attached_run(each, model, x).relevance);
  auto gradient = plain_run(model, x).relevance;
  std::vector<std::thread> threads;
  std::vector<int> right(rules.size() + 1);
  for (std::size_t i = 0; i <= rules.size(); ++i)
    threads.emplace_back([&, i] {
      at::AutoGradMode record(true);
      for (int turn = 0; turn < 20; ++turn)
        right[i] += i == rules.size() ? same_bits(plain_run(model, x).relevance, gradient)
                                      : same_bits(attached_run(rules[i], model, x).relevance, alone[i]);
    });
  for (auto& each : threads) each.join();
  CHECK(right == std::vector<int>(rules.size() + 1, 20));
}

TEST_CASE("threads share a model with constants, and an input") {
  at::manual_seed(27);
  auto constant = random({64, 64}), x = random({2, 64, 64});
  Net net;
  net.run = [&](const at::Tensor& in) { return (in.flatten(1).view({2, 64, 64}) + constant) * constant; };
  auto rules = entries("any => norm(0.1)");
  auto alone = attached_run(rules, net, x).relevance;
  auto leaf = x.clone().requires_grad_();
  std::vector<std::thread> threads;
  std::vector<int> right(4);
  for (std::size_t i = 0; i < right.size(); ++i)
    threads.emplace_back([&, i] {
      for (int turn = 0; turn < 100; ++turn) {
        auto attached = attach(rules, net);
        auto y = net.forward(leaf);
        right[i] += same_bits(torch::autograd::grad({y}, {leaf}, {start(y)}).front(), alone);
      }
    });
  for (auto& each : threads) each.join();
  CHECK(right == std::vector<int>(4, 100));
}

TEST_CASE("the backward pass may run on another thread, with or without rules of its own") {
  Small model;
  auto x = small_input();
  auto leaf = x.clone().requires_grad_();
  at::Tensor y;
  {
    auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
    y = model.forward(leaf);
  }
  for (bool attached_there : {false, true}) {
    at::Tensor found;
    std::thread([&] {
      std::optional<Attachment> other;
      if (attached_there) other.emplace(attach(Composite(rule("flat")), model));
      found = torch::autograd::grad({y}, {leaf}, {start(y)}, true).front();
    }).join();
    CHECK(difference(found, under_epsilon_plus(model, x).relevance) <= exact);
  }
}

TEST_CASE("the backward pass runs inside the scope as it does outside") {
  Small model;
  auto leaf = small_input().requires_grad_();
  auto attached = attach(entries("any => base; any => epsilon(0.1)"), model);
  auto y = model.forward(leaf);
  auto rows_before = attached.report().size();
  auto inside = torch::autograd::grad({y}, {leaf}, {start(y)}, true).front();
  CHECK(attached.report().size() == rows_before);  // autograd's own additions are nobody's layers
  attached.remove();
  CHECK(same_bits(torch::autograd::grad({y}, {leaf}, {start(y)}).front(), inside));
}

TEST_CASE("two forward passes in one scope count for themselves") {
  Small model;
  auto a = small_input(), b = small_input(3) * 2;
  auto rules = entries("any => base; first convolution => flat; convolution => zplus; linear => epsilon");
  auto leaf_a = a.clone().requires_grad_(), leaf_b = b.clone().requires_grad_();
  auto attached = attach(rules, model);
  auto y_a = model.forward(leaf_a), y_b = model.forward(leaf_b);  // interleaved: both forward, then both backward
  auto found_b = torch::autograd::grad({y_b}, {leaf_b}, {start(y_b)}).front(),
       found_a = torch::autograd::grad({y_a}, {leaf_a}, {start(y_a)}).front();
  CHECK(difference(found_a, model.expected(a, rule("flat"), rule("zplus"), rule("epsilon")).relevance) <= exact);
  CHECK(difference(found_b, model.expected(b, rule("flat"), rule("zplus"), rule("epsilon")).relevance) <= exact);
  // The same input again, after its relevance is known: a new pass.
  auto again = model.forward(leaf_a);
  CHECK(same_bits(torch::autograd::grad({again}, {leaf_a}, {start(again)}).front(), found_a));
  CHECK(attached.report().size() == 15);
  CHECK(attached.report()[1].name == "relu#1");
  CHECK(attached.report()[6].name == "relu#1");
  CHECK(attached.report()[11].name == "relu#1");
}

TEST_CASE("after a forward pass that failed, the same input starts to count anew") {
  Small model;
  auto leaf = small_input().requires_grad_();
  auto attached =
      attach(entries("any => base; first convolution => flat; convolution => zplus; linear => epsilon"), model);
  CHECK(failure([&] { model.classifier(model.features->forward(leaf).flatten(1).slice(1, 1)); }) != "no error");
  auto y = model.forward(leaf);
  CHECK(difference(torch::autograd::grad({y}, {leaf}, {start(y)}).front(),
                   model.expected(leaf, rule("flat"), rule("zplus"), rule("epsilon")).relevance) <= exact);
}

// --------------------------------------------------------------------------------------------------- kinds of input

TEST_CASE("an empty batch has empty relevance") {
  Small model;
  auto found = attached_run(Pack::standard().composite("epsilon_plus"), model, small_input(0));
  CHECK(found.relevance.sizes() == at::IntArrayRef({0, 2, 5, 5}));
}

TEST_CASE("float32 stays float32, close to float64") {
  Small exactly;
  auto x = small_input();
  auto expected = under_epsilon_plus(exactly, x).relevance;
  Small model;
  model.to(at::kFloat);
  auto found = attached_run(Pack::standard().composite("epsilon_plus"), model, x.to(at::kFloat));
  CHECK(found.relevance.scalar_type() == at::kFloat);
  CHECK(difference(found.relevance, expected) < 1e-4);
}

TEST_CASE("inputs of any memory layout have the same relevance") {
  Small model;
  auto x = small_input();
  auto rules = Pack::standard().composite("epsilon_plus");
  auto expected = attached_run(rules, model, x).relevance;
  auto check = [&](const char* what, const at::Tensor& given) {
    INFO(what);
    auto leaf = given.detach().requires_grad_();
    auto attached = attach(rules, model);
    auto y = model.forward(leaf);
    CHECK(difference(torch::autograd::grad({y}, {leaf}, {start(y)}).front(), expected) <= exact);
  };
  check("channels_last", x.contiguous(at::MemoryFormat::ChannelsLast));
  check("transposed", x.transpose(2, 3).contiguous().transpose(2, 3));
  check("every second column", at::stack({x, x}, -1).flatten(3).slice(3, 0, 10, 2));
  check("backwards in memory", x.flip({0}).flip({0}));
  auto memory = x.contiguous();
  check("somebody else's memory", at::from_blob(memory.data_ptr(), memory.sizes(), at::kDouble));
  auto channels_last = std::make_unique<Small>();
  for (auto& each : channels_last->parameters())
    if (each.dim() == 4) each.set_data(each.contiguous(at::MemoryFormat::ChannelsLast));
  CHECK(difference(attached_run(rules, *channels_last, x.contiguous(at::MemoryFormat::ChannelsLast)).relevance,
                   expected) <= exact);
}

TEST_CASE("an input that is itself a result gets its relevance, and hands it on as a gradient") {
  Small model;
  auto source = small_input().requires_grad_();
  auto x = source * 2;  // before rules are attached: no layer
  x.retain_grad();
  auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
  auto y = model.forward(x);
  y.backward(start(y));
  auto expected = under_epsilon_plus(model, x.detach()).relevance;
  CHECK(difference(x.grad(), expected) <= exact);
  CHECK(difference(source.grad(), 2 * expected) <= exact);
}

}  // namespace
}  // namespace ascribe::test
