// Integers as inputs: looked up by embeddings, in whatever view or copy, or computed with until they turn floating.
#include "tests/attach/scripts.hpp"

namespace test {
using namespace ascribe;
namespace {

at::Tensor integers(std::vector<std::int64_t> values, at::IntArrayRef shape) {
  return at::tensor(at::IntArrayRef(values), at::kLong).view(shape);
}

// In source that C++ compiles, element types are numbers: 3 is int32, 4 int64, 6 float32, 7 float64.

Composite base() { return entries("linear => epsilon(1e-14); any => base(1e-14)"); }

// ------------------------------------------------------------------------------------------------------- embeddings

// What epsilon hands to the rows of a table that are side by side in front of a linear layer.
struct Lookup {
  explicit Lookup(const std::string& indices, std::int64_t count = 2) {
    at::manual_seed(31);
    table = random({7, 3}), part = weights({2, 3 * count});
    model.emplace(
        loaded(script("def forward(self, x):\n"
                      "  e = torch.embedding(self.table, " +
                          indices + ")\n  return self.part.forward(e.flatten(1))\n",
                      {{"table", table}}, {{"part", linear_script(part.weight, part.bias)}})));
  }
  at::Tensor expected(const at::Tensor& chosen) const {
    auto e = table.index({chosen}).flatten(1);
    auto R = at::zeros({e.size(0), 2}, at::kDouble);
    R.select(1, 1).copy_(linear_of({e}, {part.weight, part.bias}).select(1, 1));
    return through(rule("epsilon"), linear_of, {e}, part.both(), R)[0].view({e.size(0), -1, 3}).sum(-1);
  }
  at::Tensor found(const at::Tensor& x) const {
    return attribute(*model, entries("linear => epsilon; any => base"), x, 1, {.sum_embeddings = true}).relevance;
  }
  at::Tensor table;
  Weights part;
  std::optional<Model> model;
};

TEST_CASE("what an embedding looks up gets its relevance in its place, whatever view or copy of it is read") {
  auto x = integers({1, 5, 6, 2, 0, 3}, {2, 3});
  auto placed = [&](const Lookup& net, const at::Tensor& places) {
    auto expected = at::zeros({6}, at::kDouble);
    auto flat = places.flatten();
    expected.index_add_(0, flat, net.expected(x.flatten().index({places})).flatten());
    return expected.view({2, 3});
  };
  auto all = at::arange(6, at::kLong).view({2, 3});
  struct Case {
    std::string indices;
    at::Tensor places;
  };
  for (auto& [indices, places] :
       std::vector<Case>{{"x[:, :2]", all.slice(1, 0, 2)},
                         {"x[:, 1:]", all.slice(1, 1)},
                         {"x[:, 0].unsqueeze(1).expand(-1, 2)", all.select(1, 0).unsqueeze(1).expand({-1, 2})},
                         {"x.t().t()[:, ::2]", all.slice(1, 0, 3, 2)},
                         {"x.flip([1])[:, :2]", all.flip({1}).slice(1, 0, 2)},
                         {"x.to(3).to(4)[:, 1:]", all.slice(1, 1)},
                         {"torch.cat([x[:, 2:], x[:, :1]], 1)", at::cat({all.slice(1, 2), all.slice(1, 0, 1)}, 1)},
                         {"x[:, [2, 0]]", all.index_select(1, integers({2, 0}, {2}))},
                         {"(x[:, :2].clone() + 1) - 1", all.slice(1, 0, 2)},
                         {"torch.where(x > 3, x, x)[:, 1:]", all.slice(1, 1)}}) {
    INFO(indices);
    Lookup net(indices);
    CHECK(difference(net.found(x), placed(net, places)) <= exact);
    auto narrow = x.to(at::kInt);
    CHECK(difference(net.found(narrow), placed(net, places)) <= exact);
  }
}

TEST_CASE("what is put beside the integers comes from no place, and gets nothing") {
  auto x = integers({1, 5}, {2, 1});
  for (std::string indices : {"torch.constant_pad_nd(x, [1, 0], 4)", "torch.cat([torch.full_like(x, 4), x], 1)"}) {
    INFO(indices);
    Lookup net(indices);
    auto expected = net.expected(at::cat({at::full_like(x, 4), x}, 1)).slice(1, 1);
    CHECK(difference(net.found(x), expected) <= exact);
  }
  // As decoders shift their input: written into a part of another tensor.
  at::manual_seed(32);
  auto table = random({7, 3});
  auto model =
      loaded(script("def forward(self, x):\n"
                    "  y = torch.zeros_like(x)\n"
                    "  y[:, 1:] = x[:, :-1]\n"
                    "  return torch.embedding(self.table, y).sum(1)\n",
                    {{"table", table}}));
  auto words = integers({1, 5, 6, 2, 0, 3}, {2, 3});
  auto found = attribute(model, base(), words, Target::all(), {.sum_embeddings = true}).relevance;
  auto expected = table.index({words}).sum(-1);
  expected.select(1, 2).zero_();
  CHECK(difference(found, expected) <= exact);
}

TEST_CASE("columns of categories beside numbers: both get their relevance, and layers theirs") {
  at::manual_seed(33);
  auto one = random({4, 2}), two = random({5, 2});
  auto part = weights({3, 7});
  auto model =
      loaded(script("def forward(self, c, x):\n"
                    "  e = torch.cat([torch.embedding(self.one, c[:, 0]), torch.embedding(self.two, c[:, 2])], 1)\n"
                    "  return self.part.forward(torch.cat([e, x], 1))\n",
                    {{"one", one}, {"two", two}}, {{"part", linear_script(part.weight, part.bias)}}));
  auto c = integers({3, 9, 0, 1, 9, 4}, {2, 3});
  auto x = random({2, 3});
  auto in = at::cat({one.index({c.select(1, 0)}), two.index({c.select(1, 2)}), x}, 1);
  auto R = at::zeros({2, 3}, at::kDouble);
  R.select(1, 1).copy_(linear_of({in}, {part.weight, part.bias}).select(1, 1));
  auto expected = through(rule("epsilon"), linear_of, {in}, part.both(), R)[0];
  auto rules = entries("linear => epsilon");
  auto found = attribute(model, rules, Tensors{c, x}, 1, {.layers = {"embedding#1"}, .sum_embeddings = true});
  CHECK(difference(found.relevances[1], expected.slice(1, 4)) <= exact);
  CHECK(same_bits(found.relevance, found.relevances[1]));  // the categories are looked up in parts
  auto of_categories =
      at::stack({expected.slice(1, 0, 2).sum(1), at::zeros({2}, at::kDouble), expected.slice(1, 2, 4).sum(1)}, 1);
  CHECK(difference(found.relevances[0], of_categories) <= exact);
  // Embeddings that are not summed have no common shape.
  auto apart = attribute(model, rules, Tensors{c, x}, 1);
  CHECK(!apart.relevances[0].defined());
  CHECK(same_bits(apart.relevance, found.relevance));
}

TEST_CASE("bags of embeddings are layers, and stop nothing") {
  at::manual_seed(34);
  auto table = random({6, 2});
  auto source = [](const std::string& weights) {
    return "def forward(self, c, x):\n"
           "  o = torch.arange(0, 4, 2)\n"
           "  e = torch.embedding_bag(self.table, c.view(-1), o, False, 0, False, " +
           weights + ", False)[0]\n  return torch.cat([e, x], 1) * 2\n";
  };
  auto c = at::tensor({1, 2, 3, 4}, at::kLong).view({2, 2});
  auto x = random({2, 3});
  auto model = loaded(script(source("None"), {{"table", table}}));
  auto found = attribute(model, base(), Tensors{c, x}, Target::all(), {.layers = {"embedding#1"}});
  CHECK(!found.relevances[0].defined());  // which of a bag's rows it is for, nobody says
  CHECK(difference(found.relevance, x * 2) <= exact);
  auto bags = table.index({c}).sum(1);
  CHECK(difference(found.layers.at("embedding#1").at(0), bags * 2) <= exact);
  // With weights that are computed from an input, it is no layer: relevance goes on to them.
  auto weighted = loaded(script(source("x[:, :2].reshape(-1)"), {{"table", table}}));
  auto to_weights = attribute(weighted, base(), Tensors{c, x}, Target::all()).relevance;
  CHECK(difference(to_weights.select(1, 2), (x * 2).select(1, 2)) <= exact);
  // The gradient of a bag, Σ_d R_d · row_d, on top of what goes to x itself.
  auto R = (table.index({c}) * x.slice(1, 0, 2).unsqueeze(-1)).sum(1) * 2;
  auto expected = (x * 2).slice(1, 0, 2) + (table.index({c}) * R.unsqueeze(1)).sum(-1);
  CHECK(difference(to_weights.slice(1, 0, 2), expected) <= exact);
}

TEST_CASE("other uses of what is looked up are constants, and lead nowhere") {
  at::manual_seed(35);
  auto table = random({6, 2});
  auto model =
      loaded(script("def forward(self, x):\n"
                    "  mask = (x != 0).to(7).unsqueeze(-1)\n"
                    "  return (torch.embedding(self.table, x) * mask).sum(1) / mask.sum(1)\n",
                    {{"table", table}}));
  auto x = integers({1, 2, 0, 3, 0, 5}, {2, 3});
  auto mask = (x != 0).to(at::kDouble);
  auto expected = table.index({x}).sum(-1) * mask / mask.sum(1, true);
  CHECK(difference(attribute(model, base(), x, Target::all(), {.sum_embeddings = true}).relevance, expected) <= exact);
}

TEST_CASE("where nothing leads back to any input, that is an error") {
  at::manual_seed(36);
  auto model = loaded(script("def forward(self, x):\n  return torch.embedding(self.table, torch.cumsum(x, 1)).sum(1)\n",
                             {{"table", random({9, 2})}}));
  auto x = integers({1, 2, 0, 3}, {2, 2});
  CHECK(failure([&] { attribute(model, base(), x, 0, {.sum_embeddings = true}); }).starts_with("A0"));
  auto found = attribute(model, base(), x, 0, {.layers = {"embedding#1"}, .to_input = false});
  CHECK(found.layers.at("embedding#1").at(0).sizes() == at::IntArrayRef({2, 2, 2}));
}

// ---------------------------------------------------------------------------------- numbers that turn floating

// x as the model's first floating numbers, in double.
at::Tensor relevance_of(const std::string& body, const at::Tensor& x, const Parameters& parameters = {}) {
  auto model = loaded(script("def forward(self, x):\n" + body, parameters));
  CHECK(layers(model, base(), {x}).size() > 0);
  auto found = attribute(model, base(), x, Target::all());
  CHECK(found.relevance.sizes() == x.sizes());
  return found.relevance;
}

TEST_CASE("integers that the model computes with as with floating numbers are converted at once") {
  auto x = at::arange(6, at::kByte).view({2, 3});
  auto model = loaded(script("def forward(self, x):\n  return x.to(7) / 4 * 3\n"));
  auto found = attribute(model, base(), x, Target::all());
  CHECK(found.report.size() == 2);  // the division, too
  CHECK(difference(found.relevance, x.to(at::kDouble) * 0.75) <= exact);
}

TEST_CASE("what floating numbers would give otherwise is explained from where they turn floating") {
  auto bytes = at::tensor({200, 3, 130, 90, 255, 7}, at::kByte).view({2, 3});
  auto doubled = (bytes * 2).to(at::kDouble);
  REQUIRE(difference(doubled, bytes.to(at::kDouble) * 2) > 0.1);  // they wrap around
  CHECK(difference(relevance_of("  return (x * 2).to(7) * 0.5\n", bytes), doubled * 0.5) <= exact);
  // Another order, and a part of them.
  auto turned = at::zeros({2, 3}, at::kDouble);
  turned.slice(1, 1).copy_(doubled.slice(1, 1));
  CHECK(difference(relevance_of("  return (x * 2).t()[1:].to(7).t() * 1.0\n", bytes), turned) <= exact);
  auto x = integers({9, 4, 5, 6, 7, 12}, {2, 3});
  CHECK(difference(relevance_of("  return (x >> 1).to(7) * 3\n", x), at::floor(x / 2.0) * 3) <= 1e-6);
  CHECK(difference(relevance_of("  return torch.floor_divide(x, 4).to(7) * 3\n", x), at::floor(x / 4.0) * 3) <= 1e-6);
  // x.to(…) is a copy of integers, and none of floating numbers: what is written there is not written into x.
  CHECK(difference(relevance_of("  y = x.to(6)\n  y.sub_(1)\n  return (y + x) * 1.0\n", x), 2 * x) <= 1e-6);
}

TEST_CASE("rows of a table and indicators that integers choose give back what they get") {
  at::manual_seed(37);
  auto table = random({13, 4});
  auto x = integers({9, 4, 5, 6, 7, 12}, {2, 3});
  auto rows = table.index({x});
  CHECK(difference(relevance_of("  return self.table[x].sum(1) * 2\n", x, {{"table", table}}), 2 * rows.sum(-1)) <=
        exact);
  CHECK(difference(relevance_of("  return self.table[x * 2 - x].sum(1) * 2\n", x, {{"table", table}}),
                   2 * rows.sum(-1)) <= exact);
  auto indicators = "  y = torch.one_hot(x, 13).to(7)\n  return torch.matmul(y, self.table).sum(1)\n";
  CHECK(difference(relevance_of(indicators, x, {{"table", table}}), rows.sum(-1)) <= exact);
}

TEST_CASE("integers that lead nowhere back are refused, and never explained as something else") {
  auto x = integers({9, 4, 5, 6, 7, 12}, {2, 3});
  auto fails = [&](const std::string& body) {
    auto model = loaded(script("def forward(self, x):\n" + body));
    return failure([&] { attribute(model, base(), x, Target::all()); });
  };
  CHECK(fails("  return torch.cumsum(x >> 1, 1).to(7) * 2\n")
            .starts_with("A0703 the model computes with its integer input (`to`)"));
  CHECK(fails("  return (x[:, :1] >> x[:, 1:]).to(7) * 2\n").starts_with("A0703 the model computes with"));
  CHECK(fails("  return torch.full([2, 2], 1.0) * (x >> 1).sum()\n").starts_with("A0703 the model computes with"));
  CHECK(fails("  return x >> 1\n").starts_with("A0701 the model's output is of int64"));
}

}  // namespace

TEST_CASE("samples of integers are told apart where the model has put them before it looks them up") {
  auto model =
      test::loaded(test::script("def forward(self, x):\n"
                                "  h = torch.embedding(self.words, x.t())\n"
                                "  return torch.linear(h, self.weight).mean(0)\n",
                                {{"words", random({9, 4})}, {"weight", random({3, 4})}}));
  auto rules = test::entries("linear => epsilon(relative(0.1))\nmean => norm");
  auto x = integers({1, 2, 3, 4, 5, 6, 7, 8, 0, 1}, {2, 5});
  auto together = attribute(model, rules, x, Target(1), {.sum_embeddings = true}).relevance;
  for (std::int64_t i = 0; i < 2; ++i) {
    auto alone = attribute(model, rules, x.narrow(0, i, 1), Target(1), {.sum_embeddings = true}).relevance;
    CHECK(difference(together.narrow(0, i, 1), alone) <= 1e-12);
  }
}

}  // namespace test
