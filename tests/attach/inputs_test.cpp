// Several forward passes in one scope, and inputs of every type and layout.
#include "tests/attach/models.hpp"

namespace test {
using namespace ascribe;
namespace {

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
  CHECK(attached.report().size() == 10);
  CHECK(attached.report()[1].name == "relu#1");
  CHECK(attached.report()[6].name == "relu#1");
  // The same input again, after its relevance is known: a new pass, and the others are over.
  auto again = model.forward(leaf_a);
  CHECK(same_bits(torch::autograd::grad({again}, {leaf_a}, {start(again)}).front(), found_a));
  CHECK(attached.report().size() == 5);
  CHECK(attached.report()[1].name == "relu#1");
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

// ------------------------------------------------------------------------------------------------------ kinds of input

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
}  // namespace test
