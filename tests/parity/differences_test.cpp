// Where Zennit is wrong. Each test shows it, against Zennit itself on an equivalent network that it does right, or
// against a formula; and that the rules here give what is right.
#include <torch/csrc/jit/serialization/import.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include "tests/parity/reference.hpp"

namespace test {
using namespace ascribe;
namespace {

constexpr double right = 1e-9;

struct Difference {
  explicit Difference(std::string chosen) : name(std::move(chosen)), values(reference.read("differences.pt")[name]) {}

  at::Tensor operator[](const std::string& key) const { return values[key].tensor(); }

  at::Tensor ours(const std::string& rules) const {
    auto composite = rules.find("=>") == std::string::npos ? Pack::standard().call(rules) : entries(rules);
    return attribute(Model::load(reference.file(name + ".pt")), composite, values["x"].tensor(),
                     Target::from(values["R"].tensor()))
        .relevance;
  }

  // Zennit is at least so far off.
  void check(const at::Tensor& relevance, double off = 0.1) const {
    auto zennits = difference(values["zennit"].tensor(), values["right"].tensor());
    auto ours = difference(relevance, values["right"].tensor());
    CHECK(zennits > off);
    CHECK(ours <= right);
    Table table("4 " + name);
    table.line("Zennit is off by {:>7.1e}, we by {:>7.1e}: {}", zennits, ours, name);
  }

  Reference reference = Reference::best();
  std::string name;
  Entry values;
};

TEST_CASE("a module that is used twice is two layers") {
  Difference twice("a_module_used_twice");
  twice.check(twice.ours("epsilon_plus(0.1)"));
}

TEST_CASE("a rule's stabilizer is the one that it is given") {
  Difference own("a_stabilizer_of_its_own");
  CHECK(at::equal(own["zennit"], own["default"]));  // as if none had been given
  own.check(own.ours("epsilon(0.5)"));
  auto parameters = torch::jit::load(own.reference.file(own.name + ".pt").string()).named_parameters();
  at::Tensor w, b;
  for (auto each : parameters) (each.name.ends_with("weight") ? w : b) = each.value.detach();
  auto z = at::linear(own["x"], w, b);
  auto by_formula = own["x"] * (own["R"] / (z + 0.5 * z.sign())).mm(w);
  CHECK(difference(own["right"], by_formula) <= right);
}

TEST_CASE("each of several inputs gets its share") {
  Difference several("several_inputs");
  several.check(several.ours("linear => epsilon(0.1)\nadd => norm(0.1)"));
}

TEST_CASE("merged batch norm leaves nothing behind: the network's output stays as it is") {
  Difference merged("batch_norm_that_keeps_its_eps");
  CHECK(difference(merged["output of zennit"], merged["output"]) > 1e-7);
  auto found = attribute(Model::load(merged.reference.file(merged.name + ".pt")),
                         Pack::standard().composite("epsilon_plus"), merged["x"], Target::from(merged["R"]));
  CHECK(difference(found.output, merged["output"]) <= 1e-12);
  merged.check(found.relevance, /*off=*/1e-7);
}

TEST_CASE("batch norm is merged into the layer that runs before it, whatever was registered before it") {
  Difference registered("batch_norm_by_registration");
  CHECK(difference(registered["output of zennit"], registered["output"]) > 0.1);
  registered.check(registered.ours("epsilon_plus"));
}

TEST_CASE("batch norm is merged into the layer behind it where there is none before it") {
  Difference before("batch_norm_before_a_layer");
  CHECK(difference(before["output by hand"], before["output"]) <= 1e-12);  // the same function
  before.check(before.ours("epsilon_plus"));
}

TEST_CASE("the first layer is the one that runs first") {
  Difference first("first_by_registration");
  first.check(first.ours("epsilon_plus_flat"));
}

TEST_CASE("each forward pass keeps its own values") {
  Difference passes("two_forward_passes");
  torch::nn::Sequential model(torch::nn::Linear(4, 5), torch::nn::ReLU(), torch::nn::Linear(5, 3));
  model->to(at::kDouble);
  auto own = model->named_parameters();
  {
    at::NoGradGuard no_grad;
    for (auto each : torch::jit::load(passes.reference.file(passes.name + ".pt").string()).named_parameters())
      own[each.name].copy_(each.value);
  }
  auto x = passes["x"].clone().requires_grad_(), other = passes["other"].clone().requires_grad_();
  auto attached = attach(Pack::standard().call("epsilon_plus(0.1)"), model);
  auto y = model->forward(x);
  model->forward(other);
  passes.check(torch::autograd::grad({y}, {x}, {passes["R"]}).front());
}

TEST_CASE("an in-place ReLU does not overwrite what its rule keeps") {
  Difference in_place("relu_in_place");
  in_place.check(in_place.ours("beta_smooth"));
}

TEST_CASE("activations that are functions get rules, too") {
  Difference functions("activations_that_are_functions");
  functions.check(functions.ours("deconvnet"));
}

TEST_CASE("mish is an activation") {
  Difference mish("an_activation_that_it_does_not_know");
  mish.check(mish.ours("epsilon_plus(0.1)"));
}

TEST_CASE("alpha_beta takes every alpha and beta that differ by 1, rounded as they are") {
  Difference linear("a_stabilizer_of_its_own");
  auto refused = linear.reference.read("differences.pt")["refusals"];
  CHECK(refused["alpha_beta(2.2, 1.2)"].text() == "ValueError");
  // αP - βN is linear in α and β.
  auto positive = linear.ours("alpha_beta(1, 0)"), both = linear.ours("alpha_beta(2, 1)");
  CHECK(difference(linear.ours("alpha_beta(2.2, 1.2)"), 2.2 * positive - 1.2 * (2 * positive - both)) <= right);
}

// The network "batch_norm" of networks_test.cpp has both, and its relevance is compared there.
TEST_CASE("batch norm is merged without parameters of its own, and into grouped transposed convolutions") {
  auto reference = Reference::best();
  auto refused = reference.read("differences.pt")["refusals"];
  CHECK(refused["batch norm without affine"].text() == "AttributeError");
  CHECK(refused["batch norm behind a grouped transposed convolution"].text() == "RuntimeError");
  auto network = reference.read("networks.pt")["batch_norm"];
  auto found = attribute(Model::load(reference.file("batch_norm.pt")), Pack::standard().composite("epsilon_plus"),
                         network["x"].tensor(), Target::from(network["R"].tensor()));
  auto merged = std::count_if(found.report.begin(), found.report.end(), [](auto& row) { return row.rule == "merge"; });
  CHECK(merged == 4);
  CHECK(difference(found.relevance, network["under"].list().at(0)["relevance"].tensor()) <= right);
}

}  // namespace
}  // namespace test
