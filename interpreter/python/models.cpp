// Rules on models: those of Python, and saved ones.
#include <ATen/ATen.h>
#include <pybind11/stl/filesystem.h>

#include <memory>
#include <optional>
#include <utility>

#include "ascribe/attribute.hpp"
#include "ascribe/host_model.hpp"
#include "interpreter/python/bindings.hpp"
#include "interpreter/python/errors.hpp"

namespace ascribe::python {
namespace {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;
using WithoutLock = py::call_guard<py::gil_scoped_release>;

// Each row: name, kind, shape, rule, entry, above, below, bias, stabilizer, rest, inputs, cost.
py::list as_rows(const Report& report) {
  py::list out;
  for (auto& row : report) {
    py::object cost = py::none();
    if (row.cost)
      cost = py::make_tuple(row.cost->forward_seconds, row.cost->backward_seconds, row.cost->forward_operators,
                            row.cost->backward_operators, row.cost->kept_bytes);
    out.append(py::make_tuple(row.name, row.kind, py::tuple(py::cast(row.shape)), row.rule, row.entry, row.above,
                              row.below, row.bias, row.stabilizer, row.rest(), row.inputs, cost));
  }
  return out;
}

// One pause of an attachment, which Python ends.
struct Pausing {
  std::optional<Inactive> pause;
};

Attachment attach_to(const Composite& rules, NamedTensors tensors, bool sums) {
  return attach(rules,
                HostModel{.tensors = std::move(tensors), .check = throw_interruption, .translate = throw_to_python},
                {.sums = sums});
}

Model model_of(py::object run, NamedTensors tensors, bool looks_up_integers) {
  return host_model({.run = callback(std::move(run)),
                     .tensors = std::move(tensors),
                     .looks_up_integers = looks_up_integers,
                     .check = note_interruption,
                     .translate = throw_to_python});
}

ProgressCallback progress_of(py::object function) {
  if (function.is_none()) return [](const Progress&) { throw_interruption(); };
  return [held = hold(std::move(function))](const Progress& progress) {
    throw_interruption();
    py::gil_scoped_acquire lock;
    try {
      (*held)(progress.pass == Progress::Pass::forward ? "forward" : "backward", progress.layer, progress.kind,
              progress.done, progress.total);
    } catch (py::error_already_set& thrown) {
      throw_on(thrown);
    }
  };
}

struct Options {
  std::vector<std::string> layers;
  bool to_input, sum_embeddings, sums, profile, create_graph;
};

py::dict attribution(const Model& model, const Composite& rules, const Tensors& inputs, const Target& target,
                     const Options& options, py::object progress) {
  AttributeOptions chosen{.layers = options.layers,
                          .to_input = options.to_input,
                          .sum_embeddings = options.sum_embeddings,
                          .sums = options.sums,
                          .profile = options.profile,
                          .create_graph = options.create_graph};
  chosen.progress = progress_of(std::move(progress));
  auto found = guarded([&] { return attribute(model, rules, inputs, target, chosen); });
  auto tensor = [](const at::Tensor& each) { return each.defined() ? py::cast(each) : py::object(py::none()); };
  py::list relevances;
  for (auto& each : found.relevances) relevances.append(tensor(each));
  py::dict layers;
  for (auto& [name, calls] : found.layers) {
    py::list of_calls;
    for (auto& each : calls) of_calls.append(tensor(each));
    layers[py::str(name)] = of_calls;
  }
  py::dict out;
  out["relevance"] = tensor(found.relevance);
  out["relevances"] = relevances;
  out["layers"] = layers;
  out["output"] = tensor(found.output);
  out["start"] = tensor(found.start);
  out["sample_dimension"] = found.sample_dimension;
  out["report"] = as_rows(found.report);
  out["warnings"] = as_tuples(found.warnings);
  return out;
}

void bind_targets(py::module_& module) {
  py::class_<Target>(module, "Target")
      .def(py::init<std::vector<std::int64_t>>())
      .def_static("named", &Target::named)
      .def_static("largest", &Target::largest)
      .def_static("one_per_sample", &Target::one_per_sample)
      .def_static("all", &Target::all)
      .def_static("of", &Target::from)
      .def("from_one", &Target::from_one)
      .def("against", &Target::against)
      .def("at_position", py::overload_cast<std::vector<std::int64_t>>(&Target::at_position, py::const_))
      .def("of_output", &Target::of_output);
}

}  // namespace

TensorFunction callback(py::object function) {
  return [held = hold(std::move(function))](const Tensors& inputs) {
    py::gil_scoped_acquire lock;
    try {
      return py::cast<Tensors>((*held)(inputs));
    } catch (py::error_already_set& thrown) {
      throw_from_callback(thrown);
    }
  };
}

void bind_models(py::module_& module) {
  bind_targets(module);
  py::class_<Pausing>(module, "Pausing").def("end", [](Pausing& pausing) { pausing.pause.reset(); });
  py::class_<Attachment>(module, "Attachment")
      .def("remove", &Attachment::remove, WithoutLock())
      .def("report", [](const Attachment& attached) { return as_rows(guarded([&] { return attached.report(); })); })
      .def("warnings",
           [](const Attachment& attached) { return as_tuples(guarded([&] { return attached.warnings(); })); })
      .def("inactive", [](const Attachment& attached) {
        auto out = std::make_unique<Pausing>();
        out->pause.emplace(attached.inactive());
        return out;
      });
  module.def("attach", &attach_to, WithoutLock());

  py::class_<Model>(module, "Model")
      .def_static("load", &Model::load, WithoutLock())
      .def_static("of", &model_of)
      .def("to", &Model::to, WithoutLock())
      .def("run", [](const Model& model, const Tensors& inputs) { return guarded([&] { return model.run(inputs); }); });
  module.def("attribute", [](const Model& model, const Composite& rules, const Tensors& inputs, const Target& target,
                             std::vector<std::string> layers, bool to_input, bool sum_embeddings, bool sums,
                             bool profile, bool create_graph, py::object progress) {
    return attribution(model, rules, inputs, target,
                       {std::move(layers), to_input, sum_embeddings, sums, profile, create_graph}, std::move(progress));
  });
  module.def("layers", [](const Model& model, const std::optional<Composite>& rules, const Tensors& inputs) {
    return as_rows(guarded([&] { return rules ? layers(model, *rules, inputs) : layers(model, inputs); }));
  });
}

}  // namespace ascribe::python
