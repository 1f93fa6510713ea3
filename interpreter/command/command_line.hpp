// The `ascribe` command: options in, exit code out.
#pragma once

namespace ascribe::command {

/// What main() does with its arguments: the exit code (exit_codes.hpp). Every failure ends as a message on stderr.
int run_command_line(int count, char** arguments);

}  // namespace ascribe::command
