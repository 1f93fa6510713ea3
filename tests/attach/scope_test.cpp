// How long rules serve, and that nothing of the model, its input or its gradients changes.
#include "tests/attach/models.hpp"

#include <torch/nn/modules/rnn.h>

#include <c10/core/impl/COW.h>

namespace test {
using namespace ascribe;
namespace {

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
  auto attached = attach(entries("activation => pass"), net, {.sums = true});
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
    auto attached = attach(entries("convolution => zplus"), model, {.sums = true});
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
  Explained found;
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

TEST_CASE("a linear layer on three dimensions has its bias, whatever the parameters are called and shared with") {
  at::manual_seed(81);
  Net net;
  auto first = net.add("first", nn::Linear(nn::LinearOptions(4, 4).bias(false)));
  auto second = net.add("second", nn::Linear(4, 4));
  second->weight = first->weight;  // tied: the weight is found under the other's name
  net.run = [&](const at::Tensor& in) { return second(in); };
  for (std::string name : {"epsilon", "zplus", "gamma"}) {
    INFO(name);
    for (auto& shape : {std::vector<std::int64_t>{3, 4}, {2, 3, 4}}) {
      auto x = random(shape);
      auto found = attached_run(Composite(rule(name)), net, x);
      CHECK(difference(found.relevance, layer_by_layer({linear(rule(name), second)}, x).relevance) <= exact);
      CHECK(rows(found.report).size() == 1);
    }
  }
  auto rules = Pack::parse("rule r { forward = 2 * y; backward = grad }").rule("r");
  net.run = [&](const at::Tensor& in) { return first(in); };
  auto x = random({2, 3, 4});
  CHECK(difference(attached_run(Composite(rules), net, x).output, 2 * first(x)) <= exact);
}

TEST_CASE("a product of two inputs has no linear layer's rule, and both get their gradient") {
  at::manual_seed(82);
  Net net;
  auto a = random({3, 4}).requires_grad_(), b = random({5, 4}).requires_grad_();
  auto attached = attach(Composite(rule("zplus")), net, {.sums = true});
  auto y = a.mm(b.t());
  attached.remove();
  auto found = torch::autograd::grad({y}, {a, b}, {start(y)});
  CHECK(difference(found[0], start(y).mm(b)) <= exact);
  CHECK(difference(found[1], start(y).t().mm(a)) <= exact);
  CHECK(rows(attached.report()) == std::vector<std::string>{"matmul#1 matmul gradient"});
}

TEST_CASE("y.backward gives no parameter of an operator that is no layer a gradient") {
  at::manual_seed(83);
  struct Model : nn::Module {
    Model() {
      token = register_parameter("token", random({1, 1, 4}));
      mixing = register_parameter("mixing", random({4, 4}));
      lstm = register_module("lstm", nn::LSTM(nn::LSTMOptions(4, 4).batch_first(true)));
      to(at::kDouble);
    }
    at::Tensor forward(const at::Tensor& x) {
      auto y = at::cat({token.expand({x.size(0), 1, 4}), x}, 1);
      return std::get<0>(lstm->forward(at::einsum("nld,de->nle", {y, mixing})));
    }
    at::Tensor token, mixing;
    nn::LSTM lstm{nullptr};
  } model;
  auto x = random({2, 3, 4});
  auto plain = plain_run(model, x);
  auto leaf = x.clone().requires_grad_();
  auto attached = attach(entries("convolution => zplus"), model);
  auto y = model.forward(leaf);
  y.backward(start(y));
  CHECK(difference(leaf.grad(), plain.relevance) <= exact);
  for (auto& each : model.named_parameters()) {
    INFO(each.key());
    CHECK(!each.value().grad().defined());
  }
}

TEST_CASE("rules cannot be attached within a backward pass") {
  Small model;
  auto leaf = small_input().requires_grad_();
  auto y = model.forward(leaf);
  std::string said;
  y.register_hook([&](const at::Tensor& gradient) {
    at::AutoGradMode record(true);
    said = failure([&] { (void)attach(Composite(rule("zplus")), model); });
    return gradient;
  });
  y.backward(start(y));
  CHECK(said.find("rules cannot be attached within a backward pass") != std::string::npos);
}

TEST_CASE("while an inner attachment is inactive, the one around it serves") {
  Small model;
  auto x = small_input();
  auto outer = attach(Composite(rule("zplus")), model);
  auto inner = attach(Composite(rule("flat")), model);
  auto pause = inner.inactive();
  auto leaf = x.clone().requires_grad_();
  auto y = model.forward(leaf);
  CHECK(rows(outer.report()).front() == "features.0 conv2d zplus");
  CHECK(inner.report().empty());
}

}  // namespace
}  // namespace test
