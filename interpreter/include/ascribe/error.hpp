// Errors: every mistake in a rule file, model, tensor or argument arrives as one exception, `ascribe::Error`.
//
//     try {
//       auto pack = ascribe::Pack::load("mine.rule");
//     } catch (const ascribe::Error& error) {
//       std::cerr << error.what() << "\n";               // what the command would print
//       for (auto& diagnostic : error.diagnostics()) …    // code, severity, message, places, note, help
//     }
#pragma once

#include "grammar/diagnostic.hpp"
