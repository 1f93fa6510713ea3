// A linear layer on inputs of more than two dimensions is one layer, bias and all.
#include <torch/nn/modules/linear.h>

#include <algorithm>

#include "interpreter/inside.hpp"
#include "tests/rules/expressions.hpp"

namespace ascribe {
namespace {

using namespace testing;  // NOLINT: the tests' own words

struct Named : torch::nn::Module {
  explicit Named(const Dense& dense) : layer(register_module("layer", torch::nn::Linear(3, 2))) {
    to(at::kDouble);
    at::NoGradGuard no_grad;
    layer->weight.copy_(dense.W);
    layer->bias.copy_(dense.b);
  }
  at::Tensor forward(const at::Tensor& x) { return layer->forward(x); }
  torch::nn::Linear layer;
};

void check_at_higher_rank(const std::string& text, const char* what) {
  INFO(text);
  INFO(what);
  Dense dense;
  auto x = random({2, 5, 3}, 91), R = random({2, 5, 2}, 92);
  auto rule = rule_in(text);
  Named model(dense);
  auto expected = relevance(rule, linear_layer(x, dense.W, dense.b), R);
  auto input = x.clone().requires_grad_();
  auto attached = attach(rule, model);
  auto y = model.forward(input);
  CHECK(difference(y.detach(), test::forward(Inside::bound(rule), linear_layer(x, dense.W, dense.b))) <= exact);
  y.backward(R);
  CHECK(difference(input.grad(), expected) <= tolerance);
}

TEST_CASE("a linear layer on more than two dimensions is one layer, bias and all") {
  check_at_higher_rank("rule r {}", "its bias takes a share");
  check_at_higher_rank("rule r { map = R / stabilize(layer.y, mean(abs(layer.y))); reduce = v + mean(x) }",
                       "one number per sample");
  check_at_higher_rank("rule r = gamma", "the layer's own output");
  check_at_higher_rank("rule r { backward = grad * x }", "its gradient");
}

TEST_CASE("a linear layer on more than two dimensions is one layer: its output is replaced as a whole") {
  check_at_higher_rank("rule r { forward = y ^ 2; backward = grad }", "forward sees the bias");
}

TEST_CASE("a linear layer on more than two dimensions is one layer: it has a bias") {
  check_at_higher_rank("rule r { require has(\"bias\"); map = R }", "has sees the bias");
}

TEST_CASE("a linear layer without a batch is not passed over in silence") {
  Dense dense;
  Named model(dense);
  auto x = random({3}, 98).requires_grad_();
  auto attached = attach(Pack::standard().rule("zplus"), model);
  bool refused_it = false;
  try {
    model.forward(x);
  } catch (const Error&) {
    refused_it = true;
  }
  auto report = attached.report();
  bool reported = std::any_of(report.begin(), report.end(), [](auto& row) { return row.kind == "linear"; });
  CHECK((refused_it || reported));
}

TEST_CASE("a linear layer on more than two dimensions is one layer where it is the whole model, too") {
  Dense dense;
  auto x = random({2, 5, 3}, 93), R = random({2, 5, 2}, 94);
  Named model(dense);
  auto rule = Pack::standard().rule("epsilon");
  CHECK(difference(attached_relevance(rule, *model.layer, x, R),
                   relevance(rule, linear_layer(x, dense.W, dense.b), R)) <= tolerance);
}

}  // namespace
}  // namespace ascribe
