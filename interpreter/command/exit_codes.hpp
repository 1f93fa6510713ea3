// What the command's exit status means.
#pragma once

#include "grammar/error.hpp"

namespace ascribe::command {

enum ExitCode { fine = 0, findings = 1, usage = 2, bad_file = 3, limit_reached = 4, our_fault = 70, interrupted = 130 };

/// The status for an error: that of its first diagnostic that is no warning.
int exit_code(const Error& error);

/// What the command line says does not fit.
Error usage_error(std::string message, std::string help);

}  // namespace ascribe::command
