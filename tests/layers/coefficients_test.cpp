// The fixed coefficients of layers without weights, against what the operators do to single elements.
#include "interpreter/layers/coefficients.hpp"

#include "ascribe/error.hpp"
#include "tests/layers/calls.hpp"

namespace {

using namespace ascribe;
using test::Called;
using test::computed;
using Numbers = std::vector<std::int64_t>;

layering::Call recognized(const Called& call) { return *call.recognized()->call; }

// The operator as the matrix that it is, for one sample.
at::Tensor matrix(const layering::Operation& f, const at::Tensor& x, const at::Tensor& coefficient) {
  auto shape = x.sizes().vec();
  shape[0] = -1;
  auto units = at::eye(x[0].numel(), at::kDouble).reshape(shape);
  return f.run({units}, {coefficient}).flatten(1).detach();
}

}  // namespace

TEST_CASE("an average's coefficients are its own, also at borders") {
  auto x = computed({1, 2, 5, 6});
  for (bool ceil : {false, true})
    for (bool counts : {false, true})
      for (std::int64_t padding : {0, 1}) {
        INFO("ceil " << ceil << ", counts padding " << counts << ", padding " << padding);
        Called call("avg_pool2d", "", {x, Numbers{3, 2}, Numbers{2, 2}, Numbers{padding, padding}, ceil, counts});
        auto layer = recognized(call);
        auto& f = *layer.operation;
        auto own = layer.parameters[0].second;
        auto as_it_is = matrix(f, x, own), squared = matrix(f, x, own * own);
        CHECK(at::allclose(squared, as_it_is * as_it_is, 1e-12, 1e-14));
        auto ones = matrix(f, x, at::ones_like(own));
        CHECK(at::allclose(ones, as_it_is.ne(0).to(at::kDouble), 1e-12, 1e-12));
      }
}

TEST_CASE("adaptive averages have a coefficient for each output") {
  auto x = computed({1, 2, 7, 5});
  Called call("adaptive_avg_pool2d", "", {x, Numbers{3, 2}});
  auto layer = recognized(call);
  auto own = layer.parameters[0].second;
  auto as_it_is = matrix(*layer.operation, x, own);
  CHECK(at::allclose(matrix(*layer.operation, x, own * own), as_it_is * as_it_is, 1e-12, 1e-14));
}

TEST_CASE("summands and factors") {
  auto a = computed({2, 3}), b = computed({2, 3});
  auto difference = recognized({"sub", "Tensor", {a, b, 2}});
  CHECK(at::equal(difference.parameters[0].second, at::tensor({1.0, -2.0}, at::kDouble)));
  CHECK(at::allclose(difference.operation->run({a, b}, {at::tensor({1.0, 0.0}, at::kDouble)}), a));
  auto factor = test::constant({3});
  auto scale = recognized({"mul", "Tensor", {factor, a}});
  CHECK(at::allclose(scale.operation->run({a}, {factor.clamp_min(0)}), a * factor.clamp_min(0)));
}

TEST_CASE("interpolation is scaled as a whole or not at all") {
  auto x = computed({1, 1, 3, 3});
  auto layer = recognized({"upsample_bilinear2d", "", {x, Numbers{6, 6}, false}});
  auto own = layer.parameters[0].second;
  auto y = layer.operation->run({x}, {own});
  CHECK(at::allclose(layer.operation->run({x}, {own.clamp_min(0)}), y));
  CHECK(at::allclose(layer.operation->run({x}, {1.25 * own}), 1.25 * y));
  CHECK(layer.operation->run({x}, {own.clamp_max(0)}).abs().max().item<double>() == 0);
  CHECK_THROWS_AS(layer.operation->run({x}, {own * own}), Error);
  auto cubic = recognized({"upsample_bicubic2d", "", {x, Numbers{6, 6}, false}});
  CHECK_THROWS_AS(cubic.operation->run({x}, {cubic.parameters[0].second.clamp_min(0)}), Error);
}
