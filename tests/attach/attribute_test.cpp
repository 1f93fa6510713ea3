// attribute(): the relevance of a saved model's input in one call.
#include "tests/attach/scripts.hpp"

#include <c10/core/InferenceMode.h>
#include <c10/core/impl/COW.h>

#include <thread>

namespace test {
using namespace ascribe;
namespace {

// Two linear layers with a ReLU between, [N, 4] to [N, 3].
struct Classifier {
  explicit Classifier(at::ScalarType type = at::kDouble) {
    at::manual_seed(1);
    one = random({6, 4}), one_bias = random({6}), two = random({3, 6}), two_bias = random({3});
    auto net = sequence({linear_script(one.to(type), one_bias.to(type)), relu_script(),
                         linear_script(two.to(type), two_bias.to(type))});
    model.emplace(loaded(net));
  }
  // Relevance of x from R, the relevance of the output.
  at::Tensor expected(const at::Tensor& x, const at::Tensor& R) const {
    Function linear = [](auto& in, auto& t) { return at::linear(in[0], t[0], t[1]); };
    auto h = at::linear(x, one, one_bias), a = h.relu();
    return through(rule("epsilon"), linear, {x}, {{"weight", one}, {"bias", one_bias}},
                   through(rule("epsilon"), linear, {a}, {{"weight", two}, {"bias", two_bias}}, R)[0])[0];
  }
  at::Tensor output(const at::Tensor& x) const {
    return at::linear(at::linear(x, one, one_bias).relu(), two, two_bias);
  }

