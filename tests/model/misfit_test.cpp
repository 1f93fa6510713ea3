// What an operator's refusal says of a picture.
#include "interpreter/model/misfit.hpp"

#include <ATen/ATen.h>

#include "tests/catch.hpp"

namespace test {
namespace {

using namespace ascribe;
using model::Misfit;

// What LibTorch says of an operation, and what that comes to for the picture.
std::string found(const at::Tensor& picture, const std::function<void()>& work) {
  try {
    work();
  } catch (const c10::Error& error) {
    auto misfit = model::misfit_in(error.what_without_backtrace(), {picture});
    return misfit ? model::told(*misfit) : "nothing";
  }
  return "no error";
}

TEST_CASE("LibTorch's own refusals tell channels, batch and size of a picture apart") {
  auto x = at::ones({2, 1, 9, 9});
  CHECK(found(x, [&] {
          at::conv2d(x, at::ones({4, 3, 3, 3}));
        }) == "has 1 channel ([2, 1, 9, 9]), and the model takes 3");
  CHECK(found(x, [&] { at::conv2d(at::cat({x, x}, 1), at::ones({4, 3, 3, 3})); }) == "nothing");  // further behind
  auto one = at::ones({3});
  CHECK(found(x, [&] { at::batch_norm(x, one, one, one, one, false, 0.1, 1e-5, false); }) ==
        "has 1 channel ([2, 1, 9, 9]), and the model takes 3");
  auto size = "has 9 × 9 pixels ([2, 1, 9, 9]), which is likely not the size that the model takes";
  CHECK(found(x, [&] { at::linear(x.flatten(1), at::ones({10, 49})); }) == size);
  CHECK(found(x, [&] { x.view({2, 49}); }) == size);
  CHECK(found(x, [&] { x.view({4, 81}); }) == "has 2 samples ([2, 1, 9, 9]), and the model takes 4");
  CHECK(found(x, [&] { at::conv2d(x, at::ones({4, 1, 11, 11})); }) == size);
  CHECK(found(x, [&] { at::max_pool2d(x, {11, 11}); }) == size);
  CHECK(found(x, [&] { x.flatten(2).add(at::ones({1, 1, 50})); }) == size);
  CHECK(found(x, [&] { x.add(at::ones({5, 1, 9, 9})); }) == "has 2 samples ([2, 1, 9, 9]), and the model takes 5");
  CHECK(found(x, [&] { at::cat({x, at::ones({2, 1, 8, 9})}, 1); }) == size);
  CHECK(found(at::ones({2, 5}), [&] { at::linear(at::ones({2, 5}), at::ones({3, 4})); }) == "nothing");
  CHECK(found(x, [&] { at::linear(x.flatten(1), at::ones({10, 81}, at::kDouble)); }) == "nothing");
}

TEST_CASE("text of any form is no refusal that is known, and never read beyond its end") {
  for (std::string text :
       {"", "expected input[", "expected input[1, 2", "expected input[1, 1, 1, 1] to have ",
        "expected input[99999999999999999999] to have 1 channels", "shape '[]' is invalid for input of size 1",
        "shape '[-1, 2]' is invalid for input of size 5"})
    model::misfit_in(text, {at::ones({1, 1, 1, 1})});
  CHECK(model::plain_refusal("mat1 and mat2 shapes cannot be multiplied (2x24 and 8x3)") ==
        "it takes 8 numbers of each sample, and gets 24");
  CHECK(model::plain_refusal("something else") == "something else");
}

}  // namespace
}  // namespace test
