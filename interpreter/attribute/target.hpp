// What a target means for a model's output.
#pragma once

#include "ascribe/attribute.hpp"

namespace ascribe::attributing {

/// What a model's output counts along its dimensions.
struct Layout {
  std::optional<std::int64_t> samples = {};  ///< none: it is one for all of them, or there is one only
  std::optional<std::int64_t> choices = {};  ///< what a target is an index of; none: each sample's output is one number
  std::int64_t mixed = 0;                    ///< of how many samples, where these are nowhere to be found in it
};

/// Dimension 0 of each input counts samples. Those of the output are at dimension 0, too, where the size says so, and
/// a target is an index along dimension 1, or along the only one that is longer than 1 ([batch, 1, classes]); or
/// between the first and the last one ([time, batch, classes]), and then the last one counts what a target is an index
/// of.
Layout layout_of(at::IntArrayRef output, const std::vector<at::Tensor>& inputs);

/// One position of an output that has several.
struct Place {
  std::vector<std::int64_t> dimensions, position;  ///< one number for each of these dimensions
  Layout rest;                                     ///< of what is left at that position
};

/// Where a target's position is. Throws Error (bad_target) where the output has none, or not this one.
Place place_of(at::IntArrayRef output, const std::vector<std::int64_t>& position, const Layout& layout);
/// What is there: a view.
at::Tensor at_place(const at::Tensor& output, const Place& place);

/// The relevance that the output starts with, in its shape: zero but for the target. Throws Error (bad_target).
at::Tensor start(const at::Tensor& output, const Target& target, const Layout& layout);

/// The output that the target is of. Throws Error (bad_target, wrong_model).
at::Tensor chosen_output(const std::vector<at::Tensor>& outputs, const Target& target);

}  // namespace ascribe::attributing
