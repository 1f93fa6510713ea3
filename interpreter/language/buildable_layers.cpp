#include "interpreter/language/buildable_layers.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"

namespace ascribe::language {
namespace {

using Form = LayerArgument::Form;
using Arguments = std::vector<LayerArgument>;

// Layers with parameters are made from these, or drawn from a seed.
const LayerArgument weight{"weight", Form::tensor}, bias{"bias", Form::tensor}, seed{"seed", Form::count, 0, false, 0};

Arguments convolution(bool transposed) {
  Arguments out{{"in", Form::count},
                {"out", Form::count},
                {"kernel", Form::sizes},
                {"stride", Form::sizes, 1},
                {"padding", Form::sizes, 0, false, 0}};
  if (transposed) out.push_back({"output_padding", Form::sizes, 0, false, 0});
  out.insert(out.end(), {{"dilation", Form::sizes, 1}, {"groups", Form::count, 1}, weight, bias, seed});
  return out;
}

std::vector<BuildableLayer> make_table() {
  std::vector<BuildableLayer> table{
      {"linear", {{"in", Form::count}, {"out", Form::count}, weight, bias, seed}},
      {"batch_norm",
       {{"features", Form::count},
        weight,
        bias,
        {"mean", Form::tensor},
        {"variance", Form::tensor},
        {"epsilon", Form::number, 1e-5},
        seed}},
      {"layer_norm", {{"shape", Form::sizes}, weight, bias, {"epsilon", Form::number, 1e-5}}},
      {"group_norm", {{"groups", Form::count, {}, true}, weight, bias, {"epsilon", Form::number, 1e-5}}},
      {"instance_norm", {weight, bias, {"epsilon", Form::number, 1e-5}}},
      {"mean", {{"dimensions", Form::sizes, {}, true, -64}}},
      {"sum", {{"dimensions", Form::sizes, {}, true, -64}}},
      {"scale", {{"factor", Form::number, {}, true}}},
      {"flatten", {}},
      {"add", {{"left", Form::branch, {}, true}, {"right", Form::branch, {}, true}}},
      {"product", {{"left", Form::branch, {}, true}, {"right", Form::branch, {}, true}}},
      {"quotient", {{"left", Form::branch, {}, true}, {"right", Form::branch, {}, true}}},
      {"matmul", {{"left", Form::branch, {}, true}, {"right", Form::branch, {}, true}}},
      {"attention",
       {{"query", Form::branch, {}, true},
        {"key", Form::branch, {}, true},
        {"value", Form::branch, {}, true},
        {"heads", Form::count, 1},
        {"causal", Form::count, 0, false, 0}}},
      {"lstm", {{"in", Form::count, {}, true}, {"out", Form::count, {}, true}, seed}},
      {"gru", {{"in", Form::count, {}, true}, {"out", Form::count, {}, true}, seed}},
      {"leaky_relu", {{"slope", Form::number, 0.01}}},
      {"prelu", {{"weight", Form::tensor, 0.25}}},
      {"rrelu", {{"lower", Form::number, 1.0 / 8}, {"upper", Form::number, 1.0 / 3}}},
      {"elu", {{"alpha", Form::number, 1}}},
      {"celu", {{"alpha", Form::number, 1}}},
      {"softplus", {{"beta", Form::number, 1}, {"threshold", Form::number, 20}}},
      {"threshold", {{"threshold", Form::number, {}, true}, {"value", Form::number, {}, true}}},
      {"hardtanh", {{"low", Form::number, -1}, {"high", Form::number, 1}}},
      {"hardshrink", {{"lambda", Form::number, 0.5}}},
      {"softshrink", {{"lambda", Form::number, 0.5}}},
      {"softmax", {{"dimension", Form::count, 1, false, -64}}},
      {"log_softmax", {{"dimension", Form::count, 1, false, -64}}},
  };
  for (auto name : {"relu", "relu6", "selu", "gelu", "silu", "mish", "sigmoid", "log_sigmoid", "tanh", "softsign",
                    "tanhshrink", "hardswish", "hardsigmoid"})
    table.push_back({name, {}});
  for (auto name : {"conv1d", "conv2d", "conv3d"}) table.push_back({name, convolution(false)});
  for (auto name : {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"})
    table.push_back({name, convolution(true)});
  const Arguments pool{
      {"kernel", Form::sizes, {}, true}, {"stride", Form::sizes}, {"padding", Form::sizes, 0, false, 0}};
  for (auto name : {"avg_pool1d", "avg_pool2d", "avg_pool3d"}) table.push_back({name, pool});
  auto dilated = pool;
  dilated.push_back({"dilation", Form::sizes, 1});
  for (auto name : {"max_pool1d", "max_pool2d", "max_pool3d"}) table.push_back({name, dilated});
  for (auto name : {"adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
                    "adaptive_max_pool2d", "adaptive_max_pool3d"})
    table.push_back({name, {{"size", Form::sizes, {}, true}}});
  return table;
}

const std::vector<BuildableLayer>& table() {
  static const auto layers = make_table();
  return layers;
}

}  // namespace

std::span<const BuildableLayer> buildable_layers() { return table(); }

const BuildableLayer* find_buildable_layer(std::string_view name) {
  auto found = std::find_if(table().begin(), table().end(), [&](auto& row) { return row.name == name; });
  return found == table().end() ? nullptr : &*found;
}

std::optional<std::size_t> find_argument(const BuildableLayer& layer, std::string_view name) {
  auto found =
      std::find_if(layer.arguments.begin(), layer.arguments.end(), [&](auto& row) { return row.name == name; });
  if (found == layer.arguments.end()) return {};
  return static_cast<std::size_t>(found - layer.arguments.begin());
}

std::string signature(const BuildableLayer& layer) {
  std::vector<std::string> parts;
  for (auto& each : layer.arguments)
    parts.push_back(each.standard ? filled("{} = {}", each.name, *each.standard) : std::string(each.name));
  return filled("{}({})", layer.name, fmt::join(parts, ", "));
}

}  // namespace ascribe::language
