// Where in a model a thread is: what stands in for torch.nn.Module.__call__ while somebody watches. It is called for
// every module of every model, so that it is written for Python's own interface, and makes no object on its way.
#include <structmember.h>

#include <cstddef>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "ascribe/host_model.hpp"
#include "interpreter/libtorch/dispatch.hpp"
#include "interpreter/python/bindings.hpp"
#include "interpreter/python/errors.hpp"

namespace ascribe::python {
namespace {

// The modules of a model, by their addresses: whoever has the names keeps the modules, where Python sees that it does.
struct Names {
  std::unordered_map<PyObject*, HostModule> entries;
  bool called = false;
};

// Those that this thread watches, the last one at the end. What another thread has ended is empty, or gone.
thread_local std::vector<std::weak_ptr<Names>> watched;

bool watches() {
  std::erase_if(watched, [](auto& each) {
    auto held = each.lock();
    return !held || held->entries.empty();
  });
  return !watched.empty();
}

void watch(const std::shared_ptr<Names>& names) {
  watches();
  watched.push_back(names);
}

void unwatch(const std::shared_ptr<Names>& names) {
  std::erase_if(watched, [&](auto& each) { return each.lock() == names; });
  names->entries.clear();  // on whatever thread
}

const HostModule* find(PyObject* module) {
  for (auto each = watched.rbegin(); each != watched.rend(); ++each) {
    auto names = each->lock();
    if (!names) continue;
    auto found = names->entries.find(module);
    if (found == names->entries.end()) continue;
    names->called = true;
    return &found->second;
  }
  return nullptr;
}

// ------------------------------------------------------------------------------------------- a function in Python's
// eyes

struct StandIn {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* plain;   // what it stands in for
  PyObject* whole;   // whole(module, known_as, plain, args, kwargs): the module is one layer
  PyObject* refuse;  // refuse(): a compiled model
  bool works;        // false: only what it stands in for is called
};

PyObject* call_whole(const StandIn& self, const HostModule& known_as, PyObject* const* arguments, Py_ssize_t count,
                     PyObject* names) {
  py::tuple positional(count - 1);
  for (Py_ssize_t i = 1; i < count; ++i) positional[i - 1] = py::reinterpret_borrow<py::object>(arguments[i]);
  py::dict named;
  for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); ++i)
    named[PyTuple_GET_ITEM(names, i)] = py::reinterpret_borrow<py::object>(arguments[count + i]);
  auto function = py::reinterpret_borrow<py::object>(self.whole);
  return function(py::reinterpret_borrow<py::object>(arguments[0]), known_as,
                  py::reinterpret_borrow<py::object>(self.plain), positional, named)
      .release()
      .ptr();
}

PyObject* call_module_of_python(PyObject* object, PyObject* const* arguments, std::size_t flagged_count,
                                PyObject* names) {
  auto& self = *reinterpret_cast<StandIn*>(object);
  auto count = PyVectorcall_NARGS(flagged_count);
  auto plain = [&] { return PyObject_Vectorcall(self.plain, arguments, static_cast<std::size_t>(count), names); };
  if (!self.works || watched.empty() || count == 0) return plain();
  try {
    auto* known_as = find(arguments[0]);
    if (!known_as) {
      if (std::string_view(Py_TYPE(arguments[0])->tp_name).ends_with("OptimizedModule"))
        return PyObject_CallNoArgs(self.refuse);
      return plain();
    }
    struct Within {
      explicit Within(std::string path) : before(enter_module(std::move(path))) {}
      Within(const Within&) = delete;
      Within& operator=(const Within&) = delete;
      ~Within() { enter_module(std::move(before)); }
      std::string before;
    } within(known_as->path);
    return wants_module(*known_as) ? call_whole(self, *known_as, arguments, count, names) : plain();
  } catch (py::error_already_set& thrown) {
    thrown.restore();
  } catch (const std::exception& failure) {
    PyErr_SetString(PyExc_RuntimeError, failure.what());
  }
  return nullptr;
}

int visit_parts(PyObject* object, visitproc visit, void* arg) {
  auto* self = reinterpret_cast<StandIn*>(object);
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(self->plain);
  Py_VISIT(self->whole);
  Py_VISIT(self->refuse);
  return 0;
}

