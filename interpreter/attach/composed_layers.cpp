// Layers that LibTorch has no operator for, or that a model has as several: they arrive as these, and the last of these
// is taken for the whole.
#include <ATen/ATen.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "interpreter/attach/attachment.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe {

using namespace libtorch;   // NOLINT
using namespace layering;   // NOLINT
using namespace attaching;  // NOLINT: as in attachment.cpp

namespace {

struct ComposedLayer {
  std::string_view kind;
  std::string_view last;  ///< the operator that makes the output, of x and of what the layer before it made
  /// The kinds of the rows that stand for what went before it, the last of them for what it takes of them.
  std::vector<std::string_view> parts;
  at::Tensor (*inner_value)(const at::Tensor& x);
  at::Tensor (*value)(const at::Tensor& x);
};
const ComposedLayer composed_layers[] = {
    {"softsign",
     "div",
     {"abs", "add"},
     [](const at::Tensor& x) { return x.abs() + 1; },
     [](const at::Tensor& x) { return x / (x.abs() + 1); }},
    {"tanhshrink",
     "sub",
     {"tanh"},
     [](const at::Tensor& x) { return x.tanh(); },
     [](const at::Tensor& x) { return x - x.tanh(); }},
    {"silu",
     "mul",
     {"sigmoid"},
     [](const at::Tensor& x) { return x.sigmoid(); },
     [](const at::Tensor& x) { return x * x.sigmoid(); }},  // as core ATen has it, and many a model
};

}  // namespace

std::optional<Attachment::State::Candidate> Attachment::State::composed(const Row& row,
                                                                        const std::vector<c10::IValue>& arguments) {
  auto* layer = std::find_if(std::begin(composed_layers), std::end(composed_layers), [&](auto& each) {
    return each.last == row.name && reports_.size() >= each.parts.size() &&
           std::equal(each.parts.rbegin(), each.parts.rend(), reports_.rbegin(),
                      [](auto part, auto& report) { return report->kind == part; });
  });
  if (layer == std::end(composed_layers) || !is_tensor(arguments[0]) || !is_tensor(arguments[1])) return {};
  if (row.form == LayerOperator::Form::addition && !arguments[2].toScalar().equal(1)) return {};
  auto x = arguments[0].toTensor(), inner = arguments[1].toTensor();
  if (x.sizes() != inner.sizes() || x.scalar_type() != inner.scalar_type()) return {};
  Candidate out{};
  out.pass = passes_.of(x);
  if (!out.pass) return {};
  {
    at::NoGradGuard no_grad;
    if (!at::equal(inner, layer->inner_value(x))) return {};
  }
  // What went before was a part of this layer: nobody shall count it, or see it in a report.
  for (auto& part : layer->parts) {
    unsettled_.erase(reports_.back().get());
    outputs_.erase(reports_.back().get());
    reports_.pop_back();
    --out.pass->calls_of_kind[std::string(part)];
  }
  for (auto& seen : out.pass->counts)
    if (!seen.empty() && seen.back() == calls_) seen.pop_back();
  out.kind = language::find_kind(layer->kind);
  out.kind_name = out.kind->name;
  out.module = current_module();
  out.name = name_of(out);
  out.inputs = {x};
  out.gets_relevance = {true};
  out.input_places = {0};
  out.inner = layer->inner_value;
  out.apply = [value = layer->value](const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>&) {
    return value(inputs[0]);
  };
  return out;
}

}  // namespace ascribe
