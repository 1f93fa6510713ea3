// Rules on single layers of C++ models: every kind of layer gets its rule, with what the layer alone yields.
#include "tests/attach/models.hpp"

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/pooling.h>

namespace test {
using namespace ascribe;
namespace {

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
  check("softsign", [](auto& in, auto&) { return nn::Softsign()->forward(in[0]); });
  check("tanhshrink", [](auto& in, auto&) { return nn::Tanhshrink()->forward(in[0]); });
}

TEST_CASE("a layer that several operators make is one layer, also where it is counted or keeps its gradient") {
  at::manual_seed(5);
  auto x = random({3, 4, 2});
  Net net;
  for (Function f : {Function([](auto&in, auto&) { return nn::Softsign()->forward(in[0]); }),
                     Function([](auto&in, auto&) { return nn::Tanhshrink()->forward(in[0]); }),
                     Function([](auto&in, auto&) { return in[0] * in[0].sigmoid(); })}) {
    net.run = [&](const at::Tensor& in) { return f({f({in}, {})}, {}); };
    auto plain = attached_run(entries("linear => epsilon"), net, x);
    CHECK(same_bits(plain.output, plain_run(net, x).output));
    CHECK(difference(plain.relevance, plain_run(net, x).relevance) <= exact);
    CHECK(plain.report.size() == 2);
    CHECK(plain.report[1].above.value() == Approx(start(plain.output).sum().item<double>()).margin(1e-9));
    CHECK(plain.report[0].below.value() == Approx(plain.relevance.sum().item<double>()).margin(1e-9));
    auto counted = attached_run(entries("first activation => pass; last activation => flat; add => norm"), net, x);
    CHECK(difference(counted.relevance, layer_by_layer({{rule("pass"), f}, {rule("flat"), f}}, x).relevance) <= exact);
  }
  // What only looks like one is none.
  net.run = [&](const at::Tensor& in) { return in - 2 * in.tanh(); };
  CHECK(rows(attached_run(Pack::standard().composite("base"), net, x).report).back() == "add#1 add norm");
  net.run = [&](const at::Tensor& in) { return in * (2 * in).sigmoid(); };
  CHECK(rows(attached_run(Pack::standard().composite("base"), net, x).report).back() == "product#1 product gradient");
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
  CHECK(rows(attached_run(entries("scale => pass"), net, x).report) ==  // a product of two branches is none
        std::vector<std::string>{"product#1 product gradient"});
  CHECK_THAT(failure([&] { attached_run(entries("any => pass"), net, x); }), Catch::StartsWith("A0601"));
  net.run = [&](const at::Tensor& in) { return c / in; };
  CHECK(rows(attached_run(entries("scale => pass"), net, x).report) ==
        std::vector<std::string>{"statistic#1 statistic gradient"});
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

TEST_CASE("a layer that several operators make keeps its gradient where nobody asks for sums, too") {
  at::manual_seed(5);
  Net net;
  net.run = [](const at::Tensor& in) { return nn::Tanhshrink()->forward(nn::Softsign()->forward(in)); };
  auto x = random({3, 4});
  auto leaf = x.clone().requires_grad_();
  auto attached = attach(entries("linear => epsilon"), net);
  auto y = net.forward(leaf);
  CHECK(difference(torch::autograd::grad({y}, {leaf}, {start(y)}).front(), plain_run(net, x).relevance) <= exact);
}

TEST_CASE("a negative is a scaling by -1") {
  at::manual_seed(5);
  serves_function("-x", random({3, 4}), "scale", "scale => norm", rule("norm"), [](auto& in, auto&) { return -in[0]; });
}

}  // namespace
}  // namespace test
