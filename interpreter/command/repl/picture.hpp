// Relevance as a picture in a terminal: half blocks in colour, or characters without.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "ascribe/heatmap.hpp"
#include "interpreter/command/screen.hpp"

namespace ascribe::repl {

using command::Screen;

struct Titled {
  std::string title;
  at::Tensor relevance;
};

/// Maps of relevance, each with a title and with a scale of its own, in the colours of the files that `ascribe run`
/// writes: of the options, `colour_map`, `clip` and `range` count. Side by side where the screen has room, otherwise
/// below one another. Of a tensor, channels (dimension 1) are summed, and samples and slices stand beside each other;
/// vectors are strips. Throws Error where there is no picture of the tensor.
std::string draw(const std::vector<Titled>& maps, const Screen& screen, const HeatmapOptions& options = {});

}  // namespace ascribe::repl
