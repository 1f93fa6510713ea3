// Relevance as pictures.
#include <ATen/ATen.h>
#include <pybind11/stl/filesystem.h>

#include <utility>

#include "ascribe/figure.hpp"
#include "ascribe/picture.hpp"
#include "interpreter/python/bindings.hpp"

namespace ascribe::python {
namespace {

using WithoutLock = py::call_guard<py::gil_scoped_release>;

// An option that Python was not given keeps its default. What there is stands once, in Python.
template <typename Value>
void take(const py::dict& given, const char* name, Value& into) {
  if (given.contains(name)) into = py::cast<Value>(given[name]);
}

HeatmapOptions options_of(const py::dict& given) {
  HeatmapOptions out;
  take(given, "colour_map", out.colour_map);
  take(given, "range", out.range);
  take(given, "clip", out.clip);
  take(given, "shared_scale", out.shared_scale);
  take(given, "channels", out.channels);
  take(given, "smooth", out.smooth);
  take(given, "upside_down", out.upside_down);
  take(given, "size", out.size);
  take(given, "columns", out.columns);
  take(given, "original", out.original);
  take(given, "overlay", out.overlay);
  take(given, "beside", out.beside);
  take(given, "contours", out.contours);
  return out;
}

Preparation preparation_of(const py::dict& given) {
  auto out = given.contains("imagenet") ? Preparation::imagenet() : Preparation{};
  take(given, "grey", out.grey);
  take(given, "colour", out.colour);
  take(given, "resize", out.resize);
  take(given, "crop", out.crop);
  take(given, "mean", out.mean);
  take(given, "deviation", out.deviation);
  return out;
}

}  // namespace

void bind_pictures(py::module_& module) {
  py::enum_<ColourRange>(module, "ColourRange")
      .value("automatic", ColourRange::automatic)
      .value("symmetric", ColourRange::symmetric)
      .value("from_zero", ColourRange::from_zero)
      .value("whole", ColourRange::whole);
  module.def("colour_maps", &colour_maps);
  module.def("heatmap", [](const at::Tensor& relevance, const py::dict& given) {
    auto options = options_of(given);
    py::gil_scoped_release unlocked;
    return heatmap(relevance, options);
  });
  module.def("figure", [](const at::Tensor& relevance, const py::dict& given, std::vector<std::string> captions,
                          std::string title) {
    FigureOptions options{.heatmap = options_of(given), .title = std::move(title), .captions = std::move(captions)};
    py::gil_scoped_release unlocked;
    return figure(relevance, options);
  });
  module.def("decode_picture", [](const std::string& content, const std::string& name, const py::dict& given) {
    auto preparation = preparation_of(given);
    py::gil_scoped_release unlocked;
    return prepared(decode_picture(content, name).pixels, preparation);
  });
  module.def("read_picture", [](const std::filesystem::path& path, const py::dict& given) {
    auto preparation = preparation_of(given);
    py::gil_scoped_release unlocked;
    return prepared(read_picture(path).pixels, preparation);
  });
  module.def("encode_png", [](const at::Tensor& pixels) {
    std::string out;
    {
      py::gil_scoped_release unlocked;
      out = encode_png(pixels);
    }
    return py::bytes(out);
  });
}

}  // namespace ascribe::python
