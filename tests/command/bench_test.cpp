// `ascribe bench`: what it tells, and what it refuses. How long anything takes is no matter of these tests.
#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>

#include <nlohmann/json.hpp>

#include "interpreter/command/measured_memory.hpp"
#include "interpreter/files/npy.hpp"
#include "tests/catch.hpp"
#include "tests/command/ascribe_command.hpp"

namespace test {
using namespace ascribe;
namespace {

using Catch::Contains;
using Catch::StartsWith;
using command::MeasuredMemory;
using files::write_npy;

const std::string digit = "--model " ASCRIBE_EXAMPLES "/digits/model.pt --input " ASCRIBE_EXAMPLES "/digits/three.npy ";
const std::string measure_digit = "ascribe bench --rounds 2 --threads 1 --rules epsilon_plus " + digit;

nlohmann::json measured(const Folder& folder, const std::string& command) {
  auto outcome = run_shell(folder, command + " --report json");
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(outcome.err == "");
  return nlohmann::json::parse(outcome.out);
}

void save(const Folder& folder, const std::string& forward) {
  torch::jit::Module model("model");
  model.register_parameter("weight", at::ones({3, 4}), /*is_buffer=*/false);
  model.define(forward);
  model.save(folder / "model.pt");
}

TEST_CASE("bench compares relevance, with sums and without, with the plain gradient") {
  Folder folder;
  auto outcome = run_shell(folder, measure_digit);
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "");
  CHECK_THAT(outcome.out, StartsWith("rules: epsilon_plus(epsilon = 1e-06, stabilizer = 1e-06)\n"
                                     "1 sample, 1 thread, 2 rounds; ratios are to the gradient\n\n") &&
                              Contains("\ngradient  ") && Contains("\nrelevance  ") &&
                              Contains("\nrelevance with sums  ") && Contains(" ms to ") && Contains(" MB") &&
                              !Contains("in its layout"));
}

TEST_CASE("bench's report is JSON where asked for") {
  Folder folder;
  auto found = measured(folder, measure_digit);
  CHECK(found["rules"] == "epsilon_plus(epsilon = 1e-06, stabilizer = 1e-06)");
  CHECK(found["samples"] == 1);
  CHECK(found["threads"] == 1);
  CHECK(found["rounds"] == 2);
  CHECK(found["target"] == "largest");
  std::vector<std::string> names;
  for (auto& each : found["measured"]) {
    names.push_back(each["name"]);
    for (auto* of : {"seconds", "ratio", "ratio_in_its_layout"}) {
      CHECK(each[of]["lower_quartile"].get<double>() > 0);
      CHECK(each[of]["median"].get<double>() >= each[of]["lower_quartile"].get<double>());
      CHECK(each[of]["upper_quartile"].get<double>() >= each[of]["median"].get<double>());
    }
    CHECK(each["ratio"] == each["ratio_in_its_layout"]);
    CHECK(each["channels_last"] == false);
    CHECK(each["memory"].get<std::int64_t>() > 16 * 8 * 8 * 4);  // what the first convolution gives
    CHECK(each["memory_ratio"].get<double>() > 0);
  }
  CHECK(names == std::vector<std::string>{"gradient", "relevance", "relevance with sums"});
  CHECK(found["measured"][0]["ratio"]["median"] == 1.0);
}

TEST_CASE("bench gives pictures in channels_last, and measures the gradient in both layouts") {
  Folder folder;
  auto found = measured(folder, measure_digit + "--channels-last");
  std::vector<std::pair<std::string, bool>> names;
  for (auto& each : found["measured"]) names.emplace_back(each["name"], each["channels_last"]);
  CHECK(names == std::vector<std::pair<std::string, bool>>{
                     {"gradient", false}, {"gradient", true}, {"relevance", true}, {"relevance with sums", true}});
  CHECK(found["measured"][1]["ratio_in_its_layout"]["median"] == 1.0);
  CHECK_THAT(run_shell(folder, measure_digit + "--channels-last").out,
             Contains("\ngradient, channels_last  ") && Contains("in its layout"));
}

TEST_CASE("where no input can have a gradient, relevance is compared with the forward pass alone") {
  Folder folder;
  auto found =
      measured(folder, "ascribe bench --rounds 1 --rules cp_lrp --model text/model.pt2 --input text/praise.npy");
  CHECK(found["measured"][0]["name"] == "forward pass alone");
  CHECK(found["measured"].size() == 3);
}

TEST_CASE("bench takes several inputs, numbers in whatever type, and outputs without a largest one") {
  Folder folder;
  write_npy(folder / "x.npy", at::ones({2, 5, 4}, at::kDouble));
  write_npy(folder / "y.npy", at::ones({2, 5, 4}, at::kLong));
  auto measure = "ascribe bench --rounds 1 --rules epsilon --model model.pt --input x.npy";
  save(folder, "def forward(self, x, y):\n  return torch.linear(x * y, self.weight), y\n");
  auto several = measured(folder, std::string(measure) + " --input y.npy");
  CHECK(several["target"] == "all");
  CHECK(several["samples"] == 2);
  CHECK(several["measured"][0]["name"] == "gradient");
  save(folder, "def forward(self, x):\n  return torch.linear(x, self.weight)[:, 0]\n");
  CHECK(measured(folder, measure)["target"] == "largest");
  write_npy(folder / "x.npy", at::ones({2, 5, 4}, at::kLong));
  CHECK(measured(folder, measure)["measured"][0]["name"] == "gradient");
}

TEST_CASE("bench leaves inputs as they are, whatever the model does with them") {
  Folder folder;
  auto measure = "ascribe bench --rounds 2 --rules epsilon --model model.pt --input x.npy";
  write_npy(folder / "x.npy", at::ones({2, 4}));
  save(folder, "def forward(self, x):\n  return torch.linear(torch.relu_(x.sub_(2)), self.weight)\n");
  CHECK(measured(folder, measure)["measured"][0]["name"] == "gradient");
  write_npy(folder / "x.npy", at::ones({2, 1}, at::kLong));
  save(folder,
       "def forward(self, x):\n  return torch.linear(torch.embedding(self.weight, x.sub_(1)), self.weight)[:, 0]\n");
  CHECK(measured(folder, measure)["measured"][0]["name"] == "forward pass alone");
}

TEST_CASE("bench refuses what run refuses") {
  Folder folder;
  auto refused = [&](const std::string& arguments, int code, const std::string& message) {
    INFO(arguments);
    auto outcome = run_shell(folder, "ascribe bench " + arguments);
    CHECK(outcome.code == code);
    CHECK(outcome.out == "");
    CHECK_THAT(outcome.err, StartsWith("error[" + message));
  };
  auto usual = digit + "--rules epsilon_plus ";
  refused(usual + "--rounds 0", 2, "A0705]: --rounds: ");
  refused(usual + "--rounds -3", 2, "A0705]: --rounds: ");
  refused(usual + "--report xml", 2, "A0705]: ");
  refused(digit, 2, "A0705]: --rules is required");
  refused(digit + "--rules zpuls", 1, "A0202]: unknown rule or composite `zpuls`");
  refused("--model none.pt --input digits/three.npy --rules epsilon", 3, "A0001]: cannot read model 'none.pt'");
  refused("--model digits/model.pt --input none.npy --rules epsilon", 3, "A0001]: ");
  write_npy(folder / "x.npy", at::ones({1, 1, 7, 7}));
  refused("--model digits/model.pt --input x.npy --rules epsilon", 3, "A0609]: layer 'classifier' (linear) cannot run");
  write_npy(folder / "x.npy", at::ones({2, 4}));
  save(folder, "def forward(self, x):\n  return torch.linear(x, self.weight)\n");
  refused("--model model.pt --input x.npy --rules epsilon --channels-last", 2, "A0705]: --channels-last is for inputs");
  refused("--model model.pt --input x.npy --input x.npy --rules epsilon", 3, "A0703]: ");
  save(folder, "def forward(self, x):\n  return self.weight\n");
  refused("--model model.pt --input x.npy --rules epsilon", 3, "A0701]: ");
}

TEST_CASE("memory is counted while it is held, and its peak stays") {
  auto before = at::ones({1000}, at::kByte);
  MeasuredMemory memory;
  auto held = at::ones({100'000}, at::kByte);
  CHECK(memory.held() >= 100'000);
  CHECK(memory.held() < 110'000);
  at::ones({1'000'000}, at::kByte);
  before.reset();
  CHECK(memory.held() < 110'000);
  CHECK(memory.peak() >= 1'100'000);
  CHECK(memory.peak() < 1'200'000);
  memory.begin_peak();
  CHECK(memory.peak() == memory.held());
}

}  // namespace
}  // namespace test
