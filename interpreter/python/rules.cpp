// Packs, and the rules that they give.
#include <ATen/ATen.h>
#include <pybind11/stl/filesystem.h>
#include <torch/csrc/autograd/python_variable.h>

#include <utility>

#include "ascribe/cache.hpp"
#include "ascribe/pack.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/python/bindings.hpp"
#include "interpreter/python/errors.hpp"

namespace ascribe::python {
namespace {

using WithoutLock = py::call_guard<py::gil_scoped_release>;

Argument argument_of(const std::string& name, const py::handle& value) {
  if (PyFloat_Check(value.ptr()) || PyLong_Check(value.ptr())) return py::cast<double>(value);
  if (PyUnicode_Check(value.ptr())) return Stabilizer(py::cast<std::string>(value));
  if (THPVariable_Check(value.ptr())) {
    auto numbers = py::cast<at::Tensor>(value).detach().to(at::kCPU, at::kDouble).contiguous();
    if (numbers.dim() == 0) return numbers.item<double>();
    auto* first = numbers.const_data_ptr<double>();
    return Numbers{numbers.sizes().vec(), {first, first + numbers.numel()}};
  }
  if (PyList_Check(value.ptr())) try {
      return py::cast<std::vector<std::string>>(value);
    } catch (const py::cast_error&) {  // told below
    }
  throw Error({.code = Code::wrong_type,
               .message = filled("the argument `{}` is of the type {}", name, Py_TYPE(value.ptr())->tp_name),
               .help = "give a number, numbers (a list, an array, a tensor), names ([\"bias\"]), or a stabilizer as "
                       "text: \"relative(0.1)\""});
}

Arguments arguments_of(const py::dict& given) {
  Arguments out;
  for (auto& [name, value] : given) {
    auto text = py::cast<std::string>(name);
    out.emplace_back(text, argument_of(text, value));
  }
  return out;
}

}  // namespace

void bind_rules(py::module_& module) {
  py::class_<Composite>(module, "Composite").def_property_readonly("description", &Composite::description);
  py::class_<Pack>(module, "Pack")
      .def_static("load",
                  [](const std::vector<std::filesystem::path>& paths, std::vector<std::filesystem::path> path,
                     bool require_lock) {
                    py::gil_scoped_release unlocked;
                    return Pack::load(paths, {.path = std::move(path), .require_lock = require_lock});
                  })
      .def_static("standard", &Pack::standard)
      .def_static("parse", &Pack::parse, WithoutLock())
      .def(
          "reload", [](const Pack& pack) { return pack.reload(); }, WithoutLock())
      .def("rule", [](const Pack& pack, const std::string& name,
                      const py::dict& given) { return Composite(pack.rule(name, arguments_of(given))); })
      .def("composite", [](const Pack& pack, const std::string& name,
                           const py::dict& given) { return pack.composite(name, arguments_of(given)); })
      .def(
          "call", [](const Pack& pack, const std::string& text) { return pack.call(text); }, WithoutLock())
      .def_property_readonly("name", &Pack::name)
      .def_property_readonly("version", &Pack::version)
      .def_property_readonly("warnings", [](const Pack& pack) { return as_tuples(pack.warnings()); });
  module.def("parameter_cache_bytes", &parameter_cache_bytes);
  module.def("set_parameter_cache_limit", &set_parameter_cache_limit);
  module.def("drop_parameter_cache", &drop_parameter_cache, WithoutLock());
}

}  // namespace ascribe::python
