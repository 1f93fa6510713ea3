// Names for what is made of many inputs.
#pragma once

#include <string_view>
#include <vector>

#include "interpreter/command/input_list.hpp"

namespace ascribe::command {

/// Turns each item's `name`, a path relative to where the list begins, into one that is unlike all others.
void name_within(std::vector<InputItem>& items);

}  // namespace ascribe::command
