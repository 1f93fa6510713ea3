// Batch norm merged into the linear layer before or behind it: relevance is that of one layer with the merged
// parameters.
#include "tests/attach/models.hpp"

#include <torch/nn/modules/batchnorm.h>

namespace test {
using namespace ascribe;
namespace {

// Statistics and parameters as training leaves them: none of them 0 or 1.
template <typename Norm>
Norm trained(Norm norm) {
  norm->to(at::kDouble);
  norm->eval();
  at::NoGradGuard no_grad;
  norm->running_mean.normal_();
  norm->running_var.uniform_(0.3, 3);
  if (norm->weight.defined()) norm->weight.normal_(), norm->bias.normal_();
  return norm;
}

struct Factors {
  at::Tensor scale, shift;
};
template <typename Norm>
Factors factors(const Norm& norm) {
  at::NoGradGuard no_grad;
  auto scale = 1 / at::sqrt(norm->running_var + norm->options.eps());
  if (norm->weight.defined()) scale = scale * norm->weight;
  auto shift = -norm->running_mean * scale;
  return {scale, norm->bias.defined() ? shift + norm->bias : shift};
}

// The merged parameters of a layer whose output channels come first in its weight.
template <typename Layer, typename Norm>
Parameters merged(const Layer& layer, const Norm& norm) {
  at::NoGradGuard no_grad;
  auto [scale, shift] = factors(norm);
  std::vector<std::int64_t> shape(static_cast<std::size_t>(layer->weight.dim()), 1);
  shape[0] = -1;
  auto bias = layer->bias.defined() ? layer->bias * scale + shift : shift;
  return {{"weight", layer->weight.detach() * scale.view(shape)}, {"bias", bias.detach()}};
}

const char* const rules[] = {"epsilon", "zplus", "gamma", "alpha_beta", "wsquare", "flat"};

// A linear layer and batch norm, one behind the other; `place` is the linear layer's.
void merges(const std::string& what, nn::Sequential model, std::size_t place, const at::Tensor& x,
            const std::string& kind, const Function& f, const Parameters& parameters) {
  for (auto name : rules) {
    INFO(what << " under " << name);
    auto found = attached_run(entries(kind + " => " + name + "; batch_norm => merge"), model, x);
    auto expected = layer_by_layer({{rule(name), f, parameters}}, x);
    CHECK(same_bits(found.output, plain_run(model, x).output));
    CHECK(difference(found.output, expected.output) <= exact);
    CHECK(difference(found.relevance, expected.relevance) <= exact);
    std::vector<std::string> expected_rows{"0 batch_norm merge", "1 batch_norm merge"};
    expected_rows[place] = std::to_string(place) + " " + kind + " " + name;
    CHECK(rows(found.report) == expected_rows);
    auto& row = found.report.at(place);
    CHECK(row.above.value() == Approx(start(found.output).sum().item<double>()).margin(1e-9));
    CHECK(row.below.value() == Approx(found.relevance.sum().item<double>()).margin(1e-9));
  }
}

TEST_CASE("batch norm and the linear layer or convolution before it are one layer") {
  at::manual_seed(21);
  for (bool affine : {true, false})
    for (bool bias : {true, false}) {
      INFO("affine " << affine << ", bias " << bias);
      nn::Linear fc(nn::LinearOptions(4, 5).bias(bias));
      fc->to(at::kDouble);
      auto norm1 = trained(nn::BatchNorm1d(nn::BatchNorm1dOptions(5).affine(affine)));
      merges("linear", nn::Sequential(fc, norm1), 0, random({3, 4}), "linear", linear_of, merged(fc, norm1));
      nn::Conv2d conv2(nn::Conv2dOptions(4, 6, 3).groups(2).padding(1).bias(bias));
      conv2->to(at::kDouble);
      auto norm2 = trained(nn::BatchNorm2d(nn::BatchNorm2dOptions(6).affine(affine)));
      merges(
          "conv2d", nn::Sequential(conv2, norm2), 0, random({2, 4, 5, 5}), "conv2d",
          [](auto& x, auto& theta) { return at::conv2d(x[0], theta[0], bias_of(theta), 1, 1, 1, 2); },
          merged(conv2, norm2));
      nn::Conv1d conv1(nn::Conv1dOptions(2, 3, 3).bias(bias));
      conv1->to(at::kDouble);
      auto norm3 = trained(nn::BatchNorm1d(nn::BatchNorm1dOptions(3).affine(affine)));
      merges(
          "conv1d", nn::Sequential(conv1, norm3), 0, random({2, 2, 6}), "conv1d",
          [](auto& x, auto& theta) { return at::conv1d(x[0], theta[0], bias_of(theta)); }, merged(conv1, norm3));
    }
}

TEST_CASE("the output channels of a transposed convolution are scaled group by group") {
  at::manual_seed(22);
  auto x = random({2, 4, 3, 3});
  for (bool bias : {true, false}) {
    nn::ConvTranspose2d layer(nn::ConvTranspose2dOptions(4, 6, 2).groups(2).stride(2).bias(bias));
    layer->to(at::kDouble);
    auto norm = trained(nn::BatchNorm2d(6));
    at::NoGradGuard no_grad;
    auto [scale, shift] = factors(norm);
    auto weight = layer->weight.detach().clone();  // [in, out / groups, …]
    for (int channel = 0; channel < 6; ++channel)
      weight.slice(0, channel / 3 * 2, channel / 3 * 2 + 2).select(1, channel % 3).mul_(scale[channel]);
    auto b = bias ? layer->bias * scale + shift : shift;
    at::AutoGradMode grad(true);
    merges("conv_transpose2d", nn::Sequential(layer, norm), 0, x, "conv_transpose2d",
           [](auto& in, auto& theta) { return at::conv_transpose2d(in[0], theta[0], bias_of(theta), 2, 0, 0, 2); },
           {{"weight", weight}, {"bias", b.detach()}});
  }
}

struct Stem {
  Stem() {
    at::manual_seed(23);
    layer = net.add("layer", nn::Conv2d(nn::Conv2dOptions(2, 3, 1).bias(false)));
    norm = net.add("norm", trained(nn::BatchNorm2d(3)));
    net.run = [this](const at::Tensor& in) { return norm(layer(in)); };
    x = random({2, 2, 4, 4});
  }
  Explained one_layer(const Rule& chosen) const { return layer_by_layer({{chosen, conv_of, merged(layer, norm)}}, x); }

