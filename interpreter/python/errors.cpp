#include "interpreter/python/errors.hpp"

#include <torch/csrc/Exceptions.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "interpreter/python/wording.hpp"

namespace ascribe::python {
namespace {

PyObject* error_class = nullptr;  // as long as the process lives

// What a callback threw last on this thread. Raw: a thread may end without the interpreter's lock.
thread_local PyObject* thrown_before = nullptr;

void keep_thrown(PyObject* exception) {
  Py_XDECREF(thrown_before);
  thrown_before = exception;
}

py::tuple as_tuple(const Diagnostic& said) {
  auto diagnostic = in_python(said);
  py::object place = py::none();
  if (auto& source = diagnostic.primary.source) {
    auto position = source->position(diagnostic.primary.span.begin);
    place = py::make_tuple(source->name(), position.line, position.column);
  }
  return py::make_tuple(code_name(diagnostic.code), diagnostic.severity == Severity::error ? "error" : "warning",
                        diagnostic.message, place, diagnostic.note, diagnostic.help);
}

py::object as_exception(const Error& error) {
  std::vector<Diagnostic> said;
  std::transform(error.diagnostics().begin(), error.diagnostics().end(), std::back_inserter(said), in_python);
  py::object out =
      py::reinterpret_borrow<py::object>(error_class)(Error(said).what(), py::tuple(as_tuples(error.diagnostics())));
  auto* own = new std::vector<Diagnostic>(error.diagnostics());
  out.attr("_own") = py::capsule(own, [](void* held) { delete static_cast<std::vector<Diagnostic>*>(held); });
  return out;
}

bool is_ordinary(PyObject* exception) { return PyErr_GivenExceptionMatches(exception, PyExc_Exception) != 0; }

// Sets Python's error: what a callback threw, where that is no mistake but an order; else the error, by that cause.
void set(const Error& error) {
  auto* cause = std::exchange(thrown_before, nullptr);
  if (PyErr_Occurred()) {  // what Python has raised meanwhile, and C++ has made the error of
    py::error_already_set raised;
    if (!cause) cause = raised.value().inc_ref().ptr();
  }
  if (cause && !is_ordinary(cause)) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(cause)), cause);
    Py_DECREF(cause);
    return;
  }
  auto exception = as_exception(error);
  if (cause) PyException_SetCause(exception.ptr(), cause);  // takes the reference
  PyErr_SetObject(error_class, exception.ptr());
}

[[noreturn]] void throw_what_is_set() {
  python_error out;
  out.persist();
  throw out;
}

// A check takes the interpreter's lock: not at every layer.
bool is_due() {
  using Clock = std::chrono::steady_clock;
  constexpr auto interval = std::chrono::milliseconds(20);
  thread_local Clock::time_point last{};
  auto now = Clock::now();
  if (now - last < interval) return false;
  last = now;
  return true;
}

}  // namespace

py::list as_tuples(const std::vector<Diagnostic>& diagnostics) {
  py::list out;
  for (auto& each : diagnostics) out.append(as_tuple(each));
  return out;
}

void throw_to_python(const Error& error) {
  py::gil_scoped_acquire lock;
  set(error);
  throw_what_is_set();
}

void throw_interruption() {
  if (!is_due()) return;
  py::gil_scoped_acquire lock;
  if (PyErr_CheckSignals() != 0) throw_what_is_set();
}

void note_interruption() {
  if (!is_due()) return;
  py::gil_scoped_acquire lock;
  if (PyErr_CheckSignals() == 0) return;
  py::error_already_set thrown;
  throw_from_callback(thrown);
}

void throw_on(py::error_already_set& thrown) {
  thrown.restore();
  throw_what_is_set();
}

void throw_from_callback(py::error_already_set& thrown) {
  auto value = thrown.value();
  if (thrown.matches(py::handle(error_class)) && py::hasattr(value, "_own") && !value.attr("_own").is_none())
    throw Error(*py::cast<py::capsule>(value.attr("_own")).get_pointer<std::vector<Diagnostic>>());
  auto text = py::cast<std::string>(py::str(py::type::handle_of(value).attr("__name__"))) + ": " +
              py::cast<std::string>(py::str(value));
  keep_thrown(value.release().ptr());
  throw std::runtime_error(text);
}

void forget_callbacks() { keep_thrown(nullptr); }

void finish(const Error& error) {
  PyErr_Clear();  // what LibTorch has set meanwhile
  set(error);
  throw py::error_already_set();
}

void finish() {
  PyErr_Clear();
  auto* thrown = std::exchange(thrown_before, nullptr);
  if (!thrown) return;
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(thrown)), thrown);
  Py_DECREF(thrown);
  throw py::error_already_set();
}

Held hold(py::object object) {
  return {new py::object(std::move(object)), [](py::object* held) {
            if (!Py_IsInitialized()) return;  // the interpreter has ended, and taken its objects with it
            py::gil_scoped_acquire lock;
            delete held;
          }};
}

void bind_errors(py::module_& module) {
  error_class = py::object(py::module_::import("ascribe._errors").attr("Error")).release().ptr();
  module.attr("Error") = py::handle(error_class);
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (python_error& error) {
      error.restore();
    } catch (const Error& error) {
      set(error);
    }
  });
  // For mistakes that Python's part of the module finds: told as all others are.
  module.def("fail", [](int code, std::string message, std::string help) {
    throw Error({.code = static_cast<Code>(code), .message = std::move(message), .help = std::move(help)});
  });
}

}  // namespace ascribe::python
