#include "grammar/filled_text.hpp"

namespace ascribe {

template <class Arguments>
std::string fill(fmt::string_view text, Arguments values) {
  return fmt::vformat(text, values);
}

// Weak, as all that comes of a template: two copies are one where LibTorch's fmt is the same.
template std::string fill(fmt::string_view text, fmt::format_args values);

}  // namespace ascribe
