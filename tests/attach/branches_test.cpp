// Layers that join, write in place, or are used twice: relevance is that of the layers one by one.
#include "tests/attach/models.hpp"

#include <torch/nn/modules/rnn.h>

namespace test {
using namespace ascribe;
namespace {

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
  check("conv2d", [&](auto& in) { return at::conv2d(image, in.slice(1, 0, 3).reshape({3, 3, 1, 1})); });
  check("prelu", [&](auto& in) { return at::prelu(tokens.transpose(1, 2), in[0]); });
  check("batch_norm", [&](auto& in) {
    return at::batch_norm(tokens.transpose(1, 2), in[0], in[1], at::zeros({4}, at::kDouble), at::ones({4}, at::kDouble),
                          false, 0.1, 1e-5, false);
  });
}

TEST_CASE("addmm with a summand from the input is a linear layer and a sum") {
  auto x = random({3, 4}), W = random({4, 4});
  Net net;
  net.run = [&](const at::Tensor& in) { return at::addmm(in, in, W); };
  auto rules = entries("linear, add => epsilon(1e-3)");
  auto found = attached_run(rules, net, x);
  net.run = [&](const at::Tensor& in) { return in + at::mm(in, W); };
  CHECK(difference(found.relevance, attached_run(rules, net, x).relevance) <= exact);
  REQUIRE(found.report.size() == 2);
  CHECK(found.report[0].kind == "linear");
  CHECK(found.report[1].kind == "add");
}

TEST_CASE("a constant factor of a matrix product is the weight of a linear layer, on either side") {
  at::manual_seed(19);
  auto x = random({3, 4}), c = random({2, 4});
  auto check = [&](const char* what, const Function& f) {
    INFO(what);
    Net net;
    net.run = [&](const at::Tensor& in) { return f({in}, {c}); };
    for (auto* name : {"epsilon", "zplus", "flat"}) {
      auto found = attached_run(Composite(rule(name)), net, x);
      auto expected = layer_by_layer({{rule(name), f, {{"weight", c}}}}, x);
      CHECK(difference(found.relevance, expected.relevance) <= exact);
      CHECK(found.report.at(0).kind == "linear");
    }
  };
  check("mm", [](auto& in, auto& theta) { return at::mm(theta[0], in[0].t()); });
  check("linear", [](auto& in, auto& theta) { return at::linear(theta[0], in[0]); });
}

TEST_CASE("operators without an entry keep their gradient, and the report names them") {
  at::manual_seed(19);
  auto x = random({3, 4});
  Net net;
  using Rows = std::vector<std::string>;
  auto check = [&](const Rows& operators, const std::function<at::Tensor(const at::Tensor&)>& run) {
    INFO(operators.front());
    net.run = run;
    Explained found;
    CHECK(failure([&] { found = attached_run(entries("convolution => refuse"), net, x); }) == "no error");
    CHECK(difference(found.relevance, plain_run(net, x).relevance) <= exact);
    CHECK_THAT(failure([&] { attached_run(entries("any => refuse"), net, x); }), Catch::StartsWith("A0602"));
    Rows expected;
    for (auto& each : operators) expected.push_back(each + "#1 " + each + " gradient");
    CHECK(rows(found.report) == expected);
    for (auto& row : found.report) CHECK(row.entry.empty());
    CHECK(found.report.back().above.value() == Approx(start(found.output).sum().item<double>()));
  };
  check({"logsumexp"}, [](auto& in) { return in.logsumexp(1); });
  check({"var"}, [](auto& in) { return in.var(1); });
  check({"norm"}, [](auto& in) { return in.norm(); });
  check({"prod"}, [](auto& in) { return in.prod(1); });
  check({"cumsum"}, [](auto& in) { return in.cumsum(1); });
  check({"exp"}, [](auto& in) { return in.clone().exp_(); });
  check({"matmul"}, [](auto& in) { return at::bmm(in.unsqueeze(0), in.t().unsqueeze(0)); });
  check({"matmul"}, [](auto& in) { return at::einsum("ij,kj->ik", {in, in}); });
  check({"exp", "scale", "quotient", "add"}, [](auto& in) { return at::addcdiv(in, in, in.exp()); });
  check({"scale", "product", "add"}, [](auto& in) { return at::addcmul(in, in, in); });
  check({"mse_loss"}, [&](auto& in) { return at::mse_loss(in, at::zeros_like(x)); });
  check({"glu"}, [](auto& in) { return at::glu(in, 1); });
  check({"product", "cdist"}, [](auto& in) { return at::cdist(in, in * in); });
  check({"linalg_inv_ex"}, [](auto& in) { return at::linalg_inv(in.slice(1, 0, 3)); });
  check({"scaled_dot_product_attention"}, [](auto& in) {
    auto q = in.view({1, 3, 4});
    return at::scaled_dot_product_attention(q, q, q);
  });
  check({"interpolate"}, [](auto& in) {
    return at::upsample_bilinear2d(in.view({1, 1, 3, 4}), at::IntArrayRef{6, 8}, false);
  });
}

TEST_CASE("where relevance only follows the indices there is no layer, and nothing to report") {
  at::manual_seed(19);
  auto x = random({3, 4});
  Net net;
  auto check = [&](const char* what, const std::function<at::Tensor(const at::Tensor&)>& run,
                   std::size_t constants = 0) {
    INFO(what);
    net.run = run;
    auto found = attached_run(entries("any => refuse"), net, x);
    CHECK(difference(found.relevance, plain_run(net, x).relevance) <= exact);
    for (auto& row : found.report) CHECK(row.rule == "indices");  // what constants took
    CHECK(found.report.size() == constants);
  };
  check(
      "cat",
      [](auto& in) {
        return at::cat({in, in.flip({1}), at::ones_like(in)}, 1);
      },
      1);
  check("stack", [](auto& in) { return at::stack({in, in}); });
  check("split", [](auto& in) { return in.split(1, 1)[2]; });
  check("chunk", [](auto& in) { return in.chunk(2, 1)[1]; });
  check("unbind", [](auto& in) { return in.unbind(1)[3]; });
  check("reshape", [](auto& in) { return in.reshape({2, 6}).flatten(); });
  check("permute", [](auto& in) { return in.permute({1, 0}).contiguous().t().unsqueeze(0).squeeze(0); });
  check("slice", [](auto& in) { return in.slice(1, 1, 3).select(1, 0); });
  check("index", [](auto& in) { return in.index({at::tensor({2, 0, 2})}).index_select(1, at::tensor({1, 1})); });
  check("gather", [](auto& in) { return in.gather(1, at::tensor({0, 3, 1, 1, 2, 0}).view({3, 2})); });
  check("expand", [](auto& in) { return in.unsqueeze(0).expand({5, 3, 4}); });
  check("repeat", [](auto& in) { return in.repeat({2, 2}); });
  check("upsample", [](auto& in) { return at::upsample_nearest1d(in.unsqueeze(0), 8); });
  check("pixel_shuffle", [](auto& in) { return at::pixel_shuffle(in.view({3, 4, 1, 1}), 2); });
  check(
      "where", [](auto& in) { return at::where(in.flip({1}) > 0, in, at::zeros_like(in)); }, 1);
  check(
      "masked_fill", [](auto& in) { return in.masked_fill(in.flip({1}) < 0, 0.0); }, 1);
  check("to", [](auto& in) { return in.to(at::kFloat).to(at::kDouble); });
  check("dropout", [](auto& in) { return at::dropout(in, 0.5, /*train=*/false); });
  for (auto mode : {"constant", "reflect", "replicate", "circular"})
    check(
        mode,
        [&](auto& in) {
          return at::pad(in.unsqueeze(0), {1, 1}, mode);
        },
        std::string(mode) == "constant");
  check("everything's sum", [](auto& in) { return in.sum(); });
  check("everything's mean", [](auto& in) { return in.mean(); });
}

TEST_CASE("recurrent layers are no layers yet: they keep their gradient whole") {
  at::manual_seed(19);
  auto x = random({2, 3, 4});
  auto check = [&](const std::string& kind, auto layer, auto run) {
    INFO(kind);
    Net net;
    net.add("recurrent", layer);
    net.run = [&](const at::Tensor& in) { return run(layer, in); };
    auto found = attached_run(Pack::standard().composite("epsilon_plus"), net, x);
    CHECK(difference(found.relevance, plain_run(net, x).relevance) <= exact);
    CHECK(rows(found.report) == std::vector<std::string>{"recurrent " + kind + " gradient"});
  };
  auto sequence = [](auto& layer, auto& in) { return std::get<0>(layer->forward(in)); };
  check("lstm", nn::LSTM(nn::LSTMOptions(4, 3).batch_first(true)), sequence);
  check("gru", nn::GRU(nn::GRUOptions(4, 3).batch_first(true)), sequence);
  check("rnn_tanh", nn::RNN(nn::RNNOptions(4, 3).batch_first(true)), sequence);
}

}  // namespace
}  // namespace test
