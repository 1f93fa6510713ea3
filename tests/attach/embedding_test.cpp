// Embeddings: indices get no relevance; it ends at the embedding's output.
#include "tests/attach/models.hpp"

#include <torch/nn/modules/embedding.h>

namespace test {
using namespace ascribe;
namespace {

struct Sentence : Net {
  Sentence() {
    at::manual_seed(51);
    words = add("words", nn::Embedding(9, 4));
    places = add("places", nn::Embedding(3, 4));
    fc = add("fc", nn::Linear(4, 2));
  }
  at::Tensor head(const at::Tensor& embedded) { return fc(at::tanh(embedded).mean(1)); }
  at::Tensor forward(const at::Tensor& ids) {
    at_words = words(ids);
    at_places = places(at::arange(3).expand_as(ids));
    return head(at_words + at_places);
  }
  nn::Embedding words{nullptr}, places{nullptr};
  nn::Linear fc{nullptr};
  at::Tensor at_words, at_places;
};

at::Tensor ids() { return at::tensor({1, 5, 2, 8, 0, 5}, at::kLong).view({2, 3}); }

TEST_CASE("relevance ends at the output of an embedding, and what is added there takes its share") {
  Sentence model;
  auto rules = entries("any => base; linear => zplus");
  auto attached = attach(rules, model, {.sums = true});
  auto y = model.forward(ids());
  attached.remove();
  auto found = torch::autograd::grad({y}, {model.at_words, model.at_places}, {start(y)}, true);

  y.backward(start(y));  // the report's sums come from a pass that reaches the layers themselves

  auto w = model.words->weight.detach().index_select(0, ids().view(-1)).view({2, 3, 4});
  auto p = model.places->weight.detach().expand({2, 3, 4});
  Net rest;
  rest.run = [&](const at::Tensor& embedded) { return model.head(embedded); };
  auto whole = attached_run(rules, rest, w + p);
  CHECK(difference(y, whole.output) <= exact);
  auto shares = through(rule("norm"), sum_of, {w, p}, {}, whole.relevance);
  CHECK(difference(found[0], shares[0]) <= exact);
  CHECK(difference(found[1], shares[1]) <= exact);

  CHECK(rows(attached.report()) == std::vector<std::string>{"words embedding gradient", "places embedding gradient",
                                                            "add#1 add norm", "tanh#1 tanh pass", "mean#1 mean norm",
                                                            "fc linear zplus"});
  CHECK(attached.report()[0].above.value() == Approx(shares[0].sum().item<double>()));
  CHECK(!attached.report()[0].below);
}

TEST_CASE("a rule may replace an embedding's output, and has no more to hand down") {
  Sentence model;
  auto attached = attach(Pack::parse("rule r { forward = 2 * y; backward = R }\n"
                                     "composite c { \"words\" => r; any => epsilon_plus }")
                             .composite("c"),
                         model);
  auto y = model.forward(ids());
  y.backward(start(y));
  auto w = model.words->weight.detach().index_select(0, ids().view(-1)).view({2, 3, 4});
  CHECK(difference(model.at_words, 2 * w) <= exact);
  CHECK(!model.words->weight.grad().defined());
  CHECK(rows(attached.report())[0] == "words embedding r");
}

TEST_CASE("every embedding begins a forward pass, and branches that meet are one") {
  Sentence model;
  auto rules = entries("first linear => flat; last linear => zplus; any => epsilon_plus");
  auto attached = attach(rules, model);
  for (int turn : {0, 1}) {
    INFO(turn);
    auto y = model.forward(ids());
    y.backward(start(y));
    CHECK(rows(attached.report()).back() == "fc linear flat");
    CHECK(attached.report().back().name == "fc");
    CHECK(attached.report()[3].name == "tanh#1");
  }
}

TEST_CASE("an embedding that is refused says so") {
  Sentence model;
  auto attached = attach(entries("embedding => refuse"), model);
  CHECK(failure([&] { model.forward(ids()); }).find("layer 'words' (embedding) is refused") != std::string::npos);
}

}  // namespace
}  // namespace test
