// Every rule for layers with weights on the grid of Zennit's own rule test, and its rules for activations.
#include <cstdlib>
#include <map>

#include "tests/evaluators.hpp"
#include "tests/parity/reference.hpp"

namespace test {
using namespace ascribe;
namespace {

constexpr double single_precision = 1e-4;

// One layer, inside of a module that holds its parameters.
struct OneLayer : torch::nn::Module {
  using Operator = at::Tensor (*)(const at::Tensor& x, const at::Tensor& w, const std::optional<at::Tensor>& b);
  static const std::map<std::string, Operator> operators;

  OneLayer(const Entry& module, at::ScalarType type) : run(operators.at(module["kind"].text())) {
    weight = register_parameter("weight", module["weight"].tensor().to(type).clone());
    if (module.has("bias")) bias = register_parameter("bias", module["bias"].tensor().to(type).clone());
  }
  at::Tensor forward(const at::Tensor& x) { return run(x, weight, bias); }

  Operator run;
  at::Tensor weight;
  std::optional<at::Tensor> bias;
};

using Tensor = at::Tensor;
using Bias = std::optional<at::Tensor>;
const std::map<std::string, OneLayer::Operator> OneLayer::operators{
    {"linear", [](const Tensor& x, const Tensor& w, const Bias& b) { return at::linear(x, w, b); }},
    {"conv1d", [](const Tensor& x, const Tensor& w, const Bias& b) { return at::conv1d(x, w, b); }},
    {"conv2d", [](const Tensor& x, const Tensor& w, const Bias& b) { return at::conv2d(x, w, b); }},
    {"conv3d", [](const Tensor& x, const Tensor& w, const Bias& b) { return at::conv3d(x, w, b); }},
    {"conv_transpose1d", [](const Tensor& x, const Tensor& w, const Bias& b) { return at::conv_transpose1d(x, w, b); }},
    {"conv_transpose2d", [](const Tensor& x, const Tensor& w, const Bias& b) { return at::conv_transpose2d(x, w, b); }},
    {"conv_transpose3d", [](const Tensor& x, const Tensor& w, const Bias& b) { return at::conv_transpose3d(x, w, b); }},
};

// From the layer's own output, or from R.
template <typename Model>
at::Tensor relevance(const Composite& rules, Model& model, const at::Tensor& x, const at::Tensor& R = {}) {
  return test::by_each_evaluator([&] {
    auto leaf = x.detach().clone().requires_grad_();
    auto attached = attach(rules, model);
    auto y = model.forward(leaf);
    attached.remove();
    return torch::autograd::grad({y}, {leaf}, {R.defined() ? R : y.detach()}).front();
  });
}

TEST_CASE("20 configurations of rules on 98 modules give what Zennit gives") {
  auto reference = Reference::best();
  auto grid = reference.read("grid.pt")["grid"];
  auto modules = grid["modules"].list(), calls = grid["calls"].list(), expected = grid["relevance"].list();
  REQUIRE(modules.size() == 98);
  REQUIRE(calls.size() == 20);

  Table table("1 grid");
  table.line("Rules on the grid of 98 modules, largest difference from Zennit's float64 ({})", reference.shown());
  table.line("{:<82} {:>5} {:>9} {:>9}", "rule", "cases", "float64", "float32");
  std::size_t all = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    auto rule = Pack::standard().call(calls[i].text());
    Largest in_double, in_single;
    std::int64_t at = 0;
    for (auto& module : modules) {
      INFO(calls[i].text() << " on " << module["name"].text());
      auto x = module["x"].tensor();
      auto wanted = expected[i].tensor().narrow(0, at, x.numel()).reshape(x.sizes());
      at += x.numel();
      OneLayer exactly(module, at::kDouble), roughly(module, at::kFloat);
      auto found = difference(relevance(rule, exactly, x), wanted);
      auto found_in_single = difference(relevance(rule, roughly, x.to(at::kFloat)), wanted);
      CHECK(found <= exact);
      CHECK(found_in_single <= single_precision);
      in_double.add(found);
      in_single.add(found_in_single);
    }
    CHECK(at == expected[i].tensor().numel());
    CHECK(expected[i].tensor().abs().max().item<double>() > 1);  // something is compared
    all += in_double.cases;
    table.line("{:<82} {:>5} {:>9.1e} {:>9.1e}", calls[i].text(), in_double.cases, in_double.difference,
               in_single.difference);
  }
  table.line("{:<82} {:>5}", "all", all);
  CHECK(all == 1960);
}

TEST_CASE("the rules for activations give what Zennit gives") {
  struct Relu : torch::nn::Module {
    at::Tensor forward(const at::Tensor& x) { return at::relu(x); }
  } relu;
  auto reference = Reference::best();
  auto given = reference.read("grid.pt")["activations"];
  auto calls = given["calls"].list(), expected = given["relevance"].list();
  auto x = given["x"].tensor(), R = given["R"].tensor();
  Table table("2 activations");
  for (std::size_t i = 0; i < calls.size(); ++i) {
    auto rules = entries("relu => " + calls[i].text());
    auto in_double = difference(relevance(rules, relu, x, R), expected[i].tensor());
    auto in_single = difference(relevance(rules, relu, x.to(at::kFloat), R.to(at::kFloat)), expected[i].tensor());
    INFO(calls[i].text());
    CHECK(in_double <= exact);
    CHECK(in_single <= single_precision);
    table.line("{:<82} {:>5} {:>9.1e} {:>9.1e}", calls[i].text(), 1, in_double, in_single);
  }
  CHECK(calls.size() == 5);
}

// Where in the files the two differ, and by how much.
void compare(const Entry& live, const Entry& stored, const std::string& where, Largest& largest) {
  INFO(where);
  if (live.value().isTensor()) {
    REQUIRE(stored.value().isTensor());
    auto found = difference(live.tensor(), stored.tensor());
    INFO(fmt::format("off by {:.1e}", found));
    CHECK(found <= 1e-12);
    largest.add(found);
  } else if (live.value().isString()) {
    REQUIRE(stored.value().isString());
    CHECK(live.text() == stored.text());
  } else if (live.value().isGenericDict()) {
    REQUIRE(live.keys() == stored.keys());
    for (auto& key : live.keys()) compare(live[key], stored[key], where + "." + key, largest);
  } else {
    auto ours = live.list(), theirs = stored.list();
    REQUIRE(ours.size() == theirs.size());
    for (std::size_t i = 0; i < ours.size(); ++i) compare(ours[i], theirs[i], where + "." + std::to_string(i), largest);
  }
}

TEST_CASE("the stored arrays are what Zennit gives") {
  auto live = Reference::live();
  // Continuous integration insists on it.
  if (auto* wanted = std::getenv("ASCRIBE_ZENNIT"); wanted && std::string(wanted) == "live") REQUIRE(live);
  Table table("5 stored");
  if (!live) {
    table.line("Zennit did not run here: all of this was compared with the stored arrays alone.");
    return;
  }
  Largest largest;
  for (auto name : {"grid.pt", "networks.pt", "differences.pt"}) {
    INFO("python tests/parity/zennit_reference.py tests/parity/stored writes them anew");
    compare(live->read(name), Reference::stored().read(name), name, largest);
  }
  table.line("Zennit ran beside us; the {} stored arrays differ from its own by at most {:.1e}", largest.cases,
             largest.difference);
}

}  // namespace
}  // namespace test
