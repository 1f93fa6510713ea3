// What rules look like in a notebook: the definitions that they come from, in colours.
#include <algorithm>
#include <string>
#include <vector>

#include "ascribe/pack.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/html_text.hpp"
#include "interpreter/assist/structure.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/binding.hpp"
#include "interpreter/language/definition_text.hpp"
#include "interpreter/python/bindings.hpp"

namespace ascribe::python {
namespace {

// That can be read on light and on dark; empty: as text around it.
const char* colour_of(assist::Coloured::Sort sort) {
  using Sort = assist::Coloured::Sort;
  switch (sort) {
    case Sort::keyword:
      return "#a05fc4";
    case Sort::string:
      return "#4f9a4f";
    case Sort::number:
      return "#b8772b";
    case Sort::comment:
    case Sort::documentation:
      return "#8a8a8a";
    case Sort::rule:
    case Sort::function:
      return "#3f7fd0";
    case Sort::type:
    case Sort::kind:
    case Sort::pack:
      return "#2b9a9a";
    case Sort::operation:
    case Sort::parameter:
    case Sort::variable:
    case Sort::property:
      return "";
  }
  return "";
}

std::string in_colours(const std::string& text) {
  auto project = assist::text_project("text", text);
  std::string out;
  std::size_t done = 0;
  for (auto& each : assist::colours(*project, project->own.front())) {
    if (each.span.begin < done) continue;
    out += escaped_html(std::string_view(text).substr(done, each.span.begin - done));
    auto part = escaped_html(std::string_view(text).substr(each.span.begin, each.span.end - each.span.begin));
    auto* colour = colour_of(each.sort);
    out += *colour ? filled("<span style=\"color:{}\">{}</span>", colour, part) : part;
    done = each.span.end;
  }
  return out + escaped_html(std::string_view(text).substr(done));
}

// Composites, then rules, each once, in the order of the entries.
std::vector<std::string> definitions_of(const language::BoundComposite& composite) {
  std::vector<std::string> out;
  auto add = [&](const language::Place& place) {
    auto text = language::definition_text(place);
    if (!text.empty() && std::find(out.begin(), out.end(), text) == out.end()) out.push_back(std::move(text));
  };
  for (auto& entry : composite.entries) add(entry.place);
  for (auto& entry : composite.entries)
    if (auto* bound = std::get_if<language::BoundRule>(&entry.target)) add(bound->rule->place);
  return out;
}

}  // namespace

void bind_notebook(py::module_& module) {
  module.def("definitions_in_colours", [](const Composite& rules) {
    std::vector<std::string> out;
    for (auto& each : definitions_of(Inside::bound(rules))) out.push_back(in_colours(each));
    return out;
  });
}

}  // namespace ascribe::python
