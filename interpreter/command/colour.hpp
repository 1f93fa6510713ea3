// Whether messages are coloured.
#pragma once

namespace ascribe::command {

/// Whether a stream takes colour: `descriptor` is a terminal, TERM says that it is more than a dumb one, and NO_COLOR
/// is unset or empty.
bool wants_colour(int descriptor);

}  // namespace ascribe::command
