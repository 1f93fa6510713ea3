// What a host program does wrong: one Error each, whatever it hands over, and nothing of it is left.
#include "tests/attach/scripts.hpp"

#include <c10/core/InferenceMode.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include <future>
#include <limits>
#include <thread>

#include "ascribe/heatmap.hpp"
#include "ascribe/hooked.hpp"
#include "ascribe/version.hpp"

namespace test {
using namespace ascribe;
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

// What arrives at the input of a linear layer: its gradient, or relevance.
at::Tensor arriving(nn::Linear layer) {
  auto x = input().to(at::kFloat).requires_grad_();
  layer->forward(x).sum().backward();
  return x.grad();
}

TEST_CASE("an attachment may end on another thread: it serves no more") {
  nn::Linear layer(3, 2);
  auto plain = arriving(layer);
  std::optional<Attachment> one, other;
  std::promise<void> attached, ended;
  std::thread thread([&] {
    one.emplace(attach(rule("zplus"), layer));
    other.emplace(attach(rule("gamma"), layer));
    attached.set_value();
    ended.get_future().wait();
    CHECK(same_bits(arriving(layer), plain));
    auto again = attach(rule("zplus"), layer);
    CHECK(!same_bits(arriving(layer), plain));
    again.remove();
    CHECK(same_bits(arriving(layer), plain));
  });
  attached.get_future().wait();
  one.reset();
  other.reset();
  CHECK(same_bits(arriving(layer), plain));
  ended.set_value();
  thread.join();
}

TEST_CASE("attachments may outlive their thread, be it as long as it or longer") {
  nn::Linear layer(3, 2);
  std::vector<Attachment> longer;
  std::thread([&] {
    // Made before anything is attached, it ends after all that attaching has made for this thread.
    thread_local std::vector<Attachment> as_long;
    for (int i = 0; i < 8; ++i) {
      as_long.push_back(attach(rule("zplus"), layer));
      longer.push_back(attach(rule("gamma"), layer));
    }
    CHECK(arriving(layer).defined());
  }).join();
  for (auto& each : longer) {
    CHECK(each.report().size() == (&each == &longer.back() ? 1u : 0u));
    each.remove();
  }
}

TEST_CASE("a layer that is given what it cannot take fails as an Error, whether relevance could go there or not") {
  nn::Linear layer(3, 2);
  auto attached = attach(rule("zplus"), layer);
  CHECK(mistake([&] { layer->forward(at::ones({2, 7}).requires_grad_()); }).starts_with("A0609 layer '"));
  CHECK(mistake([&] { layer->forward(at::ones({2, 7})); }).starts_with("A0609 a layer (linear) cannot run: "));
  CHECK(mistake([&] { layer->forward(at::ones({2, 3}, at::kLong)); }).starts_with("A0609 a layer (linear) "));
  CHECK(mistake([&] { layer->forward(at::Tensor()); }).starts_with("A0609 a layer (linear) "));
}

TEST_CASE("undefined, empty, sparse, complex and misplaced inputs are refused by name") {
  auto model = net();
  auto rules = Pack::standard().composite("epsilon_plus");
  auto of = [&](const at::Tensor& x) { return mistake([&] { attribute(model, rules, x, 1); }); };
  CHECK(of({}) == "A0703 the input is no dense tensor of real numbers with a batch");
  CHECK(of(input().to_sparse()) == "A0703 the input is no dense tensor of real numbers with a batch");
  CHECK(of(at::ones({2, 3}, at::kComplexDouble)) == "A0703 the input is no dense tensor of real numbers with a batch");
  CHECK(of(at::ones({})) == "A0703 the input is no dense tensor of real numbers with a batch");
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
    auto found = mistake([&] { (void)model.to(name); });
    CHECK(found.starts_with("A0705 cannot use device '" + std::string(name) + "': "));
    CHECK(found.size() < 250);  // no list of all backends
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
  auto of = [&](const Arguments& arguments) { return mistake([&] { (void)pack.rule("gamma", arguments); }); };
  CHECK(mistake([&] { (void)pack.rule("zpluss"); }) == "A0202 there is no rule `zpluss`");
  CHECK(mistake([&] { (void)pack.rule("something else"); }) == "A0202 there is no rule `something else`");
  CHECK(mistake([&] { (void)pack.composite(""); }) == "A0202 there is no composite ``");
  CHECK(mistake([&] { (void)pack.call(""); }) == "A0101 expected a name, found the end of the call");
  CHECK(of({{"gamma", Numbers{{2}, {1, 2}}}}) == "A0208 `gamma` of `gamma` takes a scalar, not a list of numbers");
  CHECK(of({{"gamma", Stabilizer("relative")}}) == "A0208 `gamma` of `gamma` takes a scalar, not a stabilizer");
  CHECK(of({{"zero_params", 1}}) == "A0208 `zero_params` of `gamma` takes a list of names, not a scalar");
  CHECK(of({{"epsilon", std::vector<std::string>{"bias"}}}) ==
        "A0208 `epsilon` of `gamma` takes a stabilizer, not a list of names");
  CHECK(of({{"gamma", Numbers{{3}, {1, 2}}}}) == "A0208 `gamma` is given numbers of the shape [3] with 2 values");
  CHECK(of({{"gamma", Numbers{{-1}, {}}}}) == "A0208 `gamma` is given numbers of the shape [-1]");
  constexpr auto much = std::numeric_limits<std::int64_t>::max();
  CHECK(of({{"gamma", Numbers{{much, 4}, {1}}}}).starts_with("A0208 `gamma` is given numbers of the shape [9"));
  constexpr auto nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(of({{"gamma", nan}}) == "A0208 `gamma` is given NaN, which is not a number");
  CHECK(of({{"gamma", Numbers{{2}, {1, nan}}}}) == "A0208 `gamma` is given NaN, which is not a number");
  CHECK(of({{"gama", 1}}) == "A0302 `gamma` has no parameter `gama`");
}

TEST_CASE("places beyond a source are empty") {
  Source source("net.rule", "rule\nmine", 5);
  CHECK(source.line(5) == "rule");
  CHECK(source.line(6) == "mine");
  for (std::size_t line : {0, 1, 4, 7, 99}) CHECK(source.line(line).empty());
  CHECK(source.text({5, 99}) == "mine");
  CHECK(source.text({99, 100}).empty());
  CHECK(source.text({3, 1}).empty());
}

TEST_CASE("the version of the headers is that of the library") {
  CHECK(std::string(version()) == ASCRIBE_VERSION_TEXT);
  CHECK(std::string(version()) ==
        fmt::format("{}.{}.{}", ASCRIBE_VERSION_MAJOR, ASCRIBE_VERSION_MINOR, ASCRIBE_VERSION_PATCH));
}

}  // namespace
}  // namespace test
