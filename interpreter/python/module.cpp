// `ascribe._core`: what the Python package `ascribe` is made of. Python's part, in ascribe/, has the names, the
// documentation and what is easier said in Python.
#include "ascribe/version.hpp"
#include "interpreter/python/bindings.hpp"
#include "interpreter/python/errors.hpp"

PYBIND11_MODULE(_core, module) {
  module.doc() = "Ascribe's interpreter.";
  module.attr("version") = ascribe::version();
  ascribe::python::bind_errors(module);
  ascribe::python::bind_rules(module);
  ascribe::python::bind_notebook(module);
  ascribe::python::bind_models(module);
  ascribe::python::bind_modules(module);
  ascribe::python::bind_pictures(module);
  ascribe::python::bind_commands(module);
}
