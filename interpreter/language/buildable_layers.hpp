// How tests build layers: for each kind, what it is made of. One table, which the checker, the builder, completion and
// the documentation read.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ascribe::language {

/// One argument of a layer, such as `kernel = 3`.
struct LayerArgument {
  enum class Form {
    number,  ///< any number
    count,   ///< a whole number, at least `least`
    sizes,   ///< whole numbers, one for each spatial dimension; a single one is for all
    tensor,  ///< a tensor, or a number for a tensor of one element
    branch   ///< layers in sequence, a list or one; none of them: what the layer itself is given
  };
  std::string_view name;
  Form form;
  std::optional<double> standard = {};  ///< what counts where it is not given
  bool needed = false;
  std::int64_t least = 1;  ///< of counts and sizes
};

struct BuildableLayer {
  std::string_view name;  ///< of a kind; or `flatten`, which is no layer to rules
  std::vector<LayerArgument> arguments;
};

std::span<const BuildableLayer> buildable_layers();
/// Null where there is none of this name.
const BuildableLayer* find_buildable_layer(std::string_view name);
/// The place of an argument, or nothing.
std::optional<std::size_t> find_argument(const BuildableLayer& layer, std::string_view name);
/// `conv2d(in, out, kernel, stride = 1, …)`
std::string signature(const BuildableLayer& layer);

}  // namespace ascribe::language
