// What has no derivative lets no relevance through: it is named, with a way out, and never a zero in silence.
#include "tests/attach/scripts.hpp"

using namespace ascribe;
using test::random;

namespace {

std::string told(const torch::jit::Module& module, const at::Tensor& x) {
  auto model = test::loaded(module);
  try {
    (void)attribute(model, test::epsilon_plus(), x, Target::all());
  } catch (const Error& error) {
    return render_text(error.diagnostics());
  }
  return "no error";
}

}  // namespace

TEST_CASE("quantised operators are named, and where else the model can be explained") {
  auto weights = test::weights({2, 3});
  auto text = told(test::script("def forward(self, x):\n"
                                "  x = torch.dequantize(torch.quantize_per_tensor(x.float(), 0.1, 0, 13))\n"
                                "  return torch.linear(x, self.weight.float(), self.bias.float())\n",
                                weights.both()),
                   random({4, 3}).to(at::kFloat));
  CHECK_THAT(text, Catch::Contains("quantize_per_tensor") && Catch::Contains("before it was quantised"));
}

TEST_CASE("samples of different lengths in one tensor say how the model is saved without them") {
  auto text = told(test::script("def forward(self, x):\n"
                                "  y = torch._nested_tensor_from_mask(x, x.sum(-1) > -1e9)\n"
                                "  return torch.nested_to_padded_tensor(y, 0.0).mean(1)\n"),
                   random({2, 5, 8}));
  CHECK_THAT(text,
             Catch::Contains("_nested_tensor_from_mask") && Catch::Contains("trace it with gradients, or export it"));
}

TEST_CASE("rounding hands nothing on, and its row says what it was") {
  auto model = test::loaded(test::script("def forward(self, x):\n  return torch.round(x * 3)\n"));
  auto x = random({2, 3});
  auto found = attribute(model, test::entries("scale => norm"), x, Target::all());
  REQUIRE(found.report.size() == 2);
  CHECK(found.report[1].kind == "round");
  CHECK(found.report[1].below.value() == 0);
}

TEST_CASE("a masked summand of minus infinity takes nothing, and leaves the sums finite") {
  auto mask = at::zeros({3, 3}, at::kDouble);
  mask[0][2] = -std::numeric_limits<double>::infinity();
  auto model = test::loaded(
      test::script("def forward(self, x):\n  return torch.softmax(x + self.mask, 1)\n", {}, {}, {{"mask", mask}}));
  auto found = attribute(model, test::entries("add => norm\nsoftmax => gradient"), random({3, 3}), Target::all());
  CHECK(found.relevance.isfinite().all().item<bool>());
  for (auto& row : found.report) {
    CHECK(std::isfinite(row.above.value()));
    CHECK(std::isfinite(row.below.value()));
    CHECK(std::isfinite(row.bias.value_or(0)));
    CHECK(std::isfinite(row.stabilizer.value_or(0)));
  }
}
