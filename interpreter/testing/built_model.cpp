#include "interpreter/testing/built_model.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/libtorch/module_scope.hpp"

namespace ascribe::testing {
namespace {

using language::BuildableLayer;
using language::LayerArgument;
using Sizes = std::vector<std::int64_t>;
using Apply = std::function<at::Tensor(const at::Tensor&)>;
using Effort = std::function<std::pair<double, double>(const at::Tensor&)>;

Error misfit(const Label& place, std::string message, std::string help = "") {
  return Error({.code = Code::wrong_input, .message = std::move(message), .primary = place, .help = std::move(help)});
}

// The largest whole number that an argument may be: what lies beyond is a slip of the hand.
constexpr std::int64_t largest_count = 1 << 20;

// The arguments of one layer, read by name.
class Arguments {
 public:
  explicit Arguments(const LayerDescription& described) : described_(described) {}

  bool has(std::string_view name) const {
    auto index = find_argument(*described_.layer, name);
    return index && described_.arguments[*index];
  }

  double number(std::string_view name) const {
    auto [argument, value] = find(name);
    if (!value) return argument.standard.value_or(0);
    if (value->numel() != 1) throw misfit(described_.place, filled("`{}` of `{}` is one number", name, kind()));
    return value->item<double>();
  }

  std::int64_t count(std::string_view name) const {
    auto [argument, value] = find(name);
    return whole(argument, number(name));
  }

  /// One size for each of `rank` dimensions; as they were given where `rank` is 0.
  Sizes sizes(std::string_view name, std::size_t rank = 0) const {
    auto [argument, value] = find(name);
    Sizes out;
    if (!value) {
      if (argument.standard) out.push_back(whole(argument, *argument.standard));
    } else {
      auto flat = value->reshape({-1});
      for (std::int64_t i = 0; i < std::min<std::int64_t>(flat.numel(), 64); ++i)
        out.push_back(whole(argument, flat[i].item<double>()));
    }
    if (rank > 0 && out.size() == 1) out.resize(rank, out.front());
    if (rank > 0 && !out.empty() && out.size() != rank)
      throw misfit(described_.place, filled("`{}` of `{}` has {} sizes, not {}", name, kind(), out.size(), rank),
                   filled("write one for each dimension, or one for all: `{} = 3`", name));
    return out;
  }

  /// Undefined where it was not given, or where it is 0 (`bias = 0` leaves it out).
  at::Tensor tensor(std::string_view name) const {
    auto [argument, value] = find(name);
    if (!value) return argument.standard ? at::full({1}, *argument.standard, at::kDouble) : at::Tensor();
    if (value->dim() > 0) return *value;
    return value->item<double>() == 0 && name == "bias" ? at::Tensor() : value->reshape({1});
  }

  std::string_view kind() const { return described_.layer->name; }
  const Label& place() const { return described_.place; }

 private:
  struct Found {
    const LayerArgument& argument;
    const std::optional<at::Tensor>& value;
  };
  Found find(std::string_view name) const {
    auto index = *find_argument(*described_.layer, name);
    return {described_.layer->arguments[index], described_.arguments[index]};
  }

  std::int64_t whole(const LayerArgument& argument, double value) const {
    if (!(value >= static_cast<double>(argument.least) && value <= static_cast<double>(largest_count)) ||
        value != std::floor(value))
      throw misfit(described_.place, filled("`{}` of `{}` is a whole number from {} to {}, not {}", argument.name,
                                            kind(), argument.least, largest_count, value));
    return static_cast<std::int64_t>(value);
  }

  const LayerDescription& described_;
};

double product(at::IntArrayRef sizes) { return std::accumulate(sizes.begin(), sizes.end(), 1.0, std::multiplies<>()); }

// Element by element: as many numbers as came in.
std::pair<double, double> as_input(const at::Tensor& x) {
  auto count = static_cast<double>(x.numel());
  return {count, count};
}

// How a window that moves over an input changes its sizes.
struct Window {
  Sizes kernel, stride, padding, dilation, output_padding;
  bool transposed = false;