  at::Tensor one, one_bias, two, two_bias;
  std::optional<Model> model;
};

at::Tensor input(std::int64_t batch = 3) {
  at::manual_seed(2);
  return random({batch, 4});
}

// Only column `index` of R, or one value in each row.
at::Tensor only(const at::Tensor& y, std::int64_t index) {
  auto R = at::zeros_like(y);
  R.select(1, index).copy_(y.select(1, index));
  return R;
}

TEST_CASE("a target is an index of dimension 1, and relevance starts from the output's own value") {
  Classifier net;
  auto x = input();
  auto y = net.output(x);
  for (int index : {0, 1, 2}) {
    auto found = attribute(*net.model, epsilon_plus(), x, index);
    CHECK(difference(found.relevance, net.expected(x, only(y, index))) <= exact);
    CHECK(difference(found.output, y) <= exact);
  }
}

TEST_CASE("without a target, each sample's largest output counts") {
  Classifier net;
  auto x = input(8);
  auto y = net.output(x);
  auto R = at::zeros_like(y);
  R.scatter_(1, y.argmax(1, true), y.amax(1, true));
  REQUIRE(y.argmax(1).min().item<std::int64_t>() != y.argmax(1).max().item<std::int64_t>());
  CHECK(difference(attribute(*net.model, epsilon_plus(), x).relevance, net.expected(x, R)) <= exact);
  CHECK(difference(attribute(*net.model, epsilon_plus(), x, Target::largest()).relevance, net.expected(x, R)) <= exact);
}

TEST_CASE("relevance starts from one") {
  Classifier net;
  auto x = input();
  auto y = net.output(x);
  CHECK(difference(attribute(*net.model, epsilon_plus(), x, Target(1).from_one()).relevance,
                   net.expected(x, only(at::ones_like(y), 1))) <= exact);
  auto R = at::zeros_like(y);
  R.scatter_(1, y.argmax(1, true), 1);
  CHECK(difference(attribute(*net.model, epsilon_plus(), x, Target::largest().from_one()).relevance,
                   net.expected(x, R)) <= exact);
  Target one(1);
  CHECK(!one.starts_from_one());
  CHECK(one.from_one().starts_from_one());
  CHECK(!one.starts_from_one());
}

TEST_CASE("relevance starts from a tensor, which stays as it is") {
  Classifier net;
  auto x = input();
  auto R = random({3, 3}), before = R.clone();
  CHECK(difference(attribute(*net.model, epsilon_plus(), x, Target::from(R)).relevance, net.expected(x, R)) <= exact);
  CHECK(difference(attribute(*net.model, epsilon_plus(), x, Target::from(R).from_one()).relevance,
                   net.expected(x, R)) <= exact);
  CHECK(same_bits(R, before));
  // Of another type, without contiguous memory, or with a history of its own.
  CHECK(difference(attribute(*net.model, epsilon_plus(), x, Target::from(R.to(at::kFloat))).relevance,
                   net.expected(x, R.to(at::kFloat).to(at::kDouble))) <= exact);
  CHECK(difference(attribute(*net.model, epsilon_plus(), x, Target::from(R.t().contiguous().t())).relevance,
                   net.expected(x, R)) <= exact);
  CHECK(difference(attribute(*net.model, epsilon_plus(), x, Target::from(R.clone().requires_grad_() * 1)).relevance,
                   net.expected(x, R)) <= exact);
  CHECK(
      difference(
          attribute(*net.model, epsilon_plus(), x, Target::from(at::ones({1, 1}, at::kLong).expand({3, 3}))).relevance,
          net.expected(x, at::ones({3, 3}, at::kDouble))) <= exact);
}

TEST_CASE("a tensor without values is no start") {
  Classifier net;
  CHECK(failure([&] {
          attribute(*net.model, epsilon_plus(), input(), Target::from(at::Tensor()));
        }).starts_with("A0704"));
}

TEST_CASE("targets that the output lacks are errors") {
  Classifier net;
  auto x = input();
  auto fails = [&](const Target& target) { return failure([&] { attribute(*net.model, epsilon_plus(), x, target); }); };
  CHECK(fails(3) == "A0704 target 3 is out of range: the model has 3 outputs");
  CHECK(fails(-1) == "A0704 target -1 is out of range: the model has 3 outputs");
  CHECK(fails(std::numeric_limits<std::int64_t>::max()) ==
        "A0704 target 9223372036854775807 is out of range: the model has 3 outputs");
  CHECK(fails(Target::from(at::ones({3, 2}))) == "A0704 the start has the shape [3, 2], the model's output [3, 3]");
  CHECK(fails(Target::from(at::ones({3}))) == "A0704 the start has the shape [3], the model's output [3, 3]");
  CHECK(fails(Target::from(at::ones({1, 3}))) == "A0704 the start has the shape [1, 3], the model's output [3, 3]");
  try {
    attribute(*net.model, epsilon_plus(), x, 3);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(std::string(error.what()) ==
          "error[A0704]: target 3 is out of range: the model has 3 outputs\n  = help: choose 0 to 2");
  }
}

TEST_CASE("outputs of other shapes need an index, or a start") {
  auto x = input();
  auto vector = loaded(script("def forward(self, x):\n  return torch.relu(x).select(1, 0)\n"));
  CHECK(
      same_bits(attribute(vector, epsilon_plus(), x.to(at::kFloat), Target::from(at::ones({3}))).relevance.select(1, 0),
                at::ones({3})));

  auto maps = loaded(script("def forward(self, x):\n  return torch.relu(x)\n"));
  auto image = at::randn({2, 3, 2, 2});
  CHECK(failure([&] { attribute(maps, epsilon_plus(), image); }) ==
        "A0704 the model's output has the shape [2, 3, 2, 2]: which target?");
  auto found = attribute(maps, epsilon_plus(), image, 1);
  auto expected = at::zeros_like(image);
  expected.select(1, 1).copy_(image.select(1, 1).relu());  // at every further position, in every sample
  CHECK(same_bits(found.relevance, expected));
  expected.select(1, 1).fill_(1);
  CHECK(same_bits(attribute(maps, epsilon_plus(), image, Target(1).from_one()).relevance, expected));

  auto none = loaded(script("def forward(self, x):\n  return torch.relu(x)[:, :0]\n"));
  CHECK(failure([&] { attribute(none, epsilon_plus(), x, 0); }) ==
        "A0704 target 0 is out of range: the model has 0 outputs");
  CHECK(failure([&] { attribute(none, epsilon_plus(), x); }).starts_with("A0704"));
}

TEST_CASE("samples do not influence each other") {
  Classifier net;
  auto x = input(5);
  for (auto& rules : {epsilon_plus(), Composite(rule("gamma")), Composite(rule("zplus")),
                      Pack::parse("fn relative(z, epsilon) = stabilize(z, epsilon * sqrt(mean(z ^ 2)))")
                          .call("epsilon_plus(relative(0.1))")}) {
    INFO(rules.description());
    auto together = attribute(*net.model, rules, x).relevance;
    for (std::int64_t i = 0; i < x.size(0); ++i)
      CHECK(difference(together.narrow(0, i, 1), attribute(*net.model, rules, x.narrow(0, i, 1)).relevance) <= exact);
  }
}

TEST_CASE("attribute gives an empty batch empty relevance") {
  Classifier net;
  auto found = attribute(*net.model, epsilon_plus(), input(0));
  CHECK(found.relevance.sizes() == at::IntArrayRef({0, 4}));
  CHECK(found.output.sizes() == at::IntArrayRef({0, 3}));
}

TEST_CASE("attribute works where gradients are disabled, but not in InferenceMode") {
  Classifier net;
  auto x = input();
  auto expected = attribute(*net.model, epsilon_plus(), x).relevance;
  {
    at::NoGradGuard no_grad;
    CHECK(same_bits(attribute(*net.model, epsilon_plus(), x).relevance, expected));
    CHECK(!at::GradMode::is_enabled());
  }
  at::Tensor made_there;
  {
    c10::InferenceMode inference;
    made_there = x.clone();
    CHECK(failure([&] { attribute(*net.model, epsilon_plus(), x); }) ==
          "A0606 relevance needs gradients, which InferenceMode disables");
  }
  CHECK(same_bits(attribute(*net.model, epsilon_plus(), made_there).relevance, expected));
  CHECK(same_bits(attribute(*net.model, epsilon_plus(), x).relevance, expected));
}

TEST_CASE("the input stays as it is, and the results have no history and no memory in common with it") {
  Classifier net;
  for (bool requires_grad : {false, true}) {
    auto x = input().requires_grad_(requires_grad), before = x.detach().clone();
    auto version = x._version();
    auto found = attribute(*net.model, epsilon_plus(), x);
    CHECK(same_bits(x.detach(), before));
    CHECK(x.requires_grad() == requires_grad);
    CHECK(!x.grad().defined());
    CHECK(x.is_leaf());
    CHECK(x._version() == version);
    CHECK(!c10::impl::cow::is_cow_data_ptr(x.storage().data_ptr()));
    for (auto& each : {found.relevance, found.output}) {
      CHECK(!each.requires_grad());
      CHECK(!each.is_alias_of(x));
    }
  }
  auto source = input().requires_grad_();
  attribute(*net.model, epsilon_plus(), source * 2);  // one with a history
  CHECK(!source.grad().defined());
}

TEST_CASE("results are the caller's own: they share no memory with the start, the model, or the next call's") {
  auto same = loaded(script("def forward(self, x):\n  return torch.relu(x)\n"));
  auto x = at::rand({2, 3}), R = at::rand({2, 3});
  auto found = attribute(same, epsilon_plus(), x, Target::from(R));
  CHECK(!found.relevance.is_alias_of(R));
  auto constant = loaded(
      script("def forward(self, x):\n  return self.shift + 0 * x.sum()\n", {}, {}, {{"shift", at::ones({2, 3})}}));
  auto one = attribute(constant, entries("any => norm"), x, Target::from(R)),
       two = attribute(constant, entries("any => norm"), x, Target::from(R));
  CHECK(!one.output.is_alias_of(two.output));
}

TEST_CASE("a model that returns its input hands relevance to it") {
  auto model = loaded(script("def forward(self, x):\n  return x\n"));
  auto x = at::rand({2, 3});
  auto found = attribute(model, epsilon_plus(), x, 1);
  CHECK(same_bits(found.relevance, only(x, 1)));
  CHECK(found.report.empty());
  CHECK(!found.output.is_alias_of(x));
}

TEST_CASE(
    "a model whose output does not depend on its input is an error, whether or not its parameters have gradients") {
  for (bool with_parameters : {false, true}) {
    INFO(with_parameters);
    auto model =
        with_parameters
            ? loaded(script("def forward(self, x):\n  return self.weight * 2\n", {{"weight", at::ones({1, 3})}}))
            : loaded(script("def forward(self, x):\n  return torch.ones([1, 3])\n"));
    CHECK(failure([&] {
            attribute(model, epsilon_plus(), at::ones({1, 3}));
          }) == "A0701 the model's output does not depend on its input");
  }
  auto classes = loaded(script("def forward(self, x):\n  return torch.argmax(x, 1)\n"));
  CHECK(failure([&] {
          attribute(classes, epsilon_plus(), at::ones({1, 3}), Target::from(at::ones({1})));
        }) == "A0701 the model's output is of int64, and relevance starts from real numbers");
}

TEST_CASE("relevance has the type of the input or of the model, whichever is more precise") {
  auto x = input();
  for (auto model_type : {at::kFloat, at::kDouble}) {
    Classifier net(model_type);
    CHECK(net.model->options().dtype() == model_type);
    auto expected = net.expected(x, only(net.output(x), 1));
    for (auto type : {at::kFloat, at::kDouble}) {
      INFO(model_type << " " << type);
      auto found = attribute(*net.model, epsilon_plus(), x.to(type), 1);
      CHECK(found.relevance.scalar_type() == at::promote_types(type, model_type));
      CHECK(found.output.scalar_type() == model_type);
      CHECK(difference(found.relevance, expected) < 1e-4);
    }
    for (auto type : {at::kLong, at::kInt, at::kByte, at::kBool}) {
      INFO(model_type << " " << type);
      auto numbers = at::arange(12).view({3, 4}).to(type);
      auto found = attribute(*net.model, epsilon_plus(), numbers, 1);
      CHECK(found.relevance.scalar_type() == model_type);
      auto as_double = numbers.to(at::kDouble);
      CHECK(difference(found.relevance, net.expected(as_double, only(net.output(as_double), 1))) <
            (model_type == at::kDouble ? exact : 1e-4));
    }
    CHECK(attribute(*net.model, epsilon_plus(), x.to(at::kHalf), 1).relevance.scalar_type() == model_type);
  }
}

TEST_CASE("an input of any memory layout has the same relevance, in its shape") {
  auto model = Model::load(digits() / "model.pt");
  at::manual_seed(3);
  auto x = at::rand({2, 1, 8, 8});
  auto expected = attribute(model, epsilon_plus(), x, 3).relevance;
  CHECK(difference(attribute(model, epsilon_plus(), x.transpose(2, 3).contiguous().transpose(2, 3), 3).relevance,
                   expected) < 1e-6);
  CHECK(difference(attribute(model, epsilon_plus(), x.contiguous(at::MemoryFormat::ChannelsLast), 3).relevance,
                   expected) < 1e-6);
  CHECK(difference(attribute(model, epsilon_plus(), x[0].expand({4, 1, 8, 8}), 3).relevance.narrow(0, 3, 1),
                   expected.narrow(0, 0, 1)) < 1e-5);
}

TEST_CASE("what is no input is an error of ours") {
  Classifier net;
  for (auto& x : {at::Tensor(), at::ones({}), at::ones({4}), at::ones({2, 5}), at::ones({2, 4}).to_sparse()}) {
    auto text = failure([&] { attribute(*net.model, epsilon_plus(), x, 0); });
    INFO(text);
    CHECK(text.starts_with("A0"));
    CHECK(text.find('\n') == text.npos);
  }
}

TEST_CASE("the report has a row for every layer, in order, and what one hands down the next receives") {
  Classifier net;
  auto x = input();
  auto found = attribute(*net.model, epsilon_plus(), x, 1);
  REQUIRE(rows(found.report) == std::vector<std::string>{"0 linear epsilon", "1 relu pass", "2 linear epsilon"});
  CHECK(found.report[0].rule == "epsilon(epsilon = 1e-06)");
  CHECK(found.report[1].rule == "pass");
  CHECK(found.report[0].entry.find("composites.rule:") != std::string::npos);
  CHECK(found.report[0].shape == std::vector<std::int64_t>{3, 6});
  CHECK(found.report[1].shape == std::vector<std::int64_t>{3, 6});
  CHECK(found.report[2].shape == std::vector<std::int64_t>{3, 3});
  auto close = [](double a, double b) { return std::abs(a - b) <= 1e-9 * std::max(1.0, std::abs(b)); };
  CHECK(close(found.report[2].above.value(), net.output(x).select(1, 1).sum().item<double>()));
  CHECK(close(found.report[1].above.value(), found.report[2].below.value()));
  CHECK(close(found.report[1].below.value(), found.report[1].above.value()));
  CHECK(close(found.report[0].above.value(), found.report[1].below.value()));
  CHECK(close(found.report[0].below.value(), found.relevance.sum().item<double>()));
  // Every call starts its own.
  CHECK(attribute(*net.model, epsilon_plus(), x, 1).report.size() == 3);
}

TEST_CASE("layers that relevance does not reach have empty sums") {
  auto model = loaded(
      script("def forward(self, x):\n  gate = torch.sigmoid(x).detach()\n  return torch.relu(torch.tanh(x) * gate)\n"));
  auto found = attribute(model, epsilon_plus(), at::rand({2, 3}), 1);
  REQUIRE(rows(found.report) == std::vector<std::string>{"sigmoid#1 sigmoid pass", "tanh#1 tanh pass",
                                                         "scale#1 scale norm", "relu#1 relu pass"});
  CHECK(!found.report[0].above);
  CHECK(!found.report[0].below);
  CHECK(found.report[1].above);
  CHECK(found.report[1].below);
}

TEST_CASE("the report of layers that keep their gradient counts the input's share, not the parameters'") {
  Classifier net;
  auto found = attribute(*net.model, entries("activation => pass"), input(), 1);
  REQUIRE(rows(found.report) == std::vector<std::string>{"0 linear gradient", "1 relu pass", "2 linear gradient"});
  CHECK(found.report[2].below.value() == Approx(found.report[1].above.value()));
  CHECK(found.report[0].below.value() == Approx(found.relevance.sum().item<double>()));
}

TEST_CASE("attribute leaves other attachments and the thread as they were") {
  Classifier net;
  auto x = input();
  auto expected = attribute(*net.model, epsilon_plus(), x).relevance;
  struct Empty : torch::nn::Module {
  } module;
  auto outer = attach(Composite(rule("flat")), module);
  CHECK(same_bits(attribute(*net.model, epsilon_plus(), x).relevance, expected));
  CHECK(outer.report().empty());
  CHECK(failure([&] { attribute(*net.model, epsilon_plus(), x, 99); }).starts_with("A0704"));
  CHECK(outer.report().empty());
  auto leaf = at::ones({2, 4}, at::kDouble).requires_grad_();
  at::linear(leaf, net.one);
  CHECK(rows(outer.report()) == std::vector<std::string>{"linear#1 linear flat"});
}

TEST_CASE("threads with different rules and targets share a model") {
  auto model = Model::load(digits() / "model.pt");
  std::vector<Composite> rules{epsilon_plus(), Pack::standard().composite("epsilon_plus_flat"),
                               Composite(rule("gamma")), Composite(rule("epsilon"))};
  at::manual_seed(4);
  auto x = at::rand({2, 1, 8, 8});
  std::vector<at::Tensor> alone;
  for (std::size_t i = 0; i < rules.size(); ++i)
    alone.push_back(attribute(model, rules[i], x, static_cast<std::int64_t>(i)).relevance);
  std::vector<int> right(rules.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < rules.size(); ++i)
    threads.emplace_back([&, i] {
      for (int turn = 0; turn < 8; ++turn)
        right[i] += same_bits(attribute(model, rules[i], x, static_cast<std::int64_t>(i)).relevance, alone[i]);
    });
  for (auto& each : threads) each.join();
  CHECK(right == std::vector<int>(rules.size(), 8));
}

}  // namespace
}  // namespace test
