// Which layer gets which rule, by which name, and rules that replace outputs or do not fit.
#include "tests/attach/models.hpp"

#include <torch/nn/modules/container/modulelist.h>

namespace test {
using namespace ascribe;
namespace {

TEST_CASE("a rule with forward alone replaces the output and keeps the replacement's gradient") {
  at::manual_seed(20);
  auto x = random({3, 4});
  Net net;
  auto layer = net.add("layer", nn::Linear(4, 3));
  net.run = [&](const at::Tensor& in) { return layer(in); };
  auto rules = composite("rule halved { forward = 0.5 * y }\ncomposite c { linear => halved }");
  auto found = attached_run(rules, net, x);
  CHECK(difference(found.output, 0.5 * layer(x)) <= exact);
  CHECK(difference(found.relevance, 0.5 * at::matmul(start(0.5 * layer(x)), layer->weight)) <= exact);
}

TEST_CASE("a rule with forward replaces the output of a linear layer with its bias") {
  at::manual_seed(20);
  auto x = random({2, 3, 4});
  Net net;
  auto layer = net.add("layer", nn::Linear(4, 3));
  net.run = [&](const at::Tensor& in) { return layer(in); };
  auto rules = composite("rule squared { forward = y * y; map = R }\ncomposite c { linear => squared }");
  auto y = layer(x).detach();
  auto found = attached_run(rules, net, x);
  CHECK(difference(found.output, y * y) <= exact);
}

TEST_CASE("a rule with forward replaces the output of an in-place operator, whoever reads it") {
  at::manual_seed(20);
  auto x = random({3, 4});
  Net net;
  auto layer = net.add("layer", nn::Linear(4, 3));
  net.run = [&](const at::Tensor& in) {
    auto h = layer(in);
    at::relu_(h);  // read by its own name below
    return h * 1;
  };
  auto rules =
      composite("rule doubled { forward = 2 * y; backward = R }\ncomposite c { relu => doubled; scale => pass }");
  CHECK(difference(attached_run(rules, net, x).output, 2 * at::relu(layer(x))) <= exact);
}

TEST_CASE("a tensor argument reaches a rule that says its result outright") {
  at::manual_seed(20);
  auto x = random({2, 3, 2});
  Net net;
  net.run = [](const at::Tensor& in) { return at::relu(in); };
  auto pack = Pack::parse(
      "rule weighted(share: input = 1) { backward = R * share }\ncomposite c(share: input = 1) { activation => "
      "weighted(share) }");
  CHECK(failure([&] {
          auto found = attached_run(pack.composite("c", {{"share", Numbers{{3}, {1, 2, 3}}}}), net, x);
          CHECK(difference(found.relevance,
                           start(found.output) * at::tensor({1., 2., 3.}, at::kDouble).view({1, 3, 1})) <= exact);
        }) == "no error");
}

TEST_CASE("a rule is attached to all linear and convolution layers") {
  Small model;
  auto x = small_input();
  auto found = attached_run(Composite(rule("epsilon")), model, x);
  CHECK(difference(found.relevance,
                   model.expected(x, rule("epsilon"), rule("epsilon"), rule("epsilon"), {}).relevance) <= exact);
  CHECK(rows(found.report) == std::vector<std::string>{"features.0 conv2d epsilon", "relu#1 relu gradient",
                                                       "features.2 conv2d epsilon", "relu#2 relu gradient",
                                                       "classifier linear epsilon"});
}

TEST_CASE("a small network under epsilon_plus equals its layers one by one") {
  Small model;
  auto x = small_input();
  auto found = attached_run(Pack::standard().composite("epsilon_plus"), model, x);
  auto expected = under_epsilon_plus(model, x);
  CHECK(same_bits(found.output, expected.output));
  CHECK(difference(found.relevance, expected.relevance) <= exact);
  CHECK(difference(attached_run(Pack::standard().composite("epsilon_plus_flat"), model, x).relevance,
                   model.expected(x, rule("flat"), rule("zplus"), rule("epsilon")).relevance) <= exact);
}

// --------------------------------------------------------------------------------------------------- names and entries

TEST_CASE("layers are named after their modules, however deep, and after their kind where there is none") {
  at::manual_seed(21);
  struct Block : nn::Module {
    Block() { register_module("conv", conv), register_module("inner", inner); }
    at::Tensor forward(const at::Tensor& x) { return inner->forward(conv(x).sigmoid()); }
    nn::Conv2d conv{2, 2, 1};
    nn::Sequential inner{nn::Sequential(nn::Conv2d(2, 2, 1), nn::ReLU())};
  };
  Net net;
  auto block = net.register_module("block", std::make_shared<Block>());
  auto list = net.register_module("list", nn::ModuleList(nn::Linear(2, 2), nn::Linear(2, 1)));
  net.to(at::kDouble);
  net.run = [&](const at::Tensor& in) {
    auto h = at::relu(block->forward(in)).mean({2, 3});
    return list->at<nn::LinearImpl>(1).forward(list->at<nn::LinearImpl>(0).forward(h).relu() + 1);
  };
  auto found = attached_run(entries("convolution \"block.*\" => epsilon"), net, random({2, 2, 3, 3}));
  CHECK(rows(found.report) == std::vector<std::string>{"block.conv conv2d epsilon", "sigmoid#1 sigmoid gradient",
                                                       "block.inner.0 conv2d epsilon", "relu#1 relu gradient",
                                                       "relu#2 relu gradient", "mean#1 mean gradient",
                                                       "list.0 linear gradient", "relu#3 relu gradient",
                                                       "add#1 add gradient", "list.1 linear gradient"});
}

TEST_CASE("strings are globs over the whole name, and match no layer without one") {
  Small model;
  auto x = small_input();
  auto rules_of = [&](const std::string& text) { return rows(attached_run(entries(text), model, x).report); };
  auto served = [](const std::string& first, const std::string& second, const std::string& last,
                   const std::string& relu = "gradient") {
    return std::vector{"features.0 conv2d " + first, "relu#1 relu " + relu, "features.2 conv2d " + second,
                       "relu#2 relu " + relu, "classifier linear " + last};
  };
  CHECK(rules_of("\"features.*\" => epsilon") == served("epsilon", "epsilon", "gradient"));
  CHECK(rules_of("\"*\" => epsilon") ==
        served("epsilon", "epsilon", "epsilon"));  // `*` matches dots, but no nameless layer
  CHECK(rules_of("any \"*\" => epsilon") == served("epsilon", "epsilon", "epsilon"));
  CHECK(rules_of("\"features\" => epsilon") == served("gradient", "gradient", "gradient"));
  CHECK(rules_of("\"features.?\" => epsilon") == served("epsilon", "epsilon", "gradient"));
  CHECK(rules_of("linear \"features.*\" => epsilon") == served("gradient", "gradient", "gradient"));
  CHECK(rules_of("\"relu#1\" => epsilon") == served("gradient", "gradient", "gradient"));
  CHECK(rules_of("convolution \"*.2\", linear => epsilon") == served("gradient", "epsilon", "epsilon"));
  CHECK(rules_of("\"features.0\" => zplus; any => base; \"*\" => epsilon") ==
        served("zplus", "epsilon", "epsilon", "pass"));
}

TEST_CASE("the first entry that fits wins, and a nested composite that is silent lets the search go on") {
  Small model;
  auto x = small_input();
  auto text = R"(
    composite inner { conv2d "features.2" => epsilon(0.5) }
    composite c { any => inner; any => base; convolution => zplus; convolution => flat; linear => gamma(0.5); any => refuse })";
  auto found = attached_run(composite(text), model, x);
  CHECK(
      difference(found.relevance,
                 model.expected(x, rule("zplus"), rule("epsilon", {{"epsilon", 0.5}}), rule("gamma", {{"gamma", 0.5}}))
                     .relevance) <= exact);
  CHECK(found.report[2].rule == "epsilon(epsilon = 0.5)");
  CHECK(found.report[2].entry == "test.rule:2:23");
  CHECK(found.report[0].entry == "test.rule:3:46");
}

TEST_CASE("first counts the calls that fit its layers, in order of execution, over nested composites") {
  Small model;
  auto x = small_input();
  auto rules_of = [&](const std::string& text) {
    std::vector<std::string> out;
    for (auto& row : rows(attached_run(composite(text), model, x).report))
      out.push_back(row.substr(row.rfind(' ') + 1));
    return out;
  };
  using Rules = std::vector<std::string>;
  auto none = std::string("gradient");
  CHECK(rules_of("composite c { first convolution => flat; convolution => zplus }") ==
        Rules{"flat", none, "zplus", none, none});
  CHECK(rules_of("composite c { first 2 convolution => flat; convolution => zplus }") ==
        Rules{"flat", none, "flat", none, none});
  CHECK(rules_of("composite c { first 9 convolution => flat }") == Rules{"flat", none, "flat", none, none});
  CHECK(rules_of("composite c { first 2 linear, convolution => flat; any => epsilon }") ==
        Rules{"flat", "epsilon", "flat", "epsilon", "epsilon"});
  CHECK(rules_of("composite c { first linear => flat; linear => epsilon }") == Rules{none, none, none, none, "flat"});
  CHECK(rules_of("composite c { first any => flat }") == Rules{"flat", none, none, none, none});
}

TEST_CASE("first counts over nested composites and whatever earlier entries took") {
  Small model;
  auto x = small_input();
  auto rules_of = [&](const std::string& text) {
    std::vector<std::string> out;
    for (auto& row : rows(attached_run(composite(text), model, x).report))
      out.push_back(row.substr(row.rfind(' ') + 1));
    return out;
  };
  using Rules = std::vector<std::string>;
  auto none = std::string("gradient");
  // The earlier entry takes the first convolution; it counts all the same.
  CHECK(rules_of("composite c { \"features.0\" => epsilon; first convolution => flat }") ==
        Rules{"epsilon", none, none, none, none});
  // Inside a nested composite, calls count that the outer entry does not lead there.
  CHECK(rules_of(
            "composite inner { first convolution => flat; any => epsilon }\ncomposite c { \"features.2\" => inner }") ==
        Rules{none, none, "epsilon", none, none});
  CHECK(rules_of("composite inner { convolution => flat }\ncomposite c { first convolution => inner; convolution => "
                 "epsilon }") == Rules{"flat", none, "epsilon", none, none});
  CHECK(rules_of("composite inner { first relu => pass; convolution => flat; first 2 convolution => zplus }\ncomposite "
                 "c { first 2 any => inner; any => epsilon }") ==
        Rules{"flat", "pass", "epsilon", "epsilon", "epsilon"});
}

TEST_CASE("refuse is an error that names the layer and the entry") {
  Small model;
  auto leaf = small_input().requires_grad_();
  auto attached = attach(entries("relu => refuse"), model);
  std::string text;
  try {
    model.forward(leaf);
  } catch (const Error& error) {
    text = error.what();
  }
  CHECK(text ==
        "error[A0602]: layer 'relu#1' (relu) is refused by the rules\n"
        " --> test.rule:2:1\n"
        "2 | relu => refuse\n"
        "  | ^^^^^^^^^^^^^^ by this entry\n"
        "  = help: give it a rule of its own in an entry above");
}

TEST_CASE("a rule that does not fit a layer is an error that names layer, rule and entry") {
  Small model;
  auto leaf = small_input().requires_grad_();
  auto rules = composite("rule outright {\n  backward = R\n}\ncomposite c {\n  \"features.2\" => outright\n}");
  auto attached = attach(rules, model);
  std::string text;
  try {
    model.forward(leaf);
  } catch (const Error& error) {
    text = error.what();
  }
  CHECK(text ==
        "error[A0601]: layer 'features.2' (conv2d), rule `outright`: `backward` mixes input and output, but the layer "
        "does not keep its shape\n"
        " --> test.rule:2:14\n"
        "2 |   backward = R\n"
        "  |              ^\n"
        "5 |   \"features.2\" => outright\n"
        "  |   ------------------------ chosen here\n"
        "  = help: use terms, or give this layer another rule");
  CHECK(code_name(Code::rule_does_not_fit) == "A0601");
}

TEST_CASE("a backward rule would multiply relevance where two branches meet, and is refused there") {
  at::manual_seed(22);
  Net net;
  net.run = [](const at::Tensor& in) { return in.relu() + in.sigmoid(); };
  CHECK(failure([&] {
          attached_run(entries("any => pass"), net, random({2, 3}));
        }) == "A0601 layer 'add#1' (add), rule `pass`: it would hand each of several inputs the whole relevance");
}

}  // namespace
}  // namespace test
