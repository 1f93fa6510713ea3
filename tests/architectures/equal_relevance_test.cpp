// Well-known networks have the same output, the same relevance and the same layers in whatever way they are run.
#include "tests/architectures/ways.hpp"

namespace test {
using namespace ascribe;
namespace {

// max |a − b| / max |b|: relevance of a pixel is far below 1.
double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined() || !b.defined() || a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  auto out = ((a - b).abs().max() / b.abs().max()).item<double>();
  return std::isnan(out) ? std::numeric_limits<double>::infinity() : out;
}

// "features.0 conv2d zplus(…)" of every row, with as many of the names as a way knows.
std::vector<std::string> layers(const Report& report, Way::Names names) {
  std::vector<std::string> out;
  for (auto& each : report) {
    bool has_weights = each.kind == "linear" || each.kind == "batch_norm" || each.kind.starts_with("conv");
    if (names == Way::Names::none && each.rule == "merge") continue;  // the file has merged it itself
    bool named = names == Way::Names::all || (names == Way::Names::of_weights && has_weights);
    out.push_back((named ? each.name + " " : "") + each.kind + " " + each.rule);
  }
  return out;
}

// The network in all ways (`unfolded`: that keep batch norm, and names), each against the first; what the first gave.
Report same_in_every_way(const std::string& network, const Composite& rules, bool unfolded = false) {
  Saved saved{network};
  auto x = saved.input(), y = saved.output();
  std::optional<Explained> first;
  for (auto& way : ways) {
    if (unfolded && way.names == Way::Names::none) continue;
    INFO(network << ", " << way.name << ", under " << rules.description());
    auto found = way.open(saved)(rules, x, start(y));
    if (!first) first = found;
    CHECK(relative_difference(found.output, y) <= 1e-12);
    CHECK((same_bits(found.output, y) || way.names == Way::Names::none));  // folding rounds in another order
    CHECK(relative_difference(found.relevance, first->relevance) <= exact);
    CHECK(layers(found.report, way.names) == layers(first->report, way.names));
  }
  return first->report;
}

void same_in_every_way_for_every_network(const Composite& rules) {
  for (auto& network : network_names()) same_in_every_way(network, rules);
}

TEST_CASE("epsilon_plus gives every network the same relevance in every way") {
  same_in_every_way_for_every_network(Pack::standard().composite("epsilon_plus"));
}

TEST_CASE("epsilon_plus_flat gives every network the same relevance in every way") {
  same_in_every_way_for_every_network(Pack::standard().composite("epsilon_plus_flat"));
}

// Not with batch norm folded by the file: that rounds in another order, and α and β multiply the difference through
// DenseNet's 121 layers, to half of what is allowed.
TEST_CASE("epsilon_alpha2_beta1 gives every network the same relevance in every way without folding") {
  for (auto& network : network_names())
    same_in_every_way(network, Pack::standard().composite("epsilon_alpha2_beta1"), /*unfolded=*/true);
}

TEST_CASE("first and last count the same layers in every way") {
  auto rules = entries(R"(
    batch_norm                => merge
    activation                => pass
    first convolution         => zbox(low = -5, high = 5)
    first 4 linear, conv2d    => gamma(0.5)
    last linear, convolution  => epsilon(0)
    last 3 linear, conv2d     => alpha_beta(2, 1)
    last 2 add, avg_pool      => norm(0.25)
    first 2 max_pool          => gradient
    any                       => epsilon_plus)");
  for (auto& network : network_names()) {
    auto report = same_in_every_way(network, rules);
    std::map<std::string, std::size_t> calls;
    for (auto& each : report) ++calls[each.rule.substr(0, each.rule.find('('))];
    INFO(network);
    CHECK(calls["zbox"] == 1);
    CHECK(calls["gamma"] == 3);  // and the first, which zbox has taken
    CHECK(calls["alpha_beta"] == 2);
    CHECK(report.front().rule.starts_with("zbox"));
    CHECK(report.back().rule == "epsilon(epsilon = 0)");
  }
}

TEST_CASE("entries by module name choose the same layers in every way that keeps names") {
  auto rules = entries(R"(
    batch_norm => merge
    activation => pass
    add, avg_pool => norm
    convolution "features.0*", conv2d "conv1*", convolution "down1.0" => zbox(low = -5, high = 5)
    convolution "features.8*", convolution "*.conv2", convolution "inception4?.branch[23].*", conv_transpose2d "up*"
      => gamma(0.5)
    linear "classifier.1", convolution "layer4.*.downsample.*", convolution "*denseblock4.*1.conv1" => wsquare
    convolution => zplus
    linear "fc", linear "classifier*" => epsilon(0.125))");
  const std::map<std::string, std::map<std::string, std::vector<std::string>>> chosen{
      {"alexnet", {{"zbox", {"features.0"}}, {"gamma", {"features.8"}}, {"wsquare", {"classifier.1"}}}},
      {"vgg11_bn", {{"zbox", {"features.0"}}, {"gamma", {"features.8"}}}},
      {"resnet18",
       {{"zbox", {"conv1"}},
        {"gamma",
         {"layer1.0.conv2", "layer1.1.conv2", "layer2.0.conv2", "layer2.1.conv2", "layer3.0.conv2", "layer3.1.conv2",
          "layer4.0.conv2", "layer4.1.conv2"}},
        {"wsquare", {"layer4.0.downsample.0"}}}},
      {"googlenet", {{"zbox", {"conv1.conv"}}}},
      {"mobilenet_v2",
       {{"zbox", {"features.0.0"}}, {"gamma", {"features.8.conv.0.0", "features.8.conv.1.0", "features.8.conv.2"}}}},
      {"densenet121",
       {{"wsquare", {"features.denseblock4.denselayer1.conv1", "features.denseblock4.denselayer11.conv1"}}}},
      {"unet", {{"zbox", {"down1.0"}}, {"gamma", {"up2"}}}},
  };
  for (auto& network : network_names()) {
    auto report = same_in_every_way(network, rules, /*unfolded=*/true);
    for (auto& [rule_name, expected] : chosen.at(network)) {
      std::vector<std::string> found;
      for (auto& each : report)
        if (each.rule.starts_with(rule_name)) found.push_back(each.name);
      INFO(network << ", " << rule_name);
      CHECK(found == expected);
    }
  }
}

}  // namespace
}  // namespace test
