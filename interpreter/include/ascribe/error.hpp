// Errors: every mistake in a rule file, model, tensor or argument arrives as one exception, `ascribe::Error`.
//
//     try {
//       auto pack = ascribe::Pack::load("mine.rule");
//     } catch (const ascribe::Error& error) {
//       std::cerr << error.what() << "\n";               // what the command would print
//       for (auto& diagnostic : error.diagnostics()) …    // code, severity, message, places, note, help
//     }
//
// A diagnostic's code tells mistakes apart, and never changes: `error.diagnostics().front().code == Code::bad_target`.
// Several mistakes of one file come together, in the order of their places. A place is a source with a span of bytes,
// which it shares with the error; `source->position(span.begin)` counts lines and characters for people. `ascribe
// explain A0704` says what a code means, with an example that fails and one that does not.
//
// What a function throws stands beside it, by the names of the codes (Code, in grammar/code.hpp).
#pragma once

// Error; render_text(); Diagnostic, Severity, Label; Code.
#include "grammar/error.hpp"
#include "grammar/render_text.hpp"