  double positions(const at::Tensor& x) const {
    double out = 1;
    for (std::size_t i = 0; i < kernel.size(); ++i) {
      auto at = x.dim() - static_cast<std::int64_t>(kernel.size() - i);
      auto size = at >= 0 ? static_cast<double>(x.size(at)) : 1;
      auto span = static_cast<double>(dilation[i]) * static_cast<double>(kernel[i] - 1) + 1;
      auto pad = 2 * static_cast<double>(padding[i]), step = static_cast<double>(stride[i]);
      out *= transposed ? (size - 1) * step - pad + span + static_cast<double>(output_padding[i])
                        : std::floor((size + pad - span) / step) + 1;
    }
    return std::max(out, 0.0);
  }
};

using Join = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

struct Made {
  Apply apply;
  Effort effort = as_input;
  std::vector<std::pair<std::string_view, at::Tensor>> parameters{};
  Join join{};
};

std::size_t spatial_rank(std::string_view kind) { return static_cast<std::size_t>(kind[kind.size() - 2] - '0'); }

at::Tensor drawn_bias(const Arguments& a, std::int64_t size, double scale) {
  if (a.has("bias")) return a.tensor("bias");
  return random({size}, a.count("seed") + 1) * scale;
}

void check_bias(const Arguments& a, const at::Tensor& bias, std::int64_t size) {
  if (bias.defined() && (bias.dim() != 1 || bias.size(0) != size))
    throw misfit(
        a.place(),
        filled("`bias` of `{}` has the shape {}, its output {} features", a.kind(), shown_shape(bias.sizes()), size),
        "give one number for each of them, or `bias = 0`");
}

Made linear(const Arguments& a) {
  auto weight = a.tensor("weight"), bias = a.tensor("bias");
  if (!weight.defined()) {
    auto in = a.count("in"), out = a.count("out");
    auto scale = 1 / std::sqrt(static_cast<double>(in));
    weight = random({out, in}, a.count("seed")) * scale;
    bias = drawn_bias(a, out, scale);
  }
  if (weight.dim() != 2)
    throw misfit(a.place(), filled("`weight` of `linear` has the shape {}", shown_shape(weight.sizes())),
                 "it is a matrix: a row for each output, `[[1, 2], [3, 4]]`");
  check_bias(a, bias, weight.size(0));
  auto effort = [weight](const at::Tensor& x) {
    auto rows = static_cast<double>(x.numel()) / static_cast<double>(std::max<std::int64_t>(weight.size(1), 1));
    return std::pair(rows * static_cast<double>(weight.numel()), rows * static_cast<double>(weight.size(0)));
  };
  return {
      [=](const at::Tensor& x) { return at::linear(x, weight, bias); }, effort, {{"weight", weight}, {"bias", bias}}};
}

Made convolution(const Arguments& a) {
  bool transposed = a.kind().starts_with("conv_transpose");
  auto rank = spatial_rank(a.kind());
  auto groups = a.count("groups");
  auto weight = a.tensor("weight"), bias = a.tensor("bias");
  if (!weight.defined()) {
    auto in = a.count("in"), out = a.count("out");
    if (in % groups != 0 || out % groups != 0)
      throw misfit(a.place(), filled("{} inputs and {} outputs do not fall into {} groups", in, out, groups));
    Sizes shape = transposed ? Sizes{in, out / groups} : Sizes{out, in / groups};
    auto kernel = a.sizes("kernel", rank);
    for (auto size : kernel) shape.push_back(size);
    auto scale = 1 / std::sqrt(static_cast<double>(in / groups) * product(kernel));
    weight = random(shape, a.count("seed")) * scale;
    bias = drawn_bias(a, out, scale);
  }
  if (weight.dim() != static_cast<std::int64_t>(rank) + 2)
    throw misfit(a.place(), filled("`weight` of `{}` has the shape {}", a.kind(), shown_shape(weight.sizes())),
                 filled("it has {} dimensions: {}, then the kernel", rank + 2,
                        transposed ? "inputs, outputs" : "outputs, inputs"));
  auto outputs = transposed ? weight.size(1) * groups : weight.size(0);
  check_bias(a, bias, outputs);
  Window window{weight.sizes().slice(2).vec(), a.sizes("stride", rank), a.sizes("padding", rank),
                a.sizes("dilation", rank),     Sizes(rank, 0),          transposed};
  if (transposed) window.output_padding = a.sizes("output_padding", rank);
  auto effort = [=](const at::Tensor& x) {
    auto numbers =
        (x.dim() > 0 ? static_cast<double>(x.size(0)) : 1) * static_cast<double>(outputs) * window.positions(x);
    return std::pair(
        numbers * static_cast<double>(weight.numel()) / static_cast<double>(std::max<std::int64_t>(weight.size(0), 1)),
        numbers);
  };
  auto apply = [=](const at::Tensor& x) -> at::Tensor {
    auto& [kernel, stride, padding, dilation, output_padding, _] = window;
    if (transposed && rank == 1)
      return at::conv_transpose1d(x, weight, bias, stride, padding, output_padding, groups, dilation);
    if (transposed && rank == 2)
      return at::conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation);
    if (transposed) return at::conv_transpose3d(x, weight, bias, stride, padding, output_padding, groups, dilation);
    if (rank == 1) return at::conv1d(x, weight, bias, stride, padding, dilation, groups);
    if (rank == 2) return at::conv2d(x, weight, bias, stride, padding, dilation, groups);
    return at::conv3d(x, weight, bias, stride, padding, dilation, groups);
  };
  return {apply, effort, {{"weight", weight}, {"bias", bias}}};
}

Made pool(const Arguments& a) {
  auto rank = spatial_rank(a.kind());
  bool largest = a.kind().starts_with("max");
  Window window{a.sizes("kernel", rank), a.sizes("stride", rank), a.sizes("padding", rank),
                largest ? a.sizes("dilation", rank) : Sizes(rank, 1), Sizes(rank, 0)};
  if (window.stride.empty()) window.stride = window.kernel;
  auto effort = [=](const at::Tensor& x) {
    auto numbers = window.positions(x);
    for (std::int64_t i = 0; i + static_cast<std::int64_t>(rank) < x.dim(); ++i)
      numbers *= static_cast<double>(x.size(i));
    return std::pair(numbers * product(window.kernel), numbers);
  };
  auto apply = [=](const at::Tensor& x) -> at::Tensor {
    auto& [k, s, p, d, _, __] = window;
    if (largest)
      return rank == 1   ? at::max_pool1d(x, k, s, p, d)
             : rank == 2 ? at::max_pool2d(x, k, s, p, d)
                         : at::max_pool3d(x, k, s, p, d);
    return rank == 1 ? at::avg_pool1d(x, k, s, p) : rank == 2 ? at::avg_pool2d(x, k, s, p) : at::avg_pool3d(x, k, s, p);
  };
  return {apply, effort};
}

Made adaptive_pool(const Arguments& a) {
  auto rank = spatial_rank(a.kind());
  bool largest = a.kind().find("max") != std::string_view::npos;
  auto size = a.sizes("size", rank);
  auto effort = [=](const at::Tensor& x) {
    auto numbers = product(size);
    for (std::int64_t i = 0; i + static_cast<std::int64_t>(rank) < x.dim(); ++i)
      numbers *= static_cast<double>(x.size(i));
    return std::pair(numbers + static_cast<double>(x.numel()), numbers);
  };
  auto apply = [=](const at::Tensor& x) -> at::Tensor {
    if (largest)
      return std::get<0>(rank == 1   ? at::adaptive_max_pool1d(x, size)
                         : rank == 2 ? at::adaptive_max_pool2d(x, size)
                                     : at::adaptive_max_pool3d(x, size));
    return rank == 1   ? at::adaptive_avg_pool1d(x, size)
           : rank == 2 ? at::adaptive_avg_pool2d(x, size)
                       : at::adaptive_avg_pool3d(x, size);
  };
  return {apply, effort};
}

Made batch_norm(const Arguments& a) {
  auto weight = a.tensor("weight"), bias = a.tensor("bias"), mean = a.tensor("mean"), variance = a.tensor("variance");
  if (a.has("features")) {
    auto features = a.count("features"), seed = a.count("seed");
    auto positive = [&](std::int64_t s) { return random({features}, s).abs() + 0.5; };
    if (!weight.defined()) weight = positive(seed);
    if (!a.has("bias")) bias = random({features}, seed + 1);
    if (!mean.defined()) mean = random({features}, seed + 2);
    if (!variance.defined()) variance = positive(seed + 3);
  }
  auto epsilon = a.number("epsilon");
  return {[=](const at::Tensor& x) {
            return at::batch_norm(x, weight, bias, mean, variance, /*training=*/false, 0, epsilon, false);
          },
          as_input,
          {{"weight", weight}, {"bias", bias}}};
}

Made other_norm(const Arguments& a) {
  auto weight = a.tensor("weight"), bias = a.tensor("bias");
  auto epsilon = a.number("epsilon");
  std::vector<std::pair<std::string_view, at::Tensor>> parameters{{"weight", weight}, {"bias", bias}};
  if (a.kind() == "layer_norm") {
    auto shape = a.has("shape") ? a.sizes("shape") : weight.sizes().vec();
    return {[=](const at::Tensor& x) { return at::layer_norm(x, shape, weight, bias, epsilon); }, as_input, parameters};
  }
  if (a.kind() == "group_norm") {
    auto groups = a.count("groups");
    return {[=](const at::Tensor& x) { return at::group_norm(x, groups, weight, bias, epsilon); }, as_input,
            parameters};
  }
  return {[=](const at::Tensor& x) { return at::instance_norm(x, weight, bias, {}, {}, true, 0, epsilon, false); },
          as_input, parameters};
}

Made reduction(const Arguments& a) {
  auto dimensions = a.sizes("dimensions");
  if (a.kind() == "sum") return {[=](const at::Tensor& x) { return at::sum(x, dimensions); }};
  return {[=](const at::Tensor& x) { return at::mean(x, dimensions); }};
}

// A layer that applies one function, whose numbers are read by name.
template <typename Function>
Made simple(Function function) {
  return {function};
}

// Several heads share the last dimension.
Made attention(const Arguments& a) {
  auto heads = a.count("heads");
  bool causal = a.count("causal") > 0;
  Made out;
  out.join = [=, place = a.place()](const std::vector<at::Tensor>& branches) {
    auto split = [&](const at::Tensor& x) {
      if (x.dim() != 3 || x.size(2) % heads != 0)
        throw misfit(place, filled("attention takes [batch, length, features] with features in {} heads, not {}", heads,
                                   shown_shape(x.sizes())));
      return x.reshape({x.size(0), x.size(1), heads, -1}).transpose(1, 2);
    };
    auto y =
        at::scaled_dot_product_attention(split(branches[0]), split(branches[1]), split(branches[2]), {}, 0.0, causal);
    return y.transpose(1, 2).flatten(2);
  };
  return out;
}

// One layer in one direction on [batch, length, features]; its parameters are drawn.
Made recurrent(const Arguments& a, std::int64_t gates) {
  auto in = a.count("in"), out = a.count("out"), seed = a.count("seed");
  auto scale = 1 / std::sqrt(static_cast<double>(out));
  std::vector<at::Tensor> p{scale * random({gates * out, in}, seed), scale * random({gates * out, out}, seed + 1),
                            scale * random({gates * out}, seed + 2), scale * random({gates * out}, seed + 3)};
  Made made{
      [=](const at::Tensor& x) {
        auto state = at::zeros({1, x.size(0), out}, x.options());
        if (gates == 4)
          return std::get<0>(at::lstm(x, std::vector<at::Tensor>{state, state}, p, true, 1, 0.0, false, false, true));
        return std::get<0>(at::gru(x, state, p, true, 1, 0.0, false, false, true));
      },
      [=](const at::Tensor& x) {
        auto rows = static_cast<double>(x.numel()) / static_cast<double>(std::max<std::int64_t>(in, 1));
        return std::pair(rows * static_cast<double>(gates * out * (in + out)), rows * static_cast<double>(gates * out));
      }};
  const char* names[] = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"};
  for (std::size_t i = 0; i < p.size(); ++i) made.parameters.emplace_back(names[i], p[i]);
  return made;
}

Made joined(Join join) {
  Made out;
  out.join = std::move(join);
  return out;
}

Made make(const Arguments& a) {
  auto kind = a.kind();
  using Branches = const std::vector<at::Tensor>&;
  if (kind == "add") return joined([](Branches x) { return at::add(x[0], x[1]); });
  if (kind == "product") return joined([](Branches x) { return at::mul(x[0], x[1]); });
  if (kind == "quotient") return joined([](Branches x) { return at::div(x[0], x[1]); });
  if (kind == "matmul") return joined([](Branches x) { return at::matmul(x[0], x[1]); });
  if (kind == "attention") return attention(a);
  if (kind == "lstm") return recurrent(a, 4);
  if (kind == "gru") return recurrent(a, 3);
  auto number = [&](std::string_view name) { return at::Scalar(a.number(name)); };
  using X = const at::Tensor&;
  if (kind == "linear") return linear(a);
  if (kind.starts_with("conv")) return convolution(a);
  if (kind.starts_with("adaptive")) return adaptive_pool(a);
  if (kind.find("_pool") != std::string_view::npos) return pool(a);
  if (kind == "batch_norm") return batch_norm(a);
  if (kind.ends_with("_norm")) return other_norm(a);
  if (kind == "mean" || kind == "sum") return reduction(a);
  if (kind == "scale") return simple([f = number("factor")](X x) { return at::mul(x, f); });
  if (kind == "flatten") return simple([](X x) { return at::flatten(x, 1); });
  if (kind == "relu") return simple([](X x) { return at::relu(x); });
  if (kind == "relu6") return simple([](X x) { return at::hardtanh(x, 0, 6); });
  if (kind == "leaky_relu") return simple([s = number("slope")](X x) { return at::leaky_relu(x, s); });
  if (kind == "prelu") {
    auto weight = a.tensor("weight");
    return {[=](X x) { return at::prelu(x, weight); }, as_input, {{"weight", weight}}};
  }
  if (kind == "rrelu")
    return simple([l = number("lower"), u = number("upper")](X x) { return at::rrelu(x, l, u, /*training=*/false); });
  if (kind == "elu") return simple([s = number("alpha")](X x) { return at::elu(x, s); });
  if (kind == "selu") return simple([](X x) { return at::selu(x); });
  if (kind == "celu") return simple([s = number("alpha")](X x) { return at::celu(x, s); });
  if (kind == "gelu") return simple([](X x) { return at::gelu(x); });
  if (kind == "silu") return simple([](X x) { return at::silu(x); });
  if (kind == "mish") return simple([](X x) { return at::mish(x); });
  if (kind == "sigmoid") return simple([](X x) { return at::sigmoid(x); });
  if (kind == "log_sigmoid") return simple([](X x) { return at::log_sigmoid(x); });
  if (kind == "tanh") return simple([](X x) { return at::tanh(x); });
  if (kind == "softsign") return simple([](X x) { return x / (x.abs() + 1); });
  if (kind == "tanhshrink") return simple([](X x) { return x - x.tanh(); });
  if (kind == "softplus")
    return simple([b = number("beta"), t = number("threshold")](X x) { return at::softplus(x, b, t); });
  if (kind == "threshold")
    return simple([t = number("threshold"), v = number("value")](X x) { return at::threshold(x, t, v); });
  if (kind == "hardtanh") return simple([l = number("low"), h = number("high")](X x) { return at::hardtanh(x, l, h); });
  if (kind == "hardswish") return simple([](X x) { return at::hardswish(x); });
  if (kind == "hardsigmoid") return simple([](X x) { return at::hardsigmoid(x); });
  if (kind == "hardshrink") return simple([l = number("lambda")](X x) { return at::hardshrink(x, l); });
  if (kind == "softshrink") return simple([l = number("lambda")](X x) { return at::softshrink(x, l); });
  auto dimension = a.count("dimension");
  if (kind == "softmax") return simple([=](X x) { return at::softmax(x, dimension); });
  return simple([=](X x) { return at::log_softmax(x, dimension); });
}

}  // namespace

