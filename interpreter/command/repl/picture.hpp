// Relevance as a picture in a terminal: half blocks in colour, or characters without.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "interpreter/command/screen.hpp"

namespace ascribe::repl {

using command::Screen;

struct Titled {
  std::string title;
  at::Tensor relevance;
};

/// Maps of relevance, each with a title and with colours of its own: red speaks for, blue against, white is zero,
/// yellow not finite. Side by side where the screen has room, otherwise below one another. Of a tensor, channels
/// (dimension 1) are summed, and samples and slices stand beside each other; vectors are strips. Throws Error where
/// there is no picture of the tensor.
std::string draw(const std::vector<Titled>& maps, const Screen& screen);

}  // namespace ascribe::repl
