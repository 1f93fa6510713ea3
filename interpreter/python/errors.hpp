// Errors on their way between C++ and Python.
#pragma once

#include <torch/csrc/utils/pybind.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "ascribe/error.hpp"

namespace ascribe::python {

/// The Python class of errors, and the translation of C++'s exceptions that functions of this module throw.
void bind_errors(py::module_& module);

/// Diagnostics as Python has them: (code, severity, message, place or None, note, help).
py::list as_tuples(const std::vector<Diagnostic>& diagnostics);

/// What LibTorch's code for Python passes on as it is: throws the error as an exception of Python's. On any thread.
void throw_to_python(const Error& error);

/// Lets Python handle signals, now and then, and throws what comes of it: KeyboardInterrupt. Only Python's main thread
/// does so. `throw_interruption`: as LibTorch's code for Python passes it on; `note_interruption`: as a C++ exception,
/// which `finish` knows.
void throw_interruption();
void note_interruption();

/// What a callback has thrown goes on, as LibTorch's code for Python passes it on.
[[noreturn]] void throw_on(py::error_already_set& thrown);

/// An exception of Python's that a callback has thrown becomes one of C++'s: an Error what was one before; anything
/// else is kept for `finish`, and goes by its text.
[[noreturn]] void throw_from_callback(py::error_already_set& thrown);

/// Nothing that a callback threw before is of interest.
void forget_callbacks();

/// In a handler of exceptions, in front of the way back to Python. Of an error, throws what a callback threw and C++
/// must not put into words (KeyboardInterrupt), or makes it the cause of the error that was made of it; of others,
/// throws what a callback threw, if one did.
void finish(const Error& error);
void finish();

/// Runs C++ without the interpreter's lock. What callbacks throw comes out as it was, or as the error that C++ has made
/// of it.
template <typename Body>
auto guarded(const Body& body) {
  forget_callbacks();
  try {
    py::gil_scoped_release unlocked;
    return body();
  } catch (const Error& error) {
    finish(error);
    throw;
  } catch (const std::runtime_error&) {
    finish();
    throw;
  }
}

/// A Python object that C++ holds, and that may go anywhere, without the interpreter's lock.
using Held = std::shared_ptr<py::object>;
Held hold(py::object object);

}  // namespace ascribe::python
