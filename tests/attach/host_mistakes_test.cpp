// What a host program does wrong: one Error each, whatever it hands over, and nothing of it is left.
#include "tests/attach/scripts.hpp"

#include <c10/core/InferenceMode.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include "ascribe/heatmap.hpp"
#include "ascribe/hooked.hpp"
#include "ascribe/version.hpp"

namespace ascribe::test {
namespace {

namespace nn = torch::nn;

Model net() {
  at::manual_seed(1);
  auto one = weights({4, 3}), two = weights({2, 4});
  return loaded(sequence({linear_script(one.weight, one.bias), relu_script(), linear_script(two.weight, two.bias)}));
}
at::Tensor input() {
  at::manual_seed(2);
  return random({2, 3});
}

// Any other exception than Error, and any Error without a help line, says so.
std::string mistake(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    auto& first = error.diagnostics().at(0);
    return code_name(first.code) + (first.help.empty() ? " without help: " : " ") + first.message;
  } catch (const std::exception& other) {
    return std::string("no Error but: ") + other.what();
  }
  return "nothing";
}

TEST_CASE("there is no module: a message, not a crash") {
  nn::Linear empty(nullptr);
  CHECK(mistake([&] { (void)attach(rule("zplus"), empty); }) == "A0701 there is no module to attach rules to");
  CHECK(mistake([&] { (void)hooked(rule("zplus"), empty); }) == "A0701 there is no module to give a rule to");
  CHECK(mistake([&] { (void)hooked(rule("zplus"), std::shared_ptr<nn::LinearImpl>()); }) ==
        "A0701 there is no module to give a rule to");
  CHECK(mistake([&] { HookedImpl(rule("zplus"), nn::Linear(3, 2).ptr(), nullptr); }).starts_with("A0701 "));
}

TEST_CASE("what was moved from is what it was, or nothing") {
  auto model = net();
  auto rules = Pack::standard().composite("epsilon_plus");
  auto expected = attribute(model, rules, input(), 1).relevance;
  auto other_model = std::move(model);
  auto other_rules = std::move(rules);
  auto one = rule("zplus");
  auto other = std::move(one);
  Pack pack = Pack::parse("rule mine = std.gamma(0.5)");
  auto other_pack = std::move(pack);
  // NOLINTBEGIN(bugprone-use-after-move): this is the test
  CHECK(same_bits(attribute(model, rules, input(), 1).relevance, expected));
  CHECK(one.description() == other.description());
  CHECK(pack.rule("mine").description() == other_pack.rule("mine").description());
  nn::Sequential net(nn::Linear(3, 2));
  auto attached = attach(other, net);
  auto moved = std::move(attached);
  CHECK(attached.report().empty());
  attached.remove();
  (void)attached.inactive();
  CHECK(moved.report().empty());
  auto pause = moved.inactive();
  auto other_pause = std::move(pause);
  // NOLINTEND(bugprone-use-after-move)
}

TEST_CASE("undefined, empty, sparse, complex and misplaced inputs are refused by name") {
  auto model = net();
  auto rules = Pack::standard().composite("epsilon_plus");
  auto of = [&](const at::Tensor& x) { return mistake([&] { attribute(model, rules, x, 1); }); };
  CHECK(of({}) == "A0703 the input is no dense tensor with a batch");
  CHECK(of(input().to_sparse()) == "A0703 the input is no dense tensor with a batch");
  CHECK(of(at::ones({2, 3}, at::kComplexDouble)) == "A0703 the input is no dense tensor with a batch");
  CHECK(of(at::ones({})) == "A0703 the input is no dense tensor with a batch");
  CHECK(of(at::ones({2, 3}, at::kMeta)).starts_with("A0"));
  CHECK(of(at::ones({2, 7})).starts_with("A0609 "));
  CHECK(of(at::ones({2, 0})).starts_with("A0609 "));
  CHECK(mistake([&] { attribute(model, rules, std::vector<at::Tensor>{}, 1); }).starts_with("A0703 "));
  CHECK(mistake([&] { attribute(model, rules, {input(), input()}, 1); }).starts_with("A0703 "));
  // No sample is no mistake.
  CHECK(attribute(model, rules, at::ones({0, 3}), 1).relevance.sizes() == at::IntArrayRef{0, 3});

  auto ran = [&](const std::vector<at::Tensor>& x) { return mistake([&] { (void)model.run(x); }); };
  CHECK(ran({}).starts_with("A0703 "));
  CHECK(ran({at::Tensor()}).starts_with("A0609 "));
  CHECK(ran({at::ones({2, 3}, at::kMeta)}).starts_with("A0609 "));
  CHECK(mistake([&] { (void)model.forward(at::Tensor()); }).starts_with("A0609 "));
  CHECK(mistake([&] { (void)layers(model, {at::Tensor()}); }).starts_with("A0703 "));
  CHECK(mistake([&] { (void)layers(model, rules, {}); }).starts_with("A0703 "));
}

TEST_CASE("devices that are not there are refused by name") {
  auto model = net();
  for (auto* name : {"", "gpu", "cuda:99", "cpu:banana", "mps"}) {
    INFO(name);
    CHECK(mistake([&] { (void)model.to(name); }).starts_with("A0705 cannot use device '" + std::string(name) + "': "));
  }
}

TEST_CASE("targets that are none are refused") {
  auto model = net();
  auto rules = Pack::standard().composite("epsilon_plus");
  auto of = [&](const Target& target) { return mistake([&] { attribute(model, rules, input(), target); }); };
  CHECK(of(Target(2)).starts_with("A0704 "));
  CHECK(of(Target(-1)).starts_with("A0704 "));
  CHECK(of(Target(std::vector<std::int64_t>{})).starts_with("A0704 "));
  CHECK(of(Target::one_per_sample({1})).starts_with("A0704 "));
  CHECK(of(Target::from({})).starts_with("A0704 "));
  CHECK(of(Target::from(at::ones({2, 3}))).starts_with("A0704 "));
  CHECK(of(Target::from(at::ones({2, 2}, at::kMeta))).starts_with("A0"));
  CHECK(of(Target(1).of_output(7)).starts_with("A0704 "));
  CHECK(mistake([] { Target::named({"cat"}, {}); }).starts_with("A0704 "));
}

TEST_CASE("options that fit nothing are refused") {
  auto model = net();
  auto rules = Pack::standard().composite("epsilon_plus");
  auto of = [&](const AttributeOptions& options) {
    return mistake([&] { attribute(model, rules, input(), 1, options); });
  };
  CHECK(of({.layers = {"nothing"}}).starts_with("A0611 "));
  CHECK(of({.to_input = false}).starts_with("A0703 "));
  CHECK(of({.create_graph = true}).starts_with("A0703 "));
}

TEST_CASE("a module that fails under a rule fails as an Error, with and without gradients") {
  auto layer = hooked(rule("zplus"), nn::Linear(3, 2));
  CHECK(mistake([&] { layer->forward({}); }) == "A0703 module 'Linear' is given an undefined tensor");
  CHECK(mistake([&] { layer->forward(at::ones({1, 7})); }).starts_with("A0609 "));
  CHECK(mistake([&] { layer->forward(at::ones({1, 7}).requires_grad_()); }).starts_with("A0609 "));
  struct Nothing : nn::Module {
    at::Tensor forward(const at::Tensor&) { return {}; }
  };
  auto nothing = hooked(rule("zplus"), std::make_shared<Nothing>());
  CHECK(mistake([&] { nothing->forward(at::ones({1, 7}).requires_grad_()); }).starts_with("A0601 "));
}

TEST_CASE("rules that are not there, and a tensor for a scalar, are refused") {
  auto& pack = Pack::standard();
  CHECK(mistake([&] { (void)pack.rule("zpluss"); }).starts_with("A0202 "));
  CHECK(mistake([&] { (void)pack.rule("gamma", {{"gamma", Numbers{{2}, {1, 2}}}}); }).starts_with("A0208 "));
  CHECK(mistake([&] { (void)pack.rule("gamma", {{"gamma", Numbers{{3}, {1, 2}}}}); }).starts_with("A0208 "));
}

TEST_CASE("the version of the headers is that of the library") {
  CHECK(std::string(version()) == ASCRIBE_VERSION_TEXT);
  CHECK(std::string(version()) ==
        fmt::format("{}.{}.{}", ASCRIBE_VERSION_MAJOR, ASCRIBE_VERSION_MINOR, ASCRIBE_VERSION_PATCH));
}

}  // namespace
}  // namespace ascribe::test
