// A page of one attribution with all that is known of it: what `ascribe run --heatmap FILE.html` writes.
#pragma once

#include <string>
#include <vector>

#include "interpreter/command/picture_arguments.hpp"

namespace ascribe::command {

/// What the page tells beside the pictures.
struct PageFacts {
  const Attribution& attribution;
  const Composite& rules;
  PictureFacts pictures{};
  at::Tensor output{};                ///< of each sample, [samples, classes]; anything else has no list of classes
  std::vector<std::string> labels{};  ///< of classes
  std::string model{}, command{};     ///< the file, and how the page was made
};

/// The command line that this process was started by, as one can paste it; empty where that cannot be known.
std::string own_command_line();

/// One file that names no other: HTML with its style, its script and its pictures. Whatever is in names, labels and
/// rules is text in it, and runs nothing. Throws Error as drawn() does.
std::string picture_page(const PictureArguments& arguments, const PageFacts& facts);

}  // namespace ascribe::command
