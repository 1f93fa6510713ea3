// A recurrent cell is the same layers, whether it is kept whole or written out.
#include "tests/attach/scripts.hpp"

using namespace ascribe;
using test::exact;
using test::random;

TEST_CASE("a cell that is kept whole is what it is made of") {
  auto w_ih = random({12, 5}), w_hh = random({12, 3}), b_ih = random({12}), b_hh = random({12});
  test::Parameters parameters{{"w_ih", w_ih}, {"w_hh", w_hh}, {"b_ih", b_ih}, {"b_hh", b_hh}};
  auto whole =
      test::loaded(test::script("def forward(self, x):\n"
                                "  h = torch.zeros([x.size(0), 3], dtype=x.dtype)\n"
                                "  a, b = torch.lstm_cell(x, [h, h], self.w_ih, self.w_hh, self.b_ih, self.b_hh)\n"
                                "  a, b = torch.lstm_cell(x, [a, b], self.w_ih, self.w_hh, self.b_ih, self.b_hh)\n"
                                "  return a\n",
                                parameters));
  auto step = std::string(
      "  g = torch.linear(x, self.w_ih, self.b_ih) + torch.linear(a, self.w_hh, self.b_hh)\n"
      "  i, f, c, o = torch.unsafe_chunk(g, 4, 1)\n"
      "  b = torch.sigmoid(f) * b + torch.sigmoid(i) * torch.tanh(c)\n"
      "  a = torch.sigmoid(o) * torch.tanh(b)\n");
  auto written =
      test::loaded(test::script("def forward(self, x):\n"
                                "  a = torch.zeros([x.size(0), 3], dtype=x.dtype)\n  b = a\n" +
                                    step + step + "  return a\n",
                                parameters));
  auto x = random({2, 5});
  auto rules =
      test::entries("linear, add => epsilon(1e-3)\nactivation => pass\nproduct, scale => norm(1e-3)\nany => refuse");
  auto a = test::attributed(whole, rules, x), b = test::attributed(written, rules, x);
  CHECK(test::difference(a.output, b.output) <= exact);
  CHECK(test::difference(a.relevance, b.relevance) <= exact);
}
