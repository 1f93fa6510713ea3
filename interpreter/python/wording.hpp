// Messages in Python's words.
#pragma once

#include "grammar/diagnostic.hpp"

namespace ascribe::python {

/// What a message says of C++, and of options of the command line, as it is written in Python: `--target all`, in C++
/// `Target::all()`, is `ascribe.Target.all()`.
Diagnostic in_python(Diagnostic message);

}  // namespace ascribe::python