at::Tensor random(at::IntArrayRef shape, std::int64_t seed) {
  if (product(shape) > static_cast<double>(limits.test_elements))
    throw Error({.code = Code::too_large,
                 .message = filled("a random tensor of shape {} has more than {} numbers", shown_shape(shape),
                                   limits.test_elements),
                 .help = "take a smaller one"});
  auto generator = at::detail::createCPUGenerator(static_cast<std::uint64_t>(seed));
  return at::randn(shape, generator, at::kDouble);
}

std::string only_kind(const std::vector<LayerDescription>& layers) {
  if (layers.size() != 1) return {};
  auto& branches = layers.front().branches;
  bool alone = std::all_of(branches.begin(), branches.end(), [](auto& each) { return each.empty(); });
  bool kind = language::find_kind(layers.front().layer->name) != nullptr;
  return alone || !kind ? "any" : std::string(layers.front().layer->name);
}

BuiltModel::BuiltModel(const std::vector<LayerDescription>& layers, Allowance allowance, std::string prefix)
    : allowance_(allowance), prefix_(std::move(prefix)), only_kind_(testing::only_kind(layers)) {
  for (auto& described : layers) {
    auto name = filled("{}{}", prefix_, layers_.size());
    Made made;
    try {
      made = make(Arguments(described));
    } catch (const Error& error) {
      auto diagnostic = error.diagnostics().front();
      if (!diagnostic.primary.source) diagnostic.primary = described.place;
      throw Error(diagnostic);
    }
    for (auto& [each, tensor] : made.parameters)
      if (tensor.defined()) parameters_.emplace_back(filled("{}.{}", name, each), tensor);
    Layer layer{described.layer->name, std::move(made.apply), std::move(made.effort), described.place, {},
                std::move(made.join)};
    for (auto& branch : described.branches) {
      layer.branches.emplace_back(branch, allowance_, filled("{}.{}.", name, layer.branches.size()));
      auto& inner = layer.branches.back().parameters_;
      parameters_.insert(parameters_.end(), inner.begin(), inner.end());
    }
    layers_.push_back(std::move(layer));
  }
}

at::Tensor BuiltModel::forward(const at::Tensor& x) const {
  libtorch::ModuleScope scope;
  auto y = x;
  double all = 0;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    auto& layer = layers_[i];
    auto [operations, numbers] = layer.effort(y);
    all += operations;
    if (numbers > static_cast<double>(limits.test_elements) || all > allowance_.multiplications)
      throw Error({.code = Code::too_large,
                   .message = filled("layer '{}' ({}) is too large for {}", i, layer.kind, allowance_.whose),
                   .primary = layer.place,
                   .help = filled("a tensor of {} has at most {} numbers, its layers take at most {} "
                                  "multiplications",
                                  allowance_.whose, limits.test_elements, allowance_.multiplications)});
    auto name = filled("{}{}", prefix_, i);
    std::vector<at::Tensor> given;
    for (auto& branch : layer.branches) given.push_back(branch.forward(y));
    libtorch::current_module() = name;
    try {
      y = layer.join ? layer.join(given) : layer.apply(y);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& failure) {
      throw misfit(layer.place, filled("layer '{}' ({}) cannot take an input of shape {}: {}", name, layer.kind,
                                       shown_shape(y.sizes()), libtorch::reason(failure)));
    }
  }
  return y;
}

}  // namespace ascribe::testing
