// TorchScript models that write into themselves: each run starts from what the file says.
#include "interpreter/inside.hpp"
#include "tests/attach/scripts.hpp"

#include <thread>

#include "interpreter/model/model_state.hpp"
#include "interpreter/model/torchscript.hpp"

namespace test {
using namespace ascribe;
namespace {

struct Stream {
  explicit Stream(const std::string& body) {
    at::manual_seed(41);
    part = weights({3, 3});
    auto module = script("def other(self, x):\n  return x\n", {}, {{"part", linear_script(part.weight, part.bias)}},
                         {{"state", random({3})}, {"scale", random({3})}});
    module.register_attribute("count", c10::IntType::get(), 0);
    module.register_attribute("past", c10::ListType::create(c10::TensorType::get()), c10::List<at::Tensor>{});
    module.define("def forward(self, x):\n" + body);
    model.emplace(loaded(module));
  }
  Weights part;
  std::optional<Model> model;
};

const std::vector<std::string>& bodies() {
  static const std::vector<std::string> all{
      "  self.state = self.state * 0.5 + x.mean(0)\n  return self.part.forward(x + self.state) * self.scale\n",
      "  self.state.mul_(0.5)\n  return self.part.forward(x + self.state) * self.scale\n",
      "  self.state[0] = x.sum().item()\n  return self.part.forward(x + self.state) * self.scale\n",
      "  y = self.state.view(-1)\n  for i in range(2):\n    y.add_(1)\n    y = y[:]\n"
      "  return self.part.forward(x + self.state) * self.scale\n",
      "  y = self.state\n  if bool(x.sum() > -1e9):\n    y = self.scale\n  y.add_(1)\n"
      "  return self.part.forward(x + self.state) * self.scale\n",
      "  torch.add(self.state, 1, out=self.state)\n  return self.part.forward(x + self.state) * self.scale\n"};
  return all;
}

TEST_CASE("a model that keeps a state gives the same answer each time, and from several threads") {
  for (auto& body : bodies()) {
    INFO(body);
    Stream net(body);
    at::manual_seed(42);
    auto x = random({2, 3});
    auto before = Inside::state(*net.model).names->held;
    Tensors copies;
    for (auto& each : before) copies.push_back(each.detach().clone());
    auto y = net.model->forward(x);
    CHECK(same_bits(net.model->forward(x), y));
    auto found = attribute(*net.model, epsilon_plus(), x, 1);
    CHECK(same_bits(found.output, y.detach()));
    CHECK(found.report.size() >= 3);
    CHECK(std::any_of(found.report.begin(), found.report.end(), [](auto& row) { return row.name == "part"; }));
    std::vector<int> right(4);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < right.size(); ++i)
      threads.emplace_back([&, i] {
        for (int turn = 0; turn < 20; ++turn)
          right[i] += same_bits(attribute(*net.model, epsilon_plus(), x, 1).relevance, found.relevance);
      });
    for (auto& each : threads) each.join();
    CHECK(right == std::vector<int>(4, 20));
    for (std::size_t i = 0; i < before.size(); ++i) CHECK(same_bits(before[i].detach(), copies[i]));
  }
}

TEST_CASE("counts and lists of a model start anew with each run") {
  Stream counting("  self.count += 1\n  return self.part.forward(x) * self.count\n");
  auto x = random({2, 3});
  CHECK(same_bits(counting.model->forward(x), counting.model->forward(x)));
  Stream listing("  self.past.append(x)\n  return self.part.forward(torch.stack(self.past).sum(0))\n");
  CHECK(same_bits(listing.model->forward(x), listing.model->forward(x)));
  Stream inner("  self.past.append(x)\n  self.past[0].add_(1)\n  return self.part.forward(self.past[0])\n");
  CHECK(same_bits(inner.model->forward(x.clone()), inner.model->forward(x.clone())));
}

TEST_CASE("batch norm that was saved in training mode learns nothing here") {
  Stream net("  return torch.batch_norm(x, None, None, self.state, self.scale, True, 0.1, 1e-05, False)\n");
  auto held = Inside::state(*net.model).names->held;
  Tensors before;
  for (auto& each : held) before.push_back(each.detach().clone());
  (void)net.model->forward(random({4, 3}));
  for (std::size_t i = 0; i < held.size(); ++i) CHECK(same_bits(held[i].detach(), before[i]));
}

TEST_CASE("what is only read is shared, and so is the whole model where nothing is written in evaluation mode") {
  auto shared = [](const std::string& body) {
    Stream net(body);
    auto* program = dynamic_cast<const model::TorchScriptGraph*>(Inside::state(*net.model).program.get());
    return program->shares_everything();
  };
  CHECK(shared("  return torch.relu_(self.part.forward(x)) * self.scale\n"));
  CHECK(shared("  x.add_(1)\n  return self.part.forward(x)\n"));
  CHECK(shared("  if self.training:\n    self.state.add_(1)\n  return self.part.forward(x)\n"));
  CHECK(shared("  if self.training and bool(x.sum() > 0):\n    self.count += 1\n  return self.part.forward(x)\n"));
  CHECK(!shared("  if not self.training:\n    self.state.add_(1)\n  return self.part.forward(x)\n"));
  CHECK(!shared("  self.count += 1\n  return self.part.forward(x)\n"));

  Stream net("  self.count += 1\n  return torch.relu_(self.part.forward(x)) * self.scale\n");
  auto found = attribute(*net.model, entries("\"part\" => epsilon; any => base"), random({2, 3}), 1);
  CHECK(found.report[0].name == "part");  // known by its parameters' memory
  CHECK(found.report[0].rule.starts_with("epsilon"));
}

}  // namespace
}  // namespace test
