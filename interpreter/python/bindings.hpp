// The parts of the module.
#pragma once

#include <torch/csrc/utils/pybind.h>

namespace ascribe::python {

void bind_rules(py::module_& module);
void bind_notebook(py::module_& module);
void bind_models(py::module_& module);
void bind_pictures(py::module_& module);
void bind_commands(py::module_& module);

}  // namespace ascribe::python
