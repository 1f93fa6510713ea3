// Models that the host runs itself: its functions, its names, its modules, and its way of taking errors.
#include "ascribe/host_model.hpp"

#include "ascribe/attribute.hpp"
#include "tests/attach/models.hpp"

namespace test {
using namespace ascribe;
namespace {

// Two linear layers with a function between them that is a module of the host's.
struct Host {
  at::Tensor first = random({4, 3}), second = random({2, 4});

  at::Tensor between(const at::Tensor& x) const { return x * x * x; }
  std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs) const {
    auto hidden = at::linear(inputs.at(0), first);
    HostModule module{"between", "Cube"};
    auto before = enter_module(module.path);
    if (wants_module(module))
      hidden =
          call_module(module, {hidden}, {}, [this](auto& given) { return std::vector{between(given.at(0))}; }).at(0);
    else
      hidden = between(hidden);
    enter_module(before);
    return {at::linear(hidden, second)};
  }
  HostModel model() const {
    return {.run = [this](auto& inputs) { return run(inputs); },
            .tensors = {{"first.weight", first}, {"second.weight", second}}};
  }
};

Composite everything_else_by_epsilon(const std::string& text) {
  return Pack::parse("composite c { " + text + "  any => epsilon }").composite("c");
}

std::vector<std::string> names_and_kinds(const Report& report) {
  std::vector<std::string> out;
  for (auto& row : report) out.push_back(row.name + " " + row.kind);
  return out;
}

TEST_CASE("a host's model is attached to and attributed, by the names that it gives") {
  at::manual_seed(81);
  Host host;
  auto x = random({2, 3});
  auto rules = everything_else_by_epsilon("class \"Cube\" => pass");
  auto a = attribute(host_model(host.model()), rules, x, Target::all());
  CHECK(names_and_kinds(a.report) == std::vector<std::string>{"first linear", "between module", "second linear"});

  auto leaf = x.clone().requires_grad_();
  auto attached = attach(rules, host.model(), {.sums = true});
  auto y = host.run({leaf}).at(0);
  attached.remove();
  auto found = torch::autograd::grad({y}, {leaf}, {y.detach()}).at(0);
  CHECK(difference(found, a.relevance) <= exact);
  CHECK(names_and_kinds(attached.report()) == names_and_kinds(a.report));
  CHECK(enter_module("") == "");
  CHECK_FALSE(wants_module({"between", "Cube"}));  // nothing is attached any more

  // By hand: what is between them passes.
  auto hidden = at::linear(x, host.first), cubed = host.between(hidden);
  auto by_epsilon = [](const at::Tensor& R, const at::Tensor& input, const at::Tensor& weight) {
    auto z = at::linear(input, weight);
    return input * at::matmul(R / (z + 1e-6 * at::where(z >= 0, 1.0, -1.0).to(z.scalar_type())), weight);
  };
  auto of_cubed = by_epsilon(y.detach(), cubed, host.second);
  CHECK(difference(found, by_epsilon(of_cubed, x, host.first)) <= 1e-9);
}

TEST_CASE("without an entry, a host's module is what its operators are") {
  at::manual_seed(82);
  Host host;
  auto a = attribute(host_model(host.model()), everything_else_by_epsilon(""), random({2, 3}), Target::all());
  CHECK(a.report.size() > 2);
  CHECK(std::none_of(a.report.begin(), a.report.end(), [](auto& row) { return row.kind == "module"; }));
}

TEST_CASE("a host may write into its parameters behind autograd's back, as optimizers do") {
  at::manual_seed(83);
  Host host;
  auto x = random({2, 3});
  auto rules = everything_else_by_epsilon("linear => zplus  class \"Cube\" => pass");
  auto model = host_model(host.model());
  auto before = attribute(model, rules, x, Target::all()).relevance;
  auto drawn = random({4, 3});
  host.first.variable_data().copy_(drawn);  // moves no version
  auto after = attribute(model, rules, x, Target::all()).relevance;

  Host other{.first = drawn.clone(), .second = host.second.clone()};
  CHECK(difference(after, attribute(host_model(other.model()), rules, x, Target::all()).relevance) <= exact);
  CHECK(difference(after, before) > 1e-3);
}

TEST_CASE("a model that disables gradients around a layer is told so, and one that computes a constant there works") {
  auto weight = random({4, 3}), x = random({1, 3});
  auto explain = [&](auto run) {
    return attribute(host_model({.run = run, .tensors = {{"weight", weight}}}),
                     Pack::standard().composite("epsilon_plus"), x);
  };
  auto hidden = [&](const std::vector<at::Tensor>& inputs) {
    at::NoGradGuard no_grad;
    return std::vector{at::linear(inputs.at(0), weight)};
  };
  CHECK(failure([&] { explain(hidden); }) ==
        "A0701 no relevance reaches the input: the model computes a layer (linear) where it disables gradients");
  auto beside = [&](const std::vector<at::Tensor>& inputs) {
    at::Tensor mean;
    {
      at::NoGradGuard no_grad;
      mean = at::mean(inputs.at(0));
    }
    return std::vector{at::linear(inputs.at(0), weight) / (1 + mean * mean)};
  };
  CHECK(explain(beside).relevance.defined());
}

struct Translated : std::exception {
  explicit Translated(Code code) : code(code) {}
  Code code;
};

TEST_CASE("errors leave operators and nodes as the host translates them") {
  at::manual_seed(83);
  Host host;
  auto model = host.model();
  model.translate = [](const Error& error) { throw Translated(error.diagnostics().front().code); };
  auto code_of = [](const std::function<void()>& body) -> std::optional<Code> {
    try {
      body();
    } catch (const Translated& translated) {
      return translated.code;
    }
    return {};
  };
  auto attached = attach(everything_else_by_epsilon(""), model);
  CHECK(code_of([&] { (void)host.run({random({2, 5}).requires_grad_()}); }) == Code::model_failed);
  auto leaf = random({2, 3}).requires_grad_();
  auto y = host.run({leaf}).at(0);
  auto start = at::ones_like(y);
  (void)torch::autograd::grad({y}, {leaf}, {start});
  CHECK(code_of([&] { (void)torch::autograd::grad({y}, {leaf}, {start}); }) == Code::released_graph);
}

TEST_CASE("errors of an attribution are ours, whatever the host makes of them on the way") {
  at::manual_seed(84);
  Host host;
  auto model = host.model();
  model.translate = [](const Error& error) { throw Translated(error.diagnostics().front().code); };
  CHECK_THROWS_AS(attribute(host_model(model), everything_else_by_epsilon(""), random({2, 5})), Error);
  model.run = [](auto&) -> std::vector<at::Tensor> { throw std::runtime_error("by the host's own fault"); };
  try {
    (void)attribute(host_model(model), everything_else_by_epsilon(""), random({2, 3}));
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.diagnostics().front().code == Code::model_failed);
    CHECK(std::string(error.what()).find("by the host's own fault") != std::string::npos);
  }
  model.run = nullptr;
  CHECK_THROWS_AS(host_model(model), Error);
}

TEST_CASE("a check is called in front of each layer's rule, and may end the backward pass") {
  at::manual_seed(85);
  Host host;
  auto model = host.model();
  int calls = 0;
  model.check = [&] {
    if (++calls == 2) throw std::runtime_error("enough");
  };
  auto attached = attach(Pack::standard().rule("epsilon"), model);
  auto leaf = random({2, 3}).requires_grad_();
  auto y = host.run({leaf}).at(0);
  attached.remove();
  CHECK_THROWS_AS(torch::autograd::grad({y}, {leaf}, {at::ones_like(y)}), std::runtime_error);
  CHECK(calls == 2);
}

}  // namespace
}  // namespace test
