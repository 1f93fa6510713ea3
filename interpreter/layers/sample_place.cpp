#include "interpreter/layers/sample_place.hpp"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <string_view>

#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::layering {
namespace {

constexpr SamplePlace nowhere{SamplePlace::unknown};

// Samples get numbers that nobody pads or fills with; anything else belongs to none.
constexpr double first_number = 1 << 20;

// For each element the number of its sample.
at::Tensor numbered(const at::Tensor& tensor, const std::optional<SamplePlace>& place) {
  auto options = tensor.options().dtype(at::kFloat).requires_grad(false);
  if (!place) return at::zeros({}, options).expand(tensor.sizes());
  auto n = samples_of(tensor, *place);
  auto numbers = at::arange(first_number, first_number + static_cast<double>(n), options);
  auto along = numbers.reshape({1, n, 1}).expand({place->outer, n, place->inner}).reshape(-1);
  std::vector<std::int64_t> shape(static_cast<std::size_t>(tensor.dim()), 1);
  shape[static_cast<std::size_t>(place->dimension)] = along.numel();
  return along.reshape(shape).expand(tensor.sizes());
}

// The place that such numbers say; nothing where they belong to no sample.
std::optional<SamplePlace> place_in(const at::Tensor& given, std::int64_t samples) {
  auto counts = at::logical_and(given >= first_number, given < first_number + static_cast<double>(samples));
  auto numbers = at::where(counts, given, at::zeros({}, given.options()));
  if (!counts.any().item<bool>()) return {};
  for (std::int64_t d = 0; d < numbers.dim(); ++d) {
    auto size = numbers.size(d);
    if (size % samples != 0) continue;
    auto rows = numbers.transpose(0, d).reshape({size, -1});
    auto profile = std::get<0>(rows.max(1, /*keepdim=*/true));
    if (!at::logical_or(rows == profile, rows == 0).all().item<bool>()) continue;
    profile = profile.flatten();
    for (std::int64_t inner = 1; inner <= size / samples; ++inner) {
      if (size / samples % inner != 0) continue;
      SamplePlace along{0, size / samples / inner, inner};
      if (at::logical_or(profile == numbered(profile, along), profile == 0).all().item<bool>())
        return SamplePlace{d, along.outer, inner};
    }
  }
  return nowhere;
}

std::optional<std::size_t> argument(const c10::FunctionSchema& schema, std::string_view name) {
  auto place = schema.argumentIndexWithName(name);
  return place ? std::optional(static_cast<std::size_t>(*place)) : std::nullopt;
}

std::vector<at::Tensor> tensors_of(const c10::IValue& value) {
  std::vector<at::Tensor> out;
  libtorch::for_each_tensor(value, [&](const at::Tensor& each) { out.push_back(each); });
  return out;
}

// Copies, and other types: in some of these, the numbers below would be rounded.
bool keeps_places(std::string_view name) {
  constexpr std::string_view names[] = {"to",    "_to_copy", "type_as", "half", "bfloat16", "float", "double",
                                        "clone", "detach",   "alias",   "cpu",  "cuda",     "lift",  "contiguous"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::vector<at::Tensor> run(const c10::OperatorHandle& op, std::vector<c10::IValue> stack) {
  at::NoGradGuard no_grad;
  op.callBoxed(stack);
  std::vector<at::Tensor> out;
  for (auto& each : stack)
    for (auto& tensor : tensors_of(each)) out.push_back(tensor);
  return out;
}

// The operator's results on samples' numbers. Indices and conditions stay what they are.
std::vector<at::Tensor> moved(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments,
                              const PlaceOf& place_of) {
  bool first = true;
  auto number = [&](const at::Tensor& tensor) {
    bool moves = first || tensor.is_floating_point();
    first = first && !tensor.defined();
    return !tensor.defined() || !moves || tensor.scalar_type() == at::kBool
               ? tensor
               : numbered(tensor, place_of(tensor)).clone();
  };
  std::vector<c10::IValue> stack;
  for (auto& each : arguments) {
    if (libtorch::is_tensor(each)) {
      stack.emplace_back(number(each.toTensor()));
    } else if (each.isTensorList()) {
      bool list_is_first = first;
      std::vector<at::Tensor> list;
      for (const at::Tensor& element : each.toTensorVector()) {
        first = list_is_first;
        list.push_back(number(element));
      }
      stack.emplace_back(std::move(list));
    } else {
      stack.push_back(each);
    }
  }
  return run(op, std::move(stack));
}

// "bqd,bkd->bqk": the label that counts samples in one of the operands.
std::optional<SamplePlace> place_behind_einsum(std::string_view equation, const std::vector<at::Tensor>& operands,
                                               const PlaceOf& place_of) {
  std::string letters(equation);
  std::erase(letters, ' ');
  auto arrow = letters.find("->");
  if (arrow == std::string::npos || letters.find('.') != std::string::npos) return nowhere;
  std::optional<SamplePlace> found;
  std::size_t begin = 0;
  for (auto& each : operands) {
    auto end = std::min(letters.find(',', begin), arrow);
    if (auto place = place_of(each)) {
      auto behind = place->dimension < 0
                        ? std::string::npos
                        : letters.find(letters[begin + static_cast<std::size_t>(place->dimension)], arrow + 2);
      if (behind == std::string::npos) return nowhere;
      SamplePlace here{static_cast<std::int64_t>(behind - arrow - 2), place->outer, place->inner};
      if (found && *found != here) return nowhere;
      found = here;
    }
    begin = end + 1;
  }
  return found;
}

std::optional<SamplePlace> joined(const std::optional<SamplePlace>& a, const std::optional<SamplePlace>& b) {
  if (!a || !b) return a ? a : b;
  return *a == *b ? a : nowhere;
}

}  // namespace

std::int64_t samples_of(const at::Tensor& tensor, const SamplePlace& place) {
  return tensor.dim() == 0 ? 1 : tensor.size(place.dimension) / (place.outer * place.inner);
}

SamplePlace place_of_one(const at::Tensor& tensor) { return {0, tensor.dim() == 0 ? 1 : tensor.size(0), 1}; }

std::optional<SamplePlace> place_behind(const std::vector<at::Tensor>& inputs, const at::Tensor& result,
                                        const PlaceOf& place_of) {
  std::optional<SamplePlace> found;
  for (auto& each : inputs) {
    auto place = place_of(each);
    if (!place) continue;
    if (place->dimension == SamplePlace::unknown) return nowhere;
    auto d = place->dimension;
    if (result.dim() > each.dim() && inputs.size() > 1) d += result.dim() - each.dim();  // spread over the other one
    bool kept = each.dim() <= result.dim() || d == 0;
    if (!kept || d >= result.dim() || result.size(d) != each.size(place->dimension)) return nowhere;
    found = joined(found, SamplePlace{d, place->outer, place->inner});
  }
  return found;
}

std::vector<std::optional<SamplePlace>> places_behind(const c10::OperatorHandle& op, bool moves_indices,
                                                      const std::vector<c10::IValue>& arguments,
                                                      const std::vector<at::Tensor>& results, const PlaceOf& place_of) {
  std::vector<std::optional<SamplePlace>> out(results.size());
  std::int64_t samples = 0;
  bool unknown = false;
  std::vector<at::Tensor> inputs;
  for (auto& argument : arguments)
    for (auto& each : tensors_of(argument)) {
      auto place = each.defined() ? place_of(each) : std::nullopt;
      inputs.push_back(each);
      if (!place) continue;
      unknown = unknown || place->dimension == SamplePlace::unknown;
      if (!unknown) samples = std::max(samples, samples_of(each, *place));
    }
  if (samples == 0 && !unknown) return out;
  std::fill(out.begin(), out.end(), nowhere);
  if (unknown) return out;
  if (samples == 1) {
    std::transform(results.begin(), results.end(), out.begin(), place_of_one);
    return out;
  }
  // What is spread over the samples belongs to none of them.
  auto of_all = [&](const at::Tensor& tensor) {
    auto place = tensor.defined() ? place_of(tensor) : std::nullopt;
    return place && samples_of(tensor, *place) == 1 ? std::nullopt : place;
  };
  auto& schema = op.schema();
  auto name = libtorch::functional_name(op.operator_name().name);
  std::vector<at::Tensor> numbers;
  auto dim = argument(schema, "dim"), keepdim = argument(schema, "keepdim");
  if (keeps_places(name)) {
    out.front() = place_behind({inputs.front()}, results.front(), of_all);
  } else if (moves_indices && name != "sum" && name != "mean") {
    numbers = moved(op, arguments, of_all);
  } else if (dim && keepdim) {  // a reduction: several samples in one number, or one
    auto of_first = numbered(inputs.front(), of_all(inputs.front()));
    std::vector<std::int64_t> dimensions;
    if (arguments[*dim].isIntList()) dimensions = arguments[*dim].toIntVector();
    if (arguments[*dim].isInt()) dimensions = {arguments[*dim].toInt()};
    bool keep = arguments[*keepdim].toBool();
    auto largest = at::amax(of_first, dimensions, keep), smallest = at::amin(of_first, dimensions, keep);
    if (at::equal(largest, smallest)) numbers.assign(results.size(), largest);
  } else if (name == "einsum") {
    out.front() = place_behind_einsum(arguments[0].toStringRef(), tensors_of(arguments[1]), of_all);
  } else {
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (i > 0 && results[i].dim() != results[0].dim()) continue;
      out[i] = name == "embedding" ? place_behind({inputs[1]}, results[i], of_all)
                                   : place_behind(inputs, results[i], of_all);
    }
    // States of recurrent layers come as [layers, batch, …], whatever their input is.
    if (results.size() > 1 && argument(schema, "batch_first")) std::fill(out.begin() + 1, out.end(), SamplePlace{1});
  }
  for (std::size_t i = 0; i < results.size() && i < numbers.size(); ++i)
    if (numbers[i].sizes() == results[i].sizes()) out[i] = place_in(numbers[i], samples);
  return out;
}

std::optional<SamplePlace> place_around(const at::Tensor& whole, const at::Tensor& part, const SamplePlace& place) {
  if (place.dimension == SamplePlace::unknown) return nowhere;
  auto options = whole.options().dtype(at::kFloat).requires_grad(false);
  auto numbers = at::empty_strided(whole.sizes(), whole.strides(), options).zero_();
  numbers.as_strided(part.sizes(), part.strides(), part.storage_offset() - whole.storage_offset())
      .copy_(numbered(part, place));
  return place_in(numbers, samples_of(part, place));
}

}  // namespace ascribe::layering