  Net net;
  nn::Conv2d layer{nullptr};
  nn::BatchNorm2d norm{nullptr};
  at::Tensor x;
};

TEST_CASE("the merged layer's y is batch norm's output, and it has a bias") {
  Stem stem;
  auto pack = Pack::parse(R"(
    rule shown { map = R * layer.y + y }
    rule without_bias { param "bias" = 0; map = R / stabilize(y) }
    rule doubled { forward = 2 * y; backward = grad }
    composite shows { convolution => shown; batch_norm => merge }
    composite drops { convolution => without_bias; batch_norm => merge }
    composite doubles { convolution => doubled; batch_norm => merge })");
  CHECK(difference(attached_run(pack.composite("shows"), stem.net, stem.x).relevance,
                   stem.one_layer(pack.rule("shown")).relevance) <= exact);
  CHECK(difference(attached_run(pack.composite("drops"), stem.net, stem.x).relevance,
                   stem.one_layer(pack.rule("without_bias")).relevance) <= exact);
  auto doubled = attached_run(pack.composite("doubles"), stem.net, stem.x);
  CHECK(difference(doubled.output, 2 * stem.one_layer(rule("epsilon")).output) <= exact);
}

TEST_CASE("the merged layer has the linear layer's entry, name and count") {
  Stem stem;
  auto same = [&](const std::string& text, const Rule& chosen) {
    INFO(text);
    auto found = attached_run(entries(text), stem.net, stem.x);
    CHECK(difference(found.relevance, stem.one_layer(chosen).relevance) <= exact);
    CHECK(found.report[1].rule == "merge");
  };
  same("batch_norm => merge; \"layer\" => flat; any => epsilon", rule("flat"));
  same("first convolution => zplus; batch_norm => merge; any => epsilon", rule("zplus"));
  same("last convolution => zplus; batch_norm => merge; any => epsilon", rule("zplus"));
  same("batch_norm => merge; convolution => gradient", rule("gradient"));
  // A linear layer that no entry is for keeps its gradient, and so does the pair.
  same("batch_norm => merge", rule("gradient"));
}

TEST_CASE("other readers of the linear layer's output go through its own rule") {
  Stem stem;
  stem.net.run = [&](const at::Tensor& in) {
    auto y = stem.layer(in);
    return at::cat({stem.norm(y), y}, 1);
  };
  auto found = attached_run(entries("convolution => epsilon; batch_norm => merge"), stem.net, stem.x);
  at::NoGradGuard no_grad;
  auto parts = start(found.output).split(3, 1);
  auto pair = through(rule("epsilon"), conv_of, {stem.x}, merged(stem.layer, stem.norm), parts[0])[0];
  auto alone = through(rule("epsilon"), conv_of, {stem.x}, weight_and_bias(stem.layer), parts[1])[0];
  CHECK(difference(found.relevance, pair + alone) <= exact);
}

TEST_CASE("a convolution that is used twice is merged with each batch norm behind it") {
  Stem stem;
  auto other = stem.net.add("other", trained(nn::BatchNorm2d(3)));
  stem.net.run = [&](const at::Tensor& in) { return at::cat({stem.norm(stem.layer(in)), other(stem.layer(in))}, 1); };
  auto found = attached_run(entries("convolution => zplus; batch_norm => merge"), stem.net, stem.x);
  auto parts = start(found.output).split(3, 1);
  auto one = through(rule("zplus"), conv_of, {stem.x}, merged(stem.layer, stem.norm), parts[0])[0];
  auto two = through(rule("zplus"), conv_of, {stem.x}, merged(stem.layer, other), parts[1])[0];
  CHECK(difference(found.relevance, one + two) <= exact);
}

TEST_CASE("batch norm whose input is not just what a linear layer made acts as pass") {
  Stem stem;
  auto acts_as_pass = [&](const char* what, std::function<at::Tensor(const at::Tensor&)> between) {
    INFO(what);
    stem.net.run = [&, between](const at::Tensor& in) { return stem.norm(between(stem.layer(in))); };
    auto found =
        attached_run(entries("convolution => epsilon; activation => pass; batch_norm => merge"), stem.net, stem.x);
    CHECK(found.report.back().rule == "merge (acts as pass)");
  };
  acts_as_pass("an activation between", [](at::Tensor y) { return at::relu(y); });
  acts_as_pass("written into", [](at::Tensor y) { return y.clamp_(-1, 1); });
  acts_as_pass("a view", [](at::Tensor y) { return y.flip(2); });

  // The channels of a linear layer are the last dimension, those of batch norm dimension 1.
  Net rows_of_three;
  auto fc = rows_of_three.add("fc", nn::Linear(3, 4));
  auto norm = rows_of_three.add("norm", trained(nn::BatchNorm1d(4)));
  rows_of_three.run = [&](const at::Tensor& in) { return norm(fc(in)); };
  auto found = attached_run(entries("linear => epsilon; batch_norm => merge"), rows_of_three, random({2, 4, 3}));
  CHECK(found.report.back().rule == "merge (acts as pass)");
}

// The parameters of a layer for the input of the batch norm before it, worked out channel by channel.
template <typename Layer, typename Norm>
Parameters merged_before(const Layer& layer, const Norm& norm, std::int64_t groups = 1) {
  at::NoGradGuard no_grad;
  auto [scale, shift] = factors(norm);
  auto weight = layer->weight.detach().clone();
  auto bias = layer->bias.defined() ? layer->bias.detach().clone() : at::zeros({weight.size(0)}, at::kDouble);
  auto out = weight.size(0), each = weight.size(1);
  for (std::int64_t o = 0; o < out; ++o)
    for (std::int64_t i = 0; i < each; ++i) {
      auto channel = o / (out / groups) * each + i;
      bias[o] += (weight[o][i] * shift[channel]).sum();
      weight[o][i] *= scale[channel];
    }
  return {{"weight", weight}, {"bias", bias}};
}

TEST_CASE("batch norm and the linear layer or convolution behind it are one layer where nothing is padded") {
  at::manual_seed(25);
  for (bool affine : {true, false})
    for (bool bias : {true, false}) {
      INFO("affine " << affine << ", bias " << bias);
      auto norm1 = trained(nn::BatchNorm1d(nn::BatchNorm1dOptions(4).affine(affine)));
      nn::Linear fc(nn::LinearOptions(4, 5).bias(bias));
      fc->to(at::kDouble);
      merges("linear", nn::Sequential(norm1, fc), 1, random({3, 4}), "linear", linear_of, merged_before(fc, norm1));
      auto norm2 = trained(nn::BatchNorm2d(nn::BatchNorm2dOptions(4).affine(affine)));
      nn::Conv2d conv(nn::Conv2dOptions(4, 6, 3).groups(2).stride(2).bias(bias));
      conv->to(at::kDouble);
      merges(
          "conv2d", nn::Sequential(norm2, conv), 1, random({2, 4, 5, 5}), "conv2d",
          [](auto& x, auto& theta) {
            return at::conv2d(x[0], theta[0], bias_of(theta), 2, at::IntArrayRef{0, 0}, 1, 2);
          },
          merged_before(conv, norm2, 2));
    }
}

TEST_CASE("batch norm before a layer that pads, is transposed, or reads more than two dimensions acts as pass") {
  at::manual_seed(26);
  auto acts_as_pass = [](const char* what, auto norm, auto layer, const at::Tensor& x) {
    INFO(what);
    layer->to(at::kDouble);
    nn::Sequential model(norm, layer);
    auto found = attached_run(entries("linear, convolution => epsilon; batch_norm => merge"), model, x);
    CHECK(found.report.front().rule == "merge (acts as pass)");
  };
  auto norm = trained(nn::BatchNorm2d(4));
  acts_as_pass("padded", norm, nn::Conv2d(nn::Conv2dOptions(4, 2, 3).padding(1)), random({2, 4, 5, 5}));
  acts_as_pass("padded to the same size", norm, nn::Conv2d(nn::Conv2dOptions(4, 2, 3).padding(torch::kSame)),
               random({2, 4, 5, 5}));
  acts_as_pass("transposed", norm, nn::ConvTranspose2d(4, 2, 3), random({2, 4, 5, 5}));
  acts_as_pass("a linear layer on rows", trained(nn::BatchNorm1d(4)), nn::Linear(4, 2), random({3, 4, 4}));
}

TEST_CASE("batch norm whose channels are not those of the layer before or behind it is refused by itself") {
  at::manual_seed(30);
  auto fails = [](auto model, const at::Tensor& x) {
    model->to(at::kDouble);
    return failure([&] { attached_run(entries("linear, convolution => epsilon; batch_norm => merge"), model, x); });
  };
  auto three = trained(nn::BatchNorm2d(3));
  CHECK(fails(nn::Sequential(nn::ConvTranspose2d(4, 6, 2), three), random({2, 4, 3, 3}))
            .starts_with("A0609 layer '1' (batch_norm) cannot run: "));
  CHECK(fails(nn::Sequential(nn::Conv2d(4, 6, 2), three), random({2, 4, 3, 3}))
            .starts_with("A0609 layer '1' (batch_norm) cannot run: "));
  CHECK(fails(nn::Sequential(three, nn::Conv2d(4, 6, 2)), random({2, 3, 3, 3}))
            .starts_with("A0609 layer '1' (conv2d) cannot run: "));
  CHECK(fails(nn::Sequential(trained(nn::BatchNorm1d(4)), nn::Linear(3, 2)), random({2, 4}))
            .starts_with("A0609 layer '1' (linear) cannot run: "));
  CHECK(fails(nn::Sequential(trained(nn::BatchNorm1d(0)), nn::Linear(3, 2)), random({2, 0})) != "no error");
}

TEST_CASE("batch norm between two linear layers belongs to the one before it") {
  at::manual_seed(27);
  nn::Linear first(4, 3), second(3, 2);
  auto norm = trained(nn::BatchNorm1d(3));
  nn::Sequential model(first, norm, second);
  model->to(at::kDouble);
  auto x = random({3, 4});
  auto found = attached_run(entries("linear => zplus; batch_norm => merge"), model, x);
  auto expected = layer_by_layer({{rule("zplus"), linear_of, merged(first, norm)}, linear(rule("zplus"), second)}, x);
  CHECK(difference(found.relevance, expected.relevance) <= exact);
}

TEST_CASE("other readers of a batch norm that is merged into the layer behind it go through it as through pass") {
  at::manual_seed(28);
  Net net;
  auto norm = net.add("norm", trained(nn::BatchNorm1d(3)));
  auto fc = net.add("fc", nn::Linear(3, 2));
  net.run = [&](const at::Tensor& in) {
    auto y = norm(in);
    return at::cat({fc(y), y}, 1);
  };
  auto x = random({4, 3});
  auto found = attached_run(entries("linear => epsilon; batch_norm => merge"), net, x);
  auto parts = start(found.output).split({2, 3}, 1);
  auto pair = through(rule("epsilon"), linear_of, {x}, merged_before(fc, norm), parts[0])[0];
  CHECK(difference(found.relevance, pair + parts[1]) <= exact);
}

TEST_CASE("merging leaves the model's parameters and statistics as they were") {
  Stem stem;
  std::vector<at::Tensor> before;
  for (auto& each : stem.net.named_parameters()) before.push_back(each.value().detach().clone());
  for (auto& each : stem.net.named_buffers()) before.push_back(each.value().clone());
  attached_run(Pack::standard().composite("epsilon_plus"), stem.net, stem.x);
  std::size_t i = 0;
  for (auto& each : stem.net.named_parameters()) CHECK(same_bits(each.value(), before[i++]));
  for (auto& each : stem.net.named_buffers()) CHECK(same_bits(each.value(), before[i++]));
}

TEST_CASE("a product with factors is not merged with batch norm, which would meet the factors again") {
  at::manual_seed(29);
  Net net;
  auto fc = net.add("fc", nn::Linear(4, 3));
  auto norm = net.add("norm", trained(nn::BatchNorm1d(3)));
  net.run = [&](const at::Tensor& in) { return norm(at::addmm(fc->bias, in, fc->weight.t(), 0.5, 2)); };
  auto found = attached_run(entries("linear => epsilon; batch_norm => merge"), net, random({5, 4}));
  CHECK(rows(found.report) == std::vector<std::string>{"fc linear epsilon", "norm batch_norm merge "});
}

TEST_CASE("the row of a layer that is merged and read otherwise, too, counts both, each backward pass anew") {
  Stem stem;
  stem.net.run = [&](const at::Tensor& in) {
    auto y = stem.layer(in);
    return at::cat({stem.norm(y), y}, 1);
  };
  auto leaf = stem.x.clone().requires_grad_();
  auto attached = attach(entries("convolution => epsilon; batch_norm => merge"), stem.net, {.sums = true});
  auto y = stem.net.forward(leaf);
  for (int turn : {0, 1}) {
    INFO(turn);
    auto relevance = torch::autograd::grad({y}, {leaf}, {start(y)}, /*retain_graph=*/true).front();
    auto row = attached.report()[0];
    CHECK(row.above.value() == Approx(start(y).sum().item<double>()));
    CHECK(row.below.value() == Approx(relevance.sum().item<double>()));
    CHECK(row.rest().value() == Approx(0).margin(1e-9));
  }
}

}  // namespace
}  // namespace test
