// Which sample the elements of a tensor belong to. Rules reduce each sample for itself, wherever the model has put the
// batch: [length, batch, …], or both of them in one dimension.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/function_schema.h>

#include <functional>
#include <optional>
#include <vector>

namespace ascribe::layering {

/// The dimension that counts samples, whose size is outer · samples · inner: element i of it belongs to sample
/// (i / inner) mod samples. As inputs of models come: dimension 0, and nothing else in it.
struct SamplePlace {
  static constexpr std::int64_t unknown = -1;
  std::int64_t dimension = 0;  ///< or `unknown`
  std::int64_t outer = 1, inner = 1;
  bool operator==(const SamplePlace&) const = default;
};

/// How many samples a tensor with this place holds.
std::int64_t samples_of(const at::Tensor& tensor, const SamplePlace& place);

/// Where a single sample is: everywhere.
SamplePlace place_of_one(const at::Tensor& tensor);

/// Where an operator's tensors hold their samples; nothing: they belong to none, as a constant.
using PlaceOf = std::function<std::optional<SamplePlace>(const at::Tensor&)>;

/// Of each tensor among an operator's results: what follows from where its arguments hold them. `moves_indices`: it
/// gives elements of its arguments, whichever; then it is run once more on the samples' numbers.
std::vector<std::optional<SamplePlace>> places_behind(const c10::OperatorHandle& op, bool moves_indices,
                                                      const std::vector<c10::IValue>& arguments,
                                                      const std::vector<at::Tensor>& results, const PlaceOf& place_of);

/// Of what a layer gives that leaves the batch where it is.
std::optional<SamplePlace> place_behind(const std::vector<at::Tensor>& inputs, const at::Tensor& result,
                                        const PlaceOf& place_of);

/// Of a tensor, a part of which was written: where the part lies in it, and what it holds.
std::optional<SamplePlace> place_around(const at::Tensor& whole, const at::Tensor& part, const SamplePlace& place);

}  // namespace ascribe::layering
