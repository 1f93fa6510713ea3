// The parts of the module.
#pragma once

#include <torch/csrc/utils/pybind.h>

#include <functional>
#include <vector>

namespace ascribe::python {

using Tensors = std::vector<at::Tensor>;
using TensorFunction = std::function<Tensors(const Tensors& inputs)>;

/// A function of Python's from tensors to tensors.
TensorFunction callback(py::object function);

void bind_rules(py::module_& module);
void bind_notebook(py::module_& module);
void bind_models(py::module_& module);
void bind_modules(py::module_& module);
void bind_pictures(py::module_& module);
void bind_commands(py::module_& module);

}  // namespace ascribe::python
