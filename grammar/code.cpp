#include "grammar/code.hpp"

#include "grammar/filled_text.hpp"

namespace ascribe {

std::string code_name(Code code) { return filled("A{:04}", static_cast<int>(code)); }

}  // namespace ascribe
