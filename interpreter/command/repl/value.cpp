#include "interpreter/command/repl/value.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "grammar/filled_text.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/model/model_state.hpp"

namespace ascribe::repl {
namespace {

// The sign of a zero or of a NaN says nothing.
double without_idle_sign(double value) {
  if (std::isnan(value)) return std::numeric_limits<double>::quiet_NaN();
  return value == 0 ? 0 : value;
}

std::string with_count(std::int64_t count, const std::string& word) {
  return filled("{} {}{}", count, word, count == 1 ? "" : "s");
}

std::string summary_of(const TensorValue& value) {
  auto& tensor = value.tensor;
  auto out = filled("{} {}", type_name(tensor), shown_shape(tensor.sizes()));
  if (tensor.numel() == 0) return out + ", no elements";
  if (tensor.scalar_type() == at::kBool)
    return out + filled(", {} of {} hold", tensor.sum().item<std::int64_t>(), tensor.numel());
  auto numbers = tensor.to(at::kCPU, at::kDouble);
  auto finite = numbers.masked_select(numbers.isfinite());
  if (finite.numel() > 0)
    out += filled(", range {} to {}", number(finite.min().item<double>()), number(finite.max().item<double>()));
  out += filled(", sum {}, NaN {}", number(numbers.sum().item<double>()), numbers.isnan().sum().item<std::int64_t>());
  if (auto infinite = numbers.isinf().sum().item<std::int64_t>(); infinite > 0)
    out += filled(", infinite {}", infinite);
  return out;
}

// ------------------------------------------------------------------------------------------------- tensors, shortened

// The elements of a dimension that are shown: all, or the first and the last ones with a gap between.
struct Shown {
  std::int64_t first, last;
};
Shown shown_of(std::int64_t size, std::int64_t dimensions_below, bool all) {
  constexpr Shown shortened[] = {{4, 2}, {2, 1}};
  constexpr std::int64_t short_enough[] = {10, 4};
  auto kind = static_cast<std::size_t>(std::min<std::int64_t>(dimensions_below, 1));
  if (all || size <= short_enough[kind] - (dimensions_below > 1 ? 2 : 0)) return {size, 0};
  return dimensions_below > 1 ? Shown{1, 1} : shortened[kind];
}

std::string element(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kBool) return tensor.item<bool>() ? "true" : "false";
  return filled("{:.4g}", without_idle_sign(tensor.item<double>()));
}

template <typename Visit>
void visit_shown(const at::Tensor& tensor, bool all, const Visit& visit) {
  auto chosen = shown_of(tensor.size(0), tensor.dim() - 1, all);
  for (std::int64_t i = 0; i < chosen.first; ++i) visit(tensor.select(0, i), i);
  if (chosen.last == 0) return;
  visit(at::Tensor(), chosen.first);
  for (auto i = tensor.size(0) - chosen.last; i < tensor.size(0); ++i) visit(tensor.select(0, i), i);
}

std::size_t widest(const at::Tensor& tensor, bool all) {
  if (tensor.dim() == 0) return element(tensor).size();
  std::size_t out = 0;
  visit_shown(tensor, all, [&](const at::Tensor& each, std::int64_t) {
    if (each.defined()) out = std::max(out, widest(each, all));
  });
  return out;
}

void write(std::string& out, const at::Tensor& tensor, bool all, std::size_t width, std::size_t indent) {
  if (tensor.dim() == 0) {
    out += filled("{:>{}}", element(tensor), width);
    return;
  }
  out += '[';
  visit_shown(tensor, all, [&](const at::Tensor& each, std::int64_t i) {
    if (i > 0) out += tensor.dim() == 1 ? ", " : ",\n" + std::string(indent + 1, ' ');
    if (each.defined())
      write(out, each, all, width, indent + 1);
    else
      out += "…";
  });
  out += ']';
}

std::string data_of(const at::Tensor& tensor) {
  constexpr std::int64_t few = 32;  // elements that are never shortened
  if (tensor.numel() == 0 || tensor.dim() > 8) return "";
  auto values = tensor.detach().to(at::kCPU);
  if (values.scalar_type() != at::kBool) values = values.to(at::kDouble);
  bool all = values.numel() <= few && (values.dim() == 0 || values.size(-1) <= 10);
  std::string out;
  write(out, values, all, widest(values, all), 0);
  return out + "\n";
}

// -------------------------------------------------------------------------------------------------------------- models

// `15338 parameters in 8 tensors, float32`
std::string parameters_in(const ModelValue& value) {
  std::int64_t numbers = 0;
  auto& held = Inside::state(value.model).names->held;
  for (auto& each : held) numbers += each.numel();
  return filled("{} in {}, {}", with_count(numbers, "parameter"),
                with_count(static_cast<std::int64_t>(held.size()), "tensor"),
                type_name(at::empty({0}, value.model.options().device(at::kCPU))));
}

std::string summary_of(const ModelValue& value) {
  if (value.layers.empty()) return filled("model from {}: {}", value.file, parameters_in(value));
  return "model of " + called(value);
}

std::string layers_of(const ModelValue& value) {
  std::string out;
  auto& names = Inside::state(value.model).names->by_place;
  std::size_t widest_kind = 0;
  for (auto& layer : value.layers) widest_kind = std::max(widest_kind, layer.layer->name.size());
  for (std::size_t i = 0; i < value.layers.size(); ++i) {
    std::string line = filled("  {:>2}  {:<{}}", i, value.layers[i].layer->name, widest_kind);
    for (auto& held : Inside::state(value.model).names->held)
      if (auto found = names.find({held.storage().unsafeGetStorageImpl(), held.storage_offset()});
          found != names.end() && found->second.starts_with(std::to_string(i) + "."))
        line += filled("  {} {}", found->second.substr(std::to_string(i).size() + 1), shown_shape(held.sizes()));
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace

std::string called(const ModelValue& value) {
  if (value.layers.empty()) return value.file;
  std::vector<std::string_view> kinds;
  for (auto& layer : value.layers) kinds.push_back(layer.layer->name);
  constexpr std::size_t most = 8;
  bool more = kinds.size() > most;
  auto count = kinds.size();
  if (more) kinds.resize(most);
  return filled("{}: {}{}", with_count(static_cast<std::int64_t>(count), "layer"), fmt::join(kinds, ", "),
                more ? ", …" : "");
}

std::string about_model(const ModelValue& value) {
  auto& program = *Inside::state(value.model).program;
  auto inputs = program.inputs();
  auto out = filled("{}\nformat: {}\n{}\n", called(value), program.format(), parameters_in(value));
  if (inputs.told.empty())
    out += filled("inputs: {}\n", inputs.most);
  else
    for (std::size_t i = 0; i < inputs.told.size(); ++i)
      out += filled("{}{}: {}{}\n", i == 0 ? "input x" : "input x", i == 0 ? "" : std::to_string(i + 1), inputs.told[i],
                    i >= inputs.least ? " (may be left out)" : "");
  return out;
}

std::string number(double value) { return filled("{:.6g}", without_idle_sign(value)); }

std::string type_name(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kBool:
      return "truth";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    default:
      return filled("{}int{}", tensor.scalar_type() == at::kByte ? "u" : "", 8 * tensor.element_size());
  }
}

std::string summary(const Value& value) {
  if (auto* it = std::get_if<double>(&value)) return filled("{}", without_idle_sign(*it));
  if (auto* it = std::get_if<bool>(&value)) return *it ? "true" : "false";
  if (auto* it = std::get_if<TensorValue>(&value)) return summary_of(*it);
  return summary_of(std::get<ModelValue>(value));
}

std::string describe(const Value& value) {
  auto out = summary(value) + "\n";
  if (auto* it = std::get_if<TensorValue>(&value)) return out + data_of(it->tensor);
  if (auto* it = std::get_if<ModelValue>(&value)) return out + layers_of(*it);
  return out;
}

std::string type_of(const Value& value) {
  if (std::holds_alternative<double>(value)) return "a number";
  if (std::holds_alternative<bool>(value)) return "a truth value";
  if (auto* it = std::get_if<TensorValue>(&value))
    return filled("a tensor, {} {}", type_name(it->tensor), shown_shape(it->tensor.sizes()));
  auto& model = std::get<ModelValue>(value);
  return model.layers.empty() ? "a loaded model"
                              : "a model of " + with_count(static_cast<std::int64_t>(model.layers.size()), "layer");
}

}  // namespace ascribe::repl
