// Batch norm before and behind a linear layer, folded into its parameters.
#include "interpreter/layers/batch_norm.hpp"

#include "tests/layers/calls.hpp"

namespace {

using namespace ascribe;
using test::Called;
using test::computed;
using test::constant;

layering::BatchNorm some(std::int64_t channels) { return {constant({channels}), constant({channels})}; }

at::Tensor apply(const layering::BatchNorm& norm, const at::Tensor& x) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[1] = -1;
  return x * norm.scale.view(shape) + norm.shift.view(shape);
}

at::Tensor run(const layering::FoldedLayer& layer, const at::Tensor& x) {
  layering::Tensors theta;
  for (auto& [name, value] : layer.parameters) theta.push_back(value);
  return layer.operation->run({x}, theta);
}

}  // namespace

TEST_CASE("batch norm behind a layer scales its output channels") {
  auto x = computed({2, 3}), image = computed({2, 4, 5, 5});
  const std::vector<Called> layers{{"linear", "", {x, constant({6, 3})}},
                                   {"linear", "", {x, constant({6, 3}), constant({6})}},
                                   {"conv2d",
                                    "",
                                    {image,
                                     constant({6, 2, 3, 3}),
                                     {},
                                     std::vector<std::int64_t>{1, 1},
                                     std::vector<std::int64_t>{1, 1},
                                     std::vector<std::int64_t>{1, 1},
                                     2}}};
  for (auto& each : layers) {
    auto call = *each.recognized()->call;
    auto norm = some(6);
    auto y = each.run();
    auto folded = layering::folded_behind(*call.operation, call.parameters, y, y, norm);
    REQUIRE(folded);
    CHECK(at::allclose(run(*folded, call.inputs[0]), apply(norm, y), 1e-10, 1e-12));
    CHECK_FALSE(layering::folded_behind(*call.operation, call.parameters, y, y, some(5)));
  }
}

TEST_CASE("behind a view of all of a linear layer's output, its channels are found") {
  Called linear("linear", "", {computed({2, 7, 3}), constant({6, 3}), constant({6})});
  auto call = *linear.recognized()->call;
  auto y = linear.run();
  auto norm = some(6);
  for (auto& view : {y.transpose(1, 2), y.view({14, 6}), y.view({14, 6, 1})}) {
    auto folded = layering::folded_behind(*call.operation, call.parameters, y, view, norm);
    REQUIRE(folded);
    CHECK(at::allclose(run(*folded, call.inputs[0]), apply(norm, view), 1e-10, 1e-12));
  }
  CHECK_FALSE(layering::folded_behind(*call.operation, call.parameters, y, y, some(7)));  // dimension 1 is no channel
  CHECK_FALSE(layering::folded_behind(*call.operation, call.parameters, y, y.view({6, 14}), some(14)));
  CHECK_FALSE(layering::folded_behind(*call.operation, call.parameters, y, y.slice(1, 0, 3).transpose(1, 2), norm));
}

TEST_CASE("batch norm before a layer scales its input channels, and its shift becomes a bias") {
  auto norm = some(4);
  auto image = computed({2, 4, 5, 5}), x = computed({2, 4});
  const std::vector<Called> layers{{"linear", "", {x, constant({6, 4}), constant({6})}},
                                   {"conv2d",
                                    "",
                                    {image,
                                     constant({6, 2, 3, 3}),
                                     {},
                                     std::vector<std::int64_t>{1, 1},
                                     std::vector<std::int64_t>{0, 0},
                                     std::vector<std::int64_t>{1, 1},
                                     2}}};
  for (auto& each : layers) {
    auto call = *each.recognized()->call;
    auto in = call.inputs[0];
    auto folded = layering::folded_before(*call.operation, call.parameters, in, norm);
    REQUIRE(folded);
    layering::Tensors theta;
    for (auto& [name, value] : call.parameters) theta.push_back(value);
    CHECK(at::allclose(run(*folded, in), call.operation->run({apply(norm, in)}, theta), 1e-10, 1e-12));
  }
}
