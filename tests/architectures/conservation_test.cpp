// Relevance is conserved through whole networks, where nothing takes a share of it that it is not handed down to.
#include "tests/architectures/ways.hpp"

namespace test {
using namespace ascribe;
namespace {

// The start: at every position of every sample, the largest output is explained, with its own value.
at::Tensor largest(const at::Tensor& y) { return at::where(y == y.amax(1, /*keepdim=*/true), y, at::zeros_like(y)); }

// `rule` for every layer with weights; nothing else takes a share.
Composite conserving(const std::string& rule) {
  return entries(
      "activation => pass\nbatch_norm => merge\nadd, sum, scale, avg_pool => norm(1e-12)\n"
      "linear, convolution => " +
      rule + "(1e-12, [\"bias\"])");
}

struct Conserved {
  double start, kept;  ///< ΣR at the output, and the share of it that the input has
  Report report;
};

Conserved conserved(const Saved& saved, const Way& way, const Composite& rules) {
  auto R = largest(saved.output());
  auto found = way.open(saved)(rules, saved.input(), R);
  auto sum = R.sum().item<double>();
  return {sum, found.relevance.sum().item<double>() / sum, found.report};
}

// What layers of a kind have not handed down, as a share of the start.
double lost(const Conserved& result, const std::function<bool(const LayerReport&)>& is) {
  double out = 0;
  for (auto& each : result.report)
    if (each.above && each.below && is(each)) out += (*each.above - *each.below) / result.start;
  return out;
}

// With biases, LRP-0 is no measure here: where a bias has lifted a unit over its ReLU's threshold, what is left without
// it may be near 0 or below, R / z explodes from layer to layer, and rounding takes the sum with it.
TEST_CASE("LRP-epsilon hands all relevance down to the input of every network without biases, in every way") {
  auto rules = conserving("epsilon");
  for (auto& network : network_names())
    for (auto& way : ways) {
      INFO(network << ", " << way.name);
      auto found = conserved({network, /*biased=*/false}, way, rules);
      CHECK(found.kept == Approx(1).margin(0.03));
      for (auto& each : found.report) {
        if (!each.above) continue;
        INFO(each.name);
        CHECK(each.below.value() == Approx(*each.above).margin(1e-6 * found.start));
      }
    }
}

TEST_CASE("LRP-z-plus loses nothing to zeroed biases, and to the shift of merged batch norm, in every way") {
  auto rules = conserving("zplus");
  for (auto& network : network_names())
    for (auto& way : ways) {
      INFO(network << ", " << way.name);
      auto found = conserved({network}, way, rules);
      // A unit with no positive contribution but its bias has nobody to hand its relevance to. Only where units have
      // few inputs do such units weigh: half of the relevance stops in MobileNetV2's depthwise convolutions (nine
      // inputs) and its first projection (eight).
      if (network == "mobilenet_v2")
        CHECK(found.kept + lost(found, [](auto& each) { return each.kind == "conv2d"; }) == Approx(1).margin(1e-6));
      else
        CHECK(found.kept == Approx(1).margin(0.03));
      CHECK(lost(found, [](auto& each) { return each.kind != "conv2d" && each.kind != "linear"; }) ==
            Approx(0).margin(1e-6));
    }
}

}  // namespace
}  // namespace test