int drop_parts(PyObject* object) {
  auto* self = reinterpret_cast<StandIn*>(object);
  Py_CLEAR(self->plain);
  Py_CLEAR(self->whole);
  Py_CLEAR(self->refuse);
  return 0;
}

void destroy(PyObject* object) {
  auto* type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  drop_parts(object);
  type->tp_free(object);
  Py_DECREF(type);
}

// As a function of Python's is bound: to a module; of the class, it is itself.
PyObject* bound_to(PyObject* object, PyObject* module, PyObject*) {
  return module && module != Py_None ? PyMethod_New(object, module) : Py_NewRef(object);
}

// What is asked of it besides is asked of what it stands in for: its name, its code.
PyObject* part_of(PyObject* object, PyObject* name) {
  if (auto* own = PyObject_GenericGetAttr(object, name)) return own;
  if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return nullptr;
  PyErr_Clear();
  return PyObject_GetAttr(reinterpret_cast<StandIn*>(object)->plain, name);
}

py::object type_of_stand_ins() {
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(StandIn, vectorcall), READONLY, nullptr},
      {"__wrapped__", T_OBJECT, offsetof(StandIn, plain), READONLY, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyType_Slot slots[] = {{Py_tp_members, members},
                                {Py_tp_call, reinterpret_cast<void*>(&PyVectorcall_Call)},
                                {Py_tp_getattro, reinterpret_cast<void*>(&part_of)},
                                {Py_tp_descr_get, reinterpret_cast<void*>(&bound_to)},
                                {Py_tp_traverse, reinterpret_cast<void*>(&visit_parts)},
                                {Py_tp_clear, reinterpret_cast<void*>(&drop_parts)},
                                {Py_tp_dealloc, reinterpret_cast<void*>(&destroy)},
                                {0, nullptr}};
  static PyType_Spec spec{"ascribe._core.StandIn", sizeof(StandIn), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                              Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                          slots};
  auto type = py::reinterpret_steal<py::object>(PyType_FromSpec(&spec));
  if (!type) throw py::error_already_set();
  return type;
}

py::object stand_in(py::object plain, py::object whole, py::object refuse) {
  static auto* type = type_of_stand_ins().release().ptr();
  auto* made = PyObject_GC_New(StandIn, reinterpret_cast<PyTypeObject*>(type));
  if (!made) throw py::error_already_set();
  made->vectorcall = &call_module_of_python;
  made->plain = plain.release().ptr();
  made->whole = whole.release().ptr();
  made->refuse = refuse.release().ptr();
  made->works = true;
  PyObject_GC_Track(made);
  return py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(made));
}

std::shared_ptr<Names> names_of(const std::vector<std::tuple<py::object, std::string, std::string, std::size_t>>& all) {
  auto out = std::make_shared<Names>();
  for (auto& [module, path, class_name, operators] : all)
    out->entries.try_emplace(module.ptr(), HostModule{path, class_name, operators});
  return out;
}

}  // namespace

void bind_modules(py::module_& module) {
  py::class_<HostModule>(module, "Module")
      .def_readonly("path", &HostModule::path)
      .def_readonly("class_name", &HostModule::class_name)
      .def("call", [](const HostModule& called, const Tensors& inputs,
                      const std::vector<std::pair<std::string, at::Tensor>>& parameters, py::object run) {
        auto function = callback(std::move(run));
        return guarded([&] { return call_module(called, inputs, parameters, function); });
      });
  py::class_<Names, std::shared_ptr<Names>>(module, "Names")
      .def(py::init(&names_of))
      .def_readonly("called", &Names::called)
      .def("watch", &watch)
      .def("unwatch", &unwatch);
  module.def("watches", &watches);
  module.def("stand_in", &stand_in);
  module.def("retire", [](const py::object& made) { reinterpret_cast<StandIn*>(made.ptr())->works = false; });
  // What a module that was taken as a whole has written into its input, which others read.
  module.def(
      "write",
      [](const at::Tensor& written, const at::Tensor& result) {
        libtorch::Pause pause;
        (void)written.copy_(result);
      },
      py::call_guard<py::gil_scoped_release>());
}

}  // namespace ascribe::python
