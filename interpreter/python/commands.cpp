// Tests of rule files, and the command itself.
#include <pybind11/stl/filesystem.h>

#include <memory>
#include <utility>

#include "ascribe/pack.hpp"
#include "grammar/glob.hpp"
#include "interpreter/command/command_line.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/definitions.hpp"
#include "interpreter/pack/rule_sources.hpp"
#include "interpreter/python/bindings.hpp"
#include "interpreter/python/errors.hpp"
#include "interpreter/testing/runner.hpp"

namespace ascribe::python {
namespace {

// Each test: name, file, line, seconds, diagnostics (none: it passed).
py::list run_tests(const std::filesystem::path& given, const std::string& filter) {
  auto results = guarded([&] {
    std::vector<testing::TestResult> out;
    for (auto& path : pack_paths(given)) {
      auto pack = Pack::load(path);
      for (auto& each : Inside::definitions(pack).tests)
        if (matches_glob(filter, each->name)) {
          note_interruption();
          out.push_back(testing::run(each));
        }
    }
    return out;
  });
  py::list out;
  for (auto& each : results) {
    auto& place = each.test->place;
    out.append(py::make_tuple(each.test->name, place.source->name(), place.source->position(place.span.begin).line,
                              each.seconds, as_tuples(each.failures)));
  }
  return out;
}

int run_command(std::vector<std::string> arguments) {
  std::vector<char*> pointers;
  for (auto& each : arguments) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  py::gil_scoped_release unlocked;
  return command::run_command_line(static_cast<int>(arguments.size()), pointers.data());
}

}  // namespace

void bind_commands(py::module_& module) {
  module.def("run_tests", &run_tests);
  module.def("run_command", &run_command);
}

}  // namespace ascribe::python
