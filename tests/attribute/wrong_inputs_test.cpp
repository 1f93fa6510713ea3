// Inputs in another order, of another type, or too few: messages that say so in words of the model's own.
#include "tests/attach/scripts.hpp"

namespace test {
using namespace ascribe;
namespace {

Model categories_and_numbers() {
  at::manual_seed(61);
  return loaded(
      script("def forward(self, categories, numbers):\n"
             "  return torch.cat([torch.embedding(self.table, categories), numbers], 1) * 2\n",
             {{"table", random({5, 2})}}));
}

// The whole text, as the command prints it.
std::string told(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST_CASE("an input of the wrong type is told in types as Python has them, and what was given beside it") {
  auto model = categories_and_numbers();
  auto c = at::tensor({1, 4}, at::kLong), x = random({2, 3});
  CHECK(told([&] {
          attribute(model, epsilon_plus(), Tensors{c.to(at::kDouble), x}, 1);
        }) ==
        "error[A0609]: layer 'embedding#1' (embedding) cannot run: indices is of float64, not of int64 or int32\n"
        "  = note: the model was given inputs of shape [2] (float64) and [2, 3] (float64)\n"
        "  = help: give it the shape and type that it was made for; are the inputs in the model's order?");
  auto swapped = told([&] { attribute(model, epsilon_plus(), Tensors{x, c}, 1); });
  CHECK(swapped.find("are the inputs in the model's order?") != std::string::npos);
  CHECK(swapped.find("inputs of shape [2, 3] (float64) and [2] (int64)") != std::string::npos);
}

TEST_CASE("an input that is missing is one of those that the model names") {
  auto model = categories_and_numbers();
  CHECK(told([&] {
          attribute(model, epsilon_plus(), random({2, 3}), 1);
        }) == "error[A0703]: the model takes 2 inputs, not 1\n  = help: give one tensor for each: categories, numbers");
}

}  // namespace
}  // namespace test
