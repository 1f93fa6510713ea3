// Structure: several inputs and outputs, side inputs that are no numbers, small floating types; and what reports say of
// it all.
#include "tests/attach/models.hpp"

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/embedding.h>

namespace test {
using namespace ascribe;
namespace {

// Two branches that meet by `cat` and `+`, and two outputs.
struct TwoInTwoOut : Net {
  TwoInTwoOut() {
    at::manual_seed(61);
    left = add("left", nn::Linear(3, 4));
    right = add("right", nn::Linear(2, 4));
    joined = add("joined", nn::Linear(8, 2));
  }
  std::tuple<at::Tensor, at::Tensor> forward(const at::Tensor& a, const at::Tensor& b) {
    auto l = left(a), r = right(b);
    return {joined(at::cat({l, r}, 1)), l + r};
  }
  nn::Linear left{nullptr}, right{nullptr}, joined{nullptr};
};

TEST_CASE("several inputs and outputs: each input gets what every output hands to it") {
  TwoInTwoOut model;
  auto a = random({3, 3}), b = random({3, 2});
  auto rules = entries("linear => zplus; any => base");
  auto leaf_a = a.clone().requires_grad_(), leaf_b = b.clone().requires_grad_();
  auto attached = attach(rules, model);
  auto [first, second] = model.forward(leaf_a, leaf_b);
  attached.remove();
  auto both = torch::autograd::grad({first, second}, {leaf_a, leaf_b}, {start(first), start(second)}, true);
  auto only = torch::autograd::grad({second}, {leaf_a, leaf_b}, {start(second)});

  at::NoGradGuard no_grad;
  auto l = model.left(a), r = model.right(b);
  auto at_cat =
      through(rule("zplus"), linear_of, {at::cat({l, r}, 1)}, weight_and_bias(model.joined), start(first))[0].split(4,
                                                                                                                    1);
  auto at_sum = through(rule("norm"), sum_of, {l, r}, {}, start(second));
  auto below = [&](const nn::Linear& layer, const at::Tensor& x, const at::Tensor& R) {
    return through(rule("zplus"), linear_of, {x}, weight_and_bias(layer), R)[0];
  };
  CHECK(difference(both[0], below(model.left, a, at_cat[0] + at_sum[0])) <= exact);
  CHECK(difference(both[1], below(model.right, b, at_cat[1] + at_sum[1])) <= exact);
  CHECK(difference(only[0], below(model.left, a, at_sum[0])) <= exact);
  CHECK(difference(only[1], below(model.right, b, at_sum[1])) <= exact);
}

TEST_CASE("an input that needs no gradient gets no relevance, and the others theirs") {
  TwoInTwoOut model;
  auto a = random({3, 3}), b = random({3, 2});
  auto leaf = a.clone().requires_grad_();
  auto attached = attach(entries("linear => zplus; any => base"), model);
  auto y = std::get<1>(model.forward(leaf, b));
  attached.remove();
  auto found = torch::autograd::grad({y}, {leaf}, {start(y)}).front();
  at::NoGradGuard no_grad;
  auto share = through(rule("norm"), sum_of, {model.left(a), model.right(b)}, {}, start(y), {true, false})[0];
  CHECK(difference(found, through(rule("zplus"), linear_of, {a}, weight_and_bias(model.left), share)[0]) <= exact);
  CHECK(rows(attached.report()).back() == "add#1 add norm");
}

TEST_CASE("boolean and integer side inputs choose, and get nothing") {
  at::manual_seed(62);
  Net net;
  auto fc = net.add("fc", nn::Linear(4, 4));
  auto x = random({3, 4});
  auto mask = random({3, 4}) > 0;
  auto columns = at::tensor({3, 1, 0}, at::kLong);
  net.run = [&](const at::Tensor& in) {
    auto y = fc(in) * mask;
    y = at::where(mask, y, at::zeros_like(y)).masked_fill(mask.logical_not(), 0);
    return y.index_select(1, columns) + mask.index_select(1, columns).to(at::kLong);
  };
  auto found = attached_run(entries("any => epsilon_plus(0.1, 0.1)"), net, x);
  auto part = mask.index_select(1, columns).to(at::kDouble);
  at::NoGradGuard no_grad;
  auto y = fc(x) * mask;
  auto at_sum = through(rule("norm", {{"epsilon", 0.1}}), sum_of, {y.index_select(1, columns), part}, {},
                        start(found.output), {true, false})[0];
  auto at_scale = at::zeros_like(y).index_copy(1, columns, at_sum) * mask;
  Function times_mask = [&](auto& in, auto&) { return in[0] * mask; };
  auto at_fc = through(rule("norm", {{"epsilon", 0.1}}), times_mask, {fc(x)}, {}, at_scale)[0];
  CHECK(difference(found.relevance, through(rule("epsilon", {{"epsilon", 0.1}}), linear_of, {x}, weight_and_bias(fc),
                                            at_fc)[0]) <= exact);
}

TEST_CASE("a number that is added takes the share that a tensor of it would") {
  at::manual_seed(63);
  auto x = random({3, 4});
  Net net;
  for (std::string clauses : {"map = R / stabilize(y)", "input = max(x, 0)", "input = 1; reduce = v"}) {
    INFO(clauses);
    auto rules = Pack::parse("rule r { " + clauses + " }\ncomposite c { add => r }").composite("c");
    auto same = [&](const char* what, auto with_number, auto with_tensor) {
      INFO(what);
      net.run = with_number;
      auto number = attached_run(rules, net, x);
      net.run = with_tensor;
      auto tensor = attached_run(rules, net, x);
      CHECK(difference(number.relevance, tensor.relevance) <= exact);
      CHECK(number.report[0].bias.has_value() == tensor.report[0].bias.has_value());
      CHECK(number.report[0].bias.value_or(0) == Approx(tensor.report[0].bias.value_or(0)));
    };
    auto two = at::full({4}, 2.0, at::kDouble);
    same(
        "x + 2", [](auto& in) { return in + 2; }, [&](auto& in) { return in + two; });
    same(
        "x - 2", [](auto& in) { return in - 2; }, [&](auto& in) { return in - two; });
    same(
        "2 - x", [](auto& in) { return 2 - in; }, [&](auto& in) { return two - in; });
    same(
        "x += 2", [](auto& in) { return in.clone().add_(2, 3); }, [&](auto& in) { return in.clone().add_(two, 3); });
  }
}

TEST_CASE("small floating types: relevance has their type, close to float64") {
  at::manual_seed(64);
  for (auto [type, bound] : {std::pair{at::kHalf, 0.02}, {at::kBFloat16, 0.1}, {at::kFloat, 1e-4}}) {
    INFO(c10::toString(type));
    nn::Sequential model(nn::Conv2d(nn::Conv2dOptions(2, 4, 3).bias(false)), nn::BatchNorm2d(4), nn::ReLU(),
                         nn::Conv2d(4, 3, 2), nn::ReLU(), nn::Flatten(), nn::Linear(12, 3));
    model->eval();
    auto x = at::rand({2, 2, 5, 5}, at::kDouble);
    model->to(type);  // the same weights, rounded, in both
    auto small = attached_run(Pack::standard().composite("epsilon_plus", {{"epsilon", 0.1}}), model, x.to(type));
    model->to(at::kDouble);
    auto large =
        attached_run(Pack::standard().composite("epsilon_plus", {{"epsilon", 0.1}}), model, x.to(type).to(at::kDouble));
    CHECK(small.relevance.scalar_type() == type);
    CHECK(difference(small.relevance, large.relevance) <=
          bound * large.relevance.abs().max().clamp_max(1).item<double>() + bound * 0.1);
    CHECK(rows(small.report) == rows(large.report));
  }
}

TEST_CASE("bilinear with one factor of its own is a layer; a product of two branches is none") {
  at::manual_seed(65);
  Net net;
  auto layer = net.add("layer", nn::Bilinear(nn::BilinearOptions(3, 2, 4)));
  auto x = random({3, 3}), other = random({3, 2});
  net.run = [&](const at::Tensor& in) { return layer(in, other); };
  Function f = [&](auto& in, auto& theta) { return at::bilinear(in[0], other, theta[0], theta[1]); };
  for (std::string name : {"epsilon", "zplus", "flat"}) {
    auto found = attached_run(entries("bilinear => " + name), net, x);
    CHECK(difference(found.relevance, layer_by_layer({{rule(name), f, weight_and_bias(layer)}}, x).relevance) <= exact);
    CHECK(rows(found.report) == std::vector<std::string>{"layer bilinear " + name});
  }
  net.run = [&](const at::Tensor& in) { return layer(in, in.slice(1, 0, 2)); };
  CHECK_THAT(failure([&] { attached_run(entries("any => refuse"), net, x); }), Catch::StartsWith("A0602"));
  auto found = attached_run(entries("bilinear => refuse"), net, x);  // an operator, as far as entries go
  CHECK(rows(found.report) == std::vector<std::string>{"layer bilinear gradient"});
  CHECK(difference(found.relevance, plain_run(net, x).relevance) <= exact);
}

TEST_CASE("of a product of two values, half for each factor leaves nothing to stabilizers") {
  auto x = random({2, 3, 4});
  Net net;
  net.run = [](const at::Tensor& in) { return at::matmul(in, at::transpose(in * 2, -2, -1)) * 1; };
  auto report = attached_run(entries("matmul => uniform(1e-12)\nscale => norm(1e-12)"), net, x).report;
  auto& row = *std::find_if(report.begin(), report.end(), [](auto& each) { return each.kind == "matmul"; });
  CHECK(*row.below == Approx(*row.above));
  CHECK(row.stabilizer.value() == Approx(0).margin(1e-9));
  CHECK(row.rest().value() == Approx(0).margin(1e-9));
}

TEST_CASE("reports say what bias and stabilizer took, and what is left is nothing") {
  at::manual_seed(66);
  auto x = random({3, 4});
  nn::Linear layer(4, 3);
  layer->to(at::kDouble);
  nn::Sequential model(layer);
  auto check = [&](const std::string& text, const std::function<double(const at::Tensor&)>& bias_share) {
    INFO(text);
    auto pack = Pack::parse("rule r { " + text + " }");
    auto found = attached_run(Composite(pack.rule("r")), model, x);
    auto& row = found.report.at(0);
    CHECK(row.bias.value() == Approx(bias_share(start(found.output))).margin(1e-10));
    CHECK(row.rest().value() == Approx(0).margin(1e-10));
    CHECK(row.below.value() == Approx(found.relevance.sum().item<double>()).margin(1e-10));
  };
  at::NoGradGuard no_grad;
  auto w = layer->weight, b = layer->bias, y = layer(x);
  auto stable = y + 0.1 * at::where(y >= 0, 1.0, -1.0);
  auto sum = [](const at::Tensor& each) { return each.sum().item<double>(); };
  at::AutoGradMode grad(true);
  check("map = R / stabilize(y, 0.1)", [&](auto& R) { return sum(R / stable * b); });
  check("param \"bias\" = 0; map = R / stabilize(y, 0.1)", [&](auto&) { return 0.0; });
  check("map = R / stabilize(y, 0.1); reduce = -0.5 * x * v / 2 + (x * v) * 3",
        [&](auto& R) { return 2.75 * sum(R / stable * b); });
  auto square = [&](const at::Tensor& R) {  // y² − (y − b)²
    return sum(R * (y * y - (y - b) * (y - b)));
  };
  auto pack = Pack::parse("rule r { output = y ^ 2; map = R }");
  auto found = attached_run(Composite(pack.rule("r")), model, x);
  CHECK(found.report[0].bias.value() == Approx(square(start(found.output))));
  // Two terms, each with its own modified bias.
  auto stabilizer = attached_run(Composite(rule("alpha_beta")), model, x).report[0];
  CHECK(stabilizer.rest().value() == Approx(0).margin(1e-10));
  CHECK(std::abs(stabilizer.bias.value()) > 1e-3);
  // Other forms: above and below only.
  for (std::string text :
       {"reduce = v", "backward = grad", "reduce = layer.x * v", "input = 2 * x; reduce = x * v * x"}) {
    INFO(text);
    auto row = attached_run(Composite(Pack::parse("rule r { " + text + " }").rule("r")), model, x).report.at(0);
    CHECK(row.above.has_value());
    CHECK(row.below.has_value());
    CHECK(!row.bias.has_value());
    CHECK(!row.stabilizer.has_value());
    CHECK(row.rest().value() == Approx(*row.above - *row.below));
  }
}

TEST_CASE("reports without sums cost nothing: nobody adds up") {
  Small model;
  auto leaf = small_input().requires_grad_();
  auto attached = attach(Pack::standard().composite("epsilon_plus"), model);
  auto y = model.forward(leaf);
  y.backward(start(y));
  CHECK(attached.report().size() == 5);
  for (auto& row : attached.report()) CHECK(!row.above.has_value());
}

}  // namespace
}  // namespace test
